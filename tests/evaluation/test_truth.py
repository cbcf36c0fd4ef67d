from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from bmx.errors import SchemaError
from bmx.evaluation import compare_to_truth, dice_per_participant
from bmx.measurement import measure
from tests.evaluation.test_comparison import across_slabs, move_down


def bmff(values: list[list[float]], *, first: int = 0, regions: tuple[str, ...] = ("spine", "total_hip")) -> xr.Dataset:
    data = np.array(values, np.float32)
    return xr.Dataset(
        {"bmff": (("participant", "region"), data, {"units": "%"})},
        coords={"participant": first + np.arange(len(data)), "region": list(regions)},
    )


def test_compare_to_truth__counts_and_measures_by_region() -> None:
    table = compare_to_truth(bmff([[41, 80], [36, np.nan], [50, 82]]), bmff([[40, 80], [40, 80], [40, np.nan]]))
    spine, hip = table.loc["spine"], table.loc["total_hip"]
    assert (spine["n"], spine["missing"], hip["n"], hip["missing"]) == (3, 0, 1, 1)
    assert spine["bias"] == pytest.approx((1 - 4 + 10) / 3)
    assert spine["mean_absolute_error"] == pytest.approx(5)
    assert (spine["worst"], hip["worst"]) == (10, 0)


def test_compare_to_truth__matches_by_label_not_by_place() -> None:
    results = bmff([[10, 1], [20, 2], [30, 3]])
    truth = bmff([[3, 30], [2, 20], [9, 90]], regions=("total_hip", "spine")).assign_coords(participant=[2, 1, 7])
    table = compare_to_truth(results, truth)
    assert table["n"].tolist() == [2, 2]
    assert (table["worst"] == 0).all()


def test_compare_to_truth__of_a_region_without_values_is_nan() -> None:
    table = compare_to_truth(bmff([[np.nan, 1]]), bmff([[40, 1]]))
    assert table.loc["spine", ["n", "missing"]].tolist() == [0, 1]
    assert table.loc["spine", ["bias", "mean_absolute_error", "worst"]].isna().all()


def test_compare_to_truth__refuses_other_participants() -> None:
    with pytest.raises(SchemaError, match=r"have no participant in common; .* found participant 0 and 5, 6"):
        compare_to_truth(bmff([[1, 1]]), bmff([[1, 1], [1, 1]], first=5))


def test_compare_to_truth__of_the_toy_cohort_is_close(toy_cohort: Callable) -> None:
    slabs, masks = toy_cohort(participants=3)
    results = measure(slabs, masks=masks, recipe="none")
    known = (40 + 10 * np.arange(4) + np.arange(3)[:, None]).astype(np.float32)
    truth = xr.Dataset({"bmff": results["bmff"].copy(data=known)})
    assert (compare_to_truth(results, truth)["worst"] < 0.05).all()


def test_dice_per_participant__is_lazy_and_right(toy_cohort: Callable, max_computes: Callable) -> None:
    _, masks = toy_cohort(participants=3)
    other = masks.copy(deep=True)
    hips = masks["slab_4"].to_dataset(inherit=False).compute()
    hips["mask"][0, 0] = 0  # empty in one
    hips["mask"][1, 0, 2:4] = 0  # half of it
    other["slab_4"] = xr.DataTree(hips)
    with max_computes(0):
        found = dice_per_participant(other, masks)
    assert found.sizes == {"participant": 3, "region": 4}
    head = found.sel(region="femoral_head").values
    np.testing.assert_allclose(head, [0, 2 * 50 / 150, 1])
    assert (found.drop_sel(region="femoral_head") == 1).all()


def test_dice_per_participant__has_each_region_once(toy_cohort: Callable, max_computes: Callable) -> None:
    """The masks of a run hold each femoral region in slab 4 and in slab 5, empty in one of them."""
    _, masks = toy_cohort(participants=2)
    everywhere = across_slabs(masks)
    move_down(everywhere, 0, "total_hip")
    with max_computes(0):
        found = dice_per_participant(everywhere.chunk(participant=1), everywhere.chunk(participant=1))
    assert list(found["region"].values) == ["spine", "femoral_head", "total_hip", "femoral_diaphysis"]
    assert (found == 1).all()
    # The other has the hip in slab 4 alone: nothing to compare with.
    for pair in (everywhere, masks), (masks, everywhere):
        hip = dice_per_participant(*pair).sel(region="total_hip").values
        np.testing.assert_array_equal(hip, [np.nan, 1])


def test_dice_per_participant__takes_what_both_have(toy_cohort: Callable) -> None:
    _, masks = toy_cohort(participants=4)
    some = masks.isel(participant=[3, 1])
    del some["slab_5"]
    found = dice_per_participant(masks, some)
    assert set(found["participant"].values) == {1_000_001, 1_000_003}
    assert list(found["region"].values) == ["spine", "femoral_head", "total_hip"]


def test_dice_per_participant__refuses_two_grids(toy_cohort: Callable) -> None:
    _, masks = toy_cohort(participants=1)
    with pytest.raises(SchemaError, match=r"slab_2: .* one grid \(z, y, x\), found \(10, 16, 18\) and \(9, 16, 18\)"):
        dice_per_participant(masks, masks.isel(z=slice(1, None)))


def test_dice_per_participant__refuses_strangers(toy_cohort: Callable) -> None:
    _, masks = toy_cohort(participants=2)
    with pytest.raises(SchemaError, match="have no participant with the same region"):
        dice_per_participant(masks.isel(participant=[0]), masks.isel(participant=[1]))
