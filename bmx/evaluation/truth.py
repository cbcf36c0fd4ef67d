"""Measured BMFF and masks of a cohort against the truth of a simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from bmx.core.overlap import dice
from bmx.errors import SchemaError
from bmx.evaluation.mask_trees import GRID, shared_masks
from bmx.schema import validate


def compare_to_truth(results: xr.Dataset, truth: xr.Dataset) -> pd.DataFrame:
    """How far measured BMFF lies from the truth, by region. Computes `bmff`.

    Parameters
    ----------
    results : Dataset
        With `bmff (participant, region)`, as `measure` gives it.
    truth : Dataset
        With `bmff (participant, region)` in percent; participants and regions that only one of the two
        has are left out.

    Returns
    -------
    DataFrame
        One row a region: `n` participants with both values, `missing` with a true value but no measured
        one, and in percentage points `bias` (mean of measured - true), `mean_absolute_error` and `worst`
        (largest absolute error); NaN where n is 0.

    Raises
    ------
    SchemaError
        If `bmff` is missing or wrong in either, or they have no participant or no region in common.

    Examples
    --------
    >>> def bmff(values):
    ...     data = np.array(values, "float32").reshape(-1, 1), {"units": "%"}
    ...     return xr.Dataset({"bmff": (("participant", "region"), *data)},
    ...                       {"participant": range(len(values)), "region": ["spine"]})
    >>> compare_to_truth(bmff([41, 44, np.nan]), bmff([40, 40, 40]))
           n  missing  bias  mean_absolute_error  worst
    region
    spine  2        1   2.5                  2.5    4.0
    """
    measured, true = (validate(data, "bmff")["bmff"].reset_coords(drop=True) for data in (results, truth))
    measured, true = xr.align(measured, true, join="inner")
    for dim in ("participant", "region"):
        if not measured.sizes[dim]:
            raise SchemaError(
                f"results and truth have no {dim} in common; "
                f"expected the truth of the same data, found {dim} {_first(results, dim)} and {_first(truth, dim)}"
            )
    drawn, known = (data.transpose("participant", "region").astype("float64").to_pandas() for data in (measured, true))
    error = drawn - known
    table = pd.DataFrame(
        {
            "n": error.count(),
            "missing": (known.notna() & drawn.isna()).sum(),
            "bias": error.mean(),
            "mean_absolute_error": error.abs().mean(),
            "worst": error.abs().max(),
        }
    )
    return table.loc[[region for region in results.indexes["region"] if region in table.index]]


def _first(data: xr.Dataset, dim: str) -> str:
    index = data.indexes.get(dim, pd.Index([]))
    return ", ".join(map(str, index[:3])) + (" …" if len(index) > 3 else "") or "none"


def dice_per_participant(masks: xr.DataTree, reference: xr.DataTree) -> xr.DataArray:
    """Dice coefficient of every mask with its reference. Lazy.

    Parameters
    ----------
    masks, reference : DataTree
        Children `slab_*` with `mask (participant, region, z, y, x)`; participants and regions that only
        one of the two has are left out.

    Returns
    -------
    DataArray
        `participant × region`, 0 to 1; NaN where both masks are empty.

    Raises
    ------
    SchemaError
        If `mask` is missing or wrong in either, or they share no participant or region, or lie on
        different grids.
    """
    parts = [_dice(drawn, true) for _, drawn, true in shared_masks(masks, reference)]
    return (
        xr.concat(parts, dim="region", join="exact")
        .rename("dice")
        .assign_attrs(units="1", long_name="Dice coefficient")
    )


def _dice(drawn: xr.DataArray, true: xr.DataArray) -> xr.DataArray:
    whole = dict.fromkeys(GRID, -1)
    found: xr.DataArray = xr.apply_ufunc(
        dice, drawn.chunk(whole), true.chunk(whole), input_core_dims=[GRID, GRID],
        vectorize=True, dask="parallelized", output_dtypes=[np.float64],
    )  # fmt: skip
    return found
