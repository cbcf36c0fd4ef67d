"""What the results say of each region's slab: whether its images are sound, and from where to where it reaches."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bmx.variables import RESULT_FLAGS, flag_bits

_NOTICED = flag_bits(
    ["irregular_source", "repeated_series", "slab_absent", "slab_unreadable", "slab_incomplete"], RESULT_FLAGS
)


def gather(results: xr.Dataset) -> xr.Dataset:
    """What is known of the slab of every region. Lazy.

    Parameters
    ----------
    results : Dataset
        `flags`; `slab_bottom`, `slab_top` and `slab_residual` if they are known.

    Returns
    -------
    Dataset, (participant, region)
        `irregular`, bool: series or headers weren't as in a clean exam, or the slab is damaged or absent; `residual`,
        the larger physics residual; `bottom` and `top`, world z of the slab's outer ends, mm. The last three are NaN
        where they aren't known.
    """
    flags = results["flags"].reset_coords(drop=True)
    unknown = xr.full_like(flags, np.nan, np.float32)
    told = {
        name: results.get(f"slab_{name}", unknown).reset_coords(drop=True) for name in ("residual", "bottom", "top")
    }
    return xr.Dataset({"irregular": (flags & _NOTICED) > 0, **told})
