"""Which measurements can be used, judged from the whole cohort (paper 2.6 and Table 3)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bmx.errors import SchemaError
from bmx.schema import conform, validate
from bmx.variables import MEASUREMENT_STATUS, QC_OUTCOME, variables_of

SMALL_SD = 2.5
"""A volume this many SD below the mean is small (paper 3.2)."""

OUTLIER_SD = 3.0
"""A centre of mass this many SD from the mean, along any axis, is an outlier (paper 2.6)."""

REFERENCE = tuple(variable.name for variable in variables_of("qc") if variable.name.startswith("qc_reference"))
"""The variables that `reference` must hold."""

TEXT = np.dtypes.StringDType()
_AXES = ("left-right", "front-back", "head-foot")
"""World axes x, y, z in words."""


def flag(results: xr.Dataset, *, reference: xr.Dataset | None = None) -> xr.Dataset:
    """Judge every measurement: ok, small, empty, outlier, failed or not_attempted. Lazy.

    A region's volumes and centres of mass are compared with their mean and SD (ddof 1) over all
    participants with a non-empty mask, both sexes, the small ones included:

    - *small*: volume below the mean - 2.5 SD;
    - *outlier*: centre of mass more than 3 SD from the mean along at least one world axis. The paper
      doesn't say how it measures the distance; each axis by itself is our reading.

    What is both is called small. Among n values none lies further than (n - 1)/√n SD from their mean:
    with fewer than 9 participants nobody can be small, and with fewer than 11 nobody an outlier, unless a
    `reference` is given.

    Parameters
    ----------
    results : Dataset
        As `measure` or `open_results` gives it.
    reference : Dataset, optional
        Mean and SD to judge by, instead of the cohort's own: any Dataset with the variables
        `qc_reference_*`, for example what this function gave for another cohort.

    Returns
    -------
    Dataset
        The results, with `qc_outcome`, `qc_cause` and the `qc_reference_*` that were used.

    Raises
    ------
    SchemaError
        If a variable of the results or of the reference is missing or wrong.
    """
    validate(results, "voxels", "volume", "centroid", "status", "reason")
    used = reference_of(results) if reference is None else _fit(reference, results)
    # Without the coordinates along region: xarray would compute them to see whether they agree.
    judged = results[["status", "voxels", "reason", "volume", "centroid"]].reset_coords(drop=True).chunk(world_axis=-1)
    outcome, cause = xr.apply_ufunc(
        _judge,
        *judged.data_vars.values(),
        *used[list(REFERENCE[1:])].reset_coords(drop=True).data_vars.values(),
        input_core_dims=[(), (), (), (), ("world_axis",), (), (), ("world_axis",), ("world_axis",)],
        output_core_dims=[(), ()],
        dask="parallelized", output_dtypes=[np.uint8, TEXT],
    )  # fmt: skip
    added = xr.Dataset({"qc_outcome": outcome, "qc_cause": cause, **used.data_vars})
    return results.assign(conform(added).data_vars)


def reference_of(results: xr.Dataset) -> xr.Dataset:
    """Number, mean and SD of the volumes and centres of mass of all non-empty masks. Lazy.

    Returns
    -------
    Dataset
        `qc_reference_*` by region; an SD of fewer than two masks is NaN.
    """
    drawn = results["voxels"] > 0
    # float64: a float32 sum over 100,000 volumes has lost the digits that an SD is made of.
    volume = results["volume"].astype("float64").where(drawn)
    centre = results["centroid"].astype("float64").where(drawn)
    return conform(
        xr.Dataset(
            {
                "qc_reference_n": drawn.sum("participant"),
                "qc_reference_volume_mean": _mean(volume),
                "qc_reference_volume_sd": _sd(volume),
                "qc_reference_centroid_mean": _mean(centre),
                "qc_reference_centroid_sd": _sd(centre),
            }
        )
    )


def passed(results: xr.Dataset) -> xr.DataArray:
    """True where a value can be used in an analysis (outcome ok). Lazy.

    Parameters
    ----------
    results : Dataset
        With the `qc_outcome` that `bmx.qc.flag` adds.
    """
    return (_flagged(results)["qc_outcome"] == QC_OUTCOME["ok"]).rename("passed")


def counts(results: xr.Dataset) -> pd.DataFrame:
    """How many participants had each outcome in each region. Computes the outcomes.

    Parameters
    ----------
    results : Dataset
        With the `qc_outcome` that `bmx.qc.flag` adds.

    Returns
    -------
    DataFrame
        Outcome × region; each column adds up to the number of participants.
    """
    outcome = _flagged(results)["qc_outcome"].transpose("participant", "region").to_numpy()
    table = {
        region: [int((outcome[:, column] == value).sum()) for value in QC_OUTCOME.values()]
        for column, region in enumerate(results["region"].values)
    }
    return pd.DataFrame(table, index=pd.Index(QC_OUTCOME, name="qc_outcome"))


def _sd(values: xr.DataArray) -> xr.DataArray:
    """SD with ddof 1 over participants; NaN for fewer than two values, without NumPy's warning."""
    n = values.count("participant")
    squares = ((values - _mean(values)) ** 2).sum("participant")
    return (squares / (n - 1).where(n > 1)) ** 0.5


def _mean(values: xr.DataArray) -> xr.DataArray:
    n = values.count("participant")
    return values.sum("participant") / n.where(n > 0)


def _fit(reference: xr.Dataset, results: xr.Dataset) -> xr.Dataset:
    """The reference for exactly the regions of the results."""
    known = list(validate(reference, *REFERENCE).indexes.get("region", []))
    if missing := [name for name in results.indexes["region"] if name not in known]:
        raise SchemaError(
            f"the QC reference has no {', '.join(missing)}; expected {', '.join(results.indexes['region'])}, "
            f"found {', '.join(known) or 'no coordinate region'}; make the reference from results with these regions"
        )
    return reference[list(REFERENCE)].sel(region=results.indexes["region"])


def _judge(
    status: npt.NDArray[np.uint8],
    voxels: npt.NDArray[np.int32],
    reason: npt.NDArray[np.generic],
    volume: npt.NDArray[np.float32],
    centroid: npt.NDArray[np.float32],
    volume_mean: npt.NDArray[np.float64],
    volume_sd: npt.NDArray[np.float64],
    centroid_mean: npt.NDArray[np.float64],
    centroid_sd: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.generic]]:
    """Outcome and cause, (participant, region); centroids are (..., world_axis)."""
    smallest = volume_mean - SMALL_SD * volume_sd
    away, furthest = np.abs(centroid - centroid_mean), OUTLIER_SD * centroid_sd
    outcome = np.select(
        [
            status == MEASUREMENT_STATUS["not_attempted"],
            status == MEASUREMENT_STATUS["failed"],
            voxels == 0,
            volume < smallest,
            (away > furthest).any(axis=-1),
        ],
        [QC_OUTCOME[name] for name in ("not_attempted", "failed", "empty", "small", "outlier")],
        QC_OUTCOME["ok"],
    ).astype(np.uint8)

    cause = np.full(outcome.shape, "", object)
    smallest, furthest = np.broadcast_to(smallest, volume.shape), np.broadcast_to(furthest, away.shape)
    for at in zip(*np.nonzero(outcome != QC_OUTCOME["ok"]), strict=True):
        if outcome[at] == QC_OUTCOME["small"]:
            cause[at] = f"volume {volume[at]:.2f} mL lies below {smallest[at]:.2f} mL, the mean - {SMALL_SD} SD"
        elif outcome[at] == QC_OUTCOME["outlier"]:
            axis = int(np.nanargmax(away[at] - furthest[at]))
            cause[at] = (
                f"centre of mass lies {away[at][axis]:.1f} mm {_AXES[axis]} from the mean, "
                f"more than {OUTLIER_SD:.0f} SD, {furthest[at][axis]:.1f} mm"
            )
        else:
            cause[at] = reason[at]
    return outcome, cause.astype(TEXT)


def _flagged(results: xr.Dataset) -> xr.Dataset:
    if "qc_outcome" not in results:
        raise SchemaError("the results have no qc_outcome yet; call bmx.qc.flag(results) first")
    return validate(results, "qc_outcome")
