"""A region is measured in one slab: its own, or for some participants one beside it."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from bmx.regions import ALL_REGIONS
from bmx.variables import RESULT_FLAGS


def choose_slab(measured: Mapping[int, xr.Dataset]) -> xr.Dataset:
    """Join what was measured in each slab, with each region once. Lazy.

    Parameters
    ----------
    measured : slab number -> participant x region, with `voxels` and `flags`

    Returns
    -------
    participant x region, in the order of `bmx.regions`. Each participant's values are those of the slab in which
    their mask has voxels. If it is another than the region's own, `flags` says so; if there is none, the region's own
    slab, or the lowest where that isn't among them, tells why.
    """
    chosen = []
    for name, region in ALL_REGIONS.items():
        able = [number for number, one in sorted(measured.items()) if name in one.indexes["region"]]
        if not able:
            continue
        first, *others = (measured[number].sel(region=[name]) for number in sorted(able, key=region.slab.__ne__))
        # Without coordinates: xarray would compute them to see whether they agree, on the cluster, within a task.
        best = first.reset_coords(drop=True)
        for other in (one.reset_coords(drop=True) for one in others):
            there = other.assign(flags=other["flags"] | other["flags"].dtype.type(RESULT_FLAGS["adjacent_slab_used"]))
            best = there.where((other["voxels"] > 0) & (best["voxels"] == 0), best)
        chosen.append(best.assign_coords(first.coords))
    return xr.concat(chosen, dim="region", data_vars="minimal", coords="minimal", compat="override", join="exact")
