"""One sentence for each value that can't be used."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xarray as xr

from bmx.quality.limits import Limits
from bmx.types import TEXT
from bmx.variables import QC_FLAGS, QC_OUTCOME

_AXES = ("left-right", "front-back", "head-foot")
"""World axes x, y, z in words."""


def write_reasons(
    judged: xr.Dataset,
    outcome: xr.DataArray,
    flags: xr.DataArray,
    smallest: xr.DataArray,
    away: xr.DataArray,
    furthest: xr.DataArray,
    told: xr.Dataset,
    limits: Limits,
) -> xr.DataArray:
    """Why each value that isn't ok isn't, (participant, region) text; empty where it is. Lazy."""
    written: xr.DataArray = xr.apply_ufunc(
        _write,
        judged["reason"], outcome, flags, judged["volume"], judged["bmff"], smallest, told["residual"],
        away, furthest,
        kwargs={"limits": limits},
        input_core_dims=[(), (), (), (), (), (), (), ("world_axis",), ("world_axis",)],
        dask="parallelized", output_dtypes=[TEXT],
    )  # fmt: skip
    return written


def _write(
    reason: npt.NDArray[np.generic],
    outcome: npt.NDArray[np.uint8],
    flags: npt.NDArray[np.uint16],
    volume: npt.NDArray[np.float32],
    bmff: npt.NDArray[np.float32],
    smallest: npt.NDArray[np.float64],
    residual: npt.NDArray[np.float64],
    away: npt.NDArray[np.float64],
    furthest: npt.NDArray[np.float64],
    *,
    limits: Limits,
) -> npt.NDArray[np.generic]:
    shape = outcome.shape
    smallest, residual = np.broadcast_to(smallest, shape), np.broadcast_to(residual, shape)
    furthest = np.broadcast_to(furthest, away.shape)
    found = np.full(shape, "", object)
    for at in zip(*np.nonzero(outcome != QC_OUTCOME["ok"]), strict=True):
        if outcome[at] == QC_OUTCOME["small"]:
            found[at] = (
                f"volume {volume[at]:.2f} mL lies below {smallest[at]:.2f} mL, the mean - {limits.small_sd:g} SD"
            )
        elif outcome[at] == QC_OUTCOME["outlier"]:
            axis = int(np.nanargmax(away[at] - furthest[at]))
            found[at] = (
                f"centre of mass lies {away[at][axis]:.1f} mm {_AXES[axis]} from the mean, "
                f"more than {limits.outlier_sd:g} SD, {furthest[at][axis]:.1f} mm"
            )
        elif outcome[at] == QC_OUTCOME["doubtful"]:
            found[at] = "; ".join(_doubts(int(flags[at]), float(bmff[at]), float(residual[at]), limits))
        else:
            found[at] = reason[at]
    return found.astype(TEXT)


def _doubts(flags: int, bmff: float, residual: float, limits: Limits) -> list[str]:
    words = {
        "implausible_bmff": f"BMFF {bmff:.1f} % is implausible here",
        "physics_violated": f"in = W + F and opposed = |W - F| fail by {residual:.2f}, more than {limits.physics:g}",
        "swap_suspected": "fat and water may be exchanged",
        "sides_disagree": "left and right disagree",
    }
    return [words.get(name, name.replace("_", " ")) for name in limits.doubtful if flags & QC_FLAGS[name]]
