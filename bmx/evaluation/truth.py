"""Measured BMFF and masks of a cohort against the truth of a simulation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bmx.errors import SchemaError
from bmx.evaluation.mask_trees import GRID, shared_masks, stray_masks, voxel_ml
from bmx.schema import validate
from bmx.types import Mask


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
        one of the two has are left out. A region that stands in several slabs is compared in all of them together.

    Returns
    -------
    DataArray
        `participant × region`, 0 to 1; NaN where both masks are empty or nobody drew one, and where one lies only in a
        slab in which the other tree doesn't have the region.

    Raises
    ------
    SchemaError
        If `mask` is missing or wrong in either, or they share no participant or region, or lie on
        different grids.
    """
    parts = [(name, _counts(drawn, true)) for name, drawn, true in shared_masks(masks, reference)]
    regions = list(dict.fromkeys(one for _, part in parts for one in part.indexes["region"]))
    # In mL, not voxels: slices of neighbouring slabs differ in thickness.
    alike = [voxel_ml(name) * part.reindex(region=regions, fill_value=0) for name, part in parts]
    common, volume, expected = xr.concat(alike, dim="slab", join="exact").sum("slab").transpose("count", ...)
    total = volume + expected
    found = 2 * common / total.where(total > 0)
    for own, strays in ((volume, stray_masks(masks, reference)), (expected, stray_masks(reference, masks))):
        for _, stray in strays:
            elsewhere = (stray != 0).any(GRID).reindex_like(found, fill_value=False)
            found = found.where((own > 0) | ~elsewhere)
    for tree in (masks, reference):
        for node in tree.children.values():
            if "given" in node:
                given = node.to_dataset()["given"].reset_coords(drop=True)
                found = found.where(given.reindex_like(found, fill_value=True))
    named: xr.DataArray = found.rename("dice").assign_attrs(units="1", long_name="Dice coefficient")
    return named


def _counts(drawn: xr.DataArray, true: xr.DataArray) -> xr.DataArray:
    whole = dict.fromkeys(GRID, -1)
    found: xr.DataArray = xr.apply_ufunc(
        _count, drawn.chunk(whole), true.chunk(whole), input_core_dims=[GRID, GRID], output_core_dims=[("count",)],
        vectorize=True, dask="parallelized", output_dtypes=[np.float64],
        dask_gufunc_kwargs={"output_sizes": {"count": 3}},
    )  # fmt: skip
    return found


def _count(mask: Mask, reference: Mask) -> npt.NDArray[np.float64]:
    """Voxels in both, in the mask, in the reference."""
    inside, expected = mask.astype(np.bool_), reference.astype(np.bool_)
    return np.array([np.count_nonzero(one) for one in (inside & expected, inside, expected)], np.float64)
