from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from bmx.errors import SchemaError
from bmx.measurement import measure
from bmx.plot.cases import open_places, read_case
from bmx.variables import SLAB_STATUS

EID = 1_000_001


def test_read_case__gives_what_was_measured(toy_cohort: Callable) -> None:
    slabs, masks = toy_cohort(participants=2)
    results = measure(slabs, masks=masks)
    case = read_case(open_places(slabs, results, masks), EID, "total_hip")
    assert case is not None
    slab = slabs["slab_4"].to_dataset().sel(participant=EID).compute()
    count = int(slab["native_slices"])
    np.testing.assert_array_equal(case.images["fat"], slab["fat"][:count])
    np.testing.assert_array_equal(case.total, slab["fat"][:count].astype(float) + slab["water"][:count])
    mask = masks["slab_4"]["mask"].sel(participant=EID, region="total_hip")[:count]
    np.testing.assert_array_equal(case.mask, mask)
    inside = case.percent[case.mask]
    assert np.isfinite(inside).all()
    assert abs(inside.mean() - float(results["bmff"].sel(participant=EID, region="total_hip"))) < 5


def test_read_case__exchanges_back_what_was_swapped(toy_cohort: Callable) -> None:
    """The picture must show what the number was measured on."""
    slabs, masks = toy_cohort(participants=2)
    plain = read_case(open_places(slabs, measure(slabs, masks=masks), masks), EID, "total_hip")
    node = masks["slab_4"].to_dataset(inherit=False)
    swap = xr.zeros_like(slabs["slab_4"]["fat"], dtype=np.uint8).compute()
    swap[:, 10:20] = 1
    masks["slab_4"] = xr.DataTree(node.assign(swap=swap))
    found = read_case(open_places(slabs, measure(slabs, masks=masks), masks), EID, "total_hip")
    assert plain is not None
    assert found is not None
    np.testing.assert_array_equal(found.images["fat"][10:20], plain.images["water"][10:20])
    np.testing.assert_array_equal(found.images["water"][:10], plain.images["water"][:10])


def test_read_case__looks_in_the_slab_where_it_was_measured(toy_cohort: Callable) -> None:
    slabs, masks = toy_cohort(participants=2)
    lower = masks["slab_5"].to_dataset(inherit=False)
    hip = lower["mask"].isel(region=[0]).assign_coords(region=["total_hip"])
    masks["slab_5"] = xr.DataTree(xr.Dataset({"mask": xr.concat([lower["mask"], hip], dim="region")}))
    results = measure(slabs, masks=masks).compute()
    results["measured_slab"].loc[{"region": "total_hip"}] = 5
    case = read_case(open_places(slabs, results, masks), EID, "total_hip")
    assert case is not None
    assert case.slab == 5
    assert case.mask.any()


def test_read_case__has_nothing_of_a_slab_that_is_absent(toy_cohort: Callable) -> None:
    slabs, masks = toy_cohort(participants=2)
    broken = slabs["slab_5"].to_dataset(inherit=False).compute()
    broken["slab_status"][0], broken["native_slices"][0] = SLAB_STATUS["absent"], 0
    slabs["slab_5"] = xr.DataTree(broken)
    results = measure(slabs, masks=masks)
    assert read_case(open_places(slabs, results, masks), 1_000_000, "femoral_diaphysis") is None


def test_open_places__asks_where_the_masks_are(toy_cohort: Callable) -> None:
    slabs, masks = toy_cohort(participants=2)
    with pytest.raises(SchemaError, match="give masks="):
        open_places(slabs, measure(slabs, masks=masks), None)
