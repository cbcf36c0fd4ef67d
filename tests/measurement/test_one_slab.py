from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from bmx.measurement import measure
from bmx.variables import RESULT_FLAGS, SLAB_STATUS
from tests.conftest import MaxComputes

Toy = Callable[..., tuple[xr.DataTree, xr.DataTree]]


@pytest.fixture
def moved(toy_cohort: Toy) -> tuple[xr.DataTree, xr.DataTree]:
    """Three participants; the second one's femoral head has its mask in slab 5, where the diaphysis is."""
    slabs, masks = toy_cohort(participants=3)
    own, beside = (masks[name].to_dataset(inherit=False).compute() for name in ("slab_4", "slab_5"))
    head = xr.zeros_like(beside["mask"]).assign_coords(region=["femoral_head"])
    head[1] = beside["mask"][1].to_numpy()
    own["mask"].loc[{"region": "femoral_head"}][1] = 0
    masks = masks.copy()
    masks["slab_4"] = xr.DataTree(own)
    masks["slab_5"] = xr.DataTree(xr.concat([xr.Dataset({"mask": head}), beside], dim="region"))
    return slabs, masks


def test_choose_slab__measures_where_the_mask_is(toy_cohort: Toy, moved: tuple[xr.DataTree, xr.DataTree]) -> None:
    """And says so; who has nothing in the other slab keeps every value."""
    slabs, masks = toy_cohort(participants=3)
    plain = measure(slabs, masks=masks, recipe="none").compute()
    found = measure(moved[0], masks=moved[1], recipe="none").compute()
    head, shaft = found.sel(region="femoral_head"), found.sel(region="femoral_diaphysis")
    assert head["measured_slab"].to_numpy().tolist() == [4, 5, 4]
    beside = head["flags"].to_numpy() & RESULT_FLAGS["adjacent_slab_used"]
    assert beside.astype(bool).tolist() == [False, True, False]
    for name in ("voxels", "volume", "centroid"):
        np.testing.assert_array_equal(head[name][1], shaft[name][1])
    assert float(head["bmff"][1]) == pytest.approx(float(shaft["bmff"][1]), abs=0.5)
    xr.testing.assert_identical(found.isel(participant=[0, 2]), plain.isel(participant=[0, 2]))
    xr.testing.assert_identical(found.drop_sel(region="femoral_head"), plain.drop_sel(region="femoral_head"))


def test_choose_slab__says_so_of_a_region_that_has_masks_in_another_slab_alone(
    moved: tuple[xr.DataTree, xr.DataTree],
) -> None:
    slabs, masks = moved
    masks["slab_4"] = xr.DataTree(masks["slab_4"].to_dataset(inherit=False).drop_sel(region="femoral_head"))
    head = measure(slabs, masks=masks).sel(region="femoral_head").compute()
    beside = head["flags"].to_numpy() & RESULT_FLAGS["adjacent_slab_used"]
    assert beside.astype(bool).tolist() == [False, True, False]  # of the others nobody drew anything


def test_choose_slab__of_nothing_anywhere_tells_what_its_own_slab_says(moved: tuple[xr.DataTree, xr.DataTree]) -> None:
    slabs, masks = moved
    masks["slab_5"]["mask"][1, 0] = 0
    gone = slabs["slab_4"].to_dataset(inherit=False).compute()
    gone["slab_status"][1] = SLAB_STATUS["absent"]
    slabs["slab_4"] = xr.DataTree(gone)
    found = measure(slabs, masks=masks).sel(region="femoral_head").compute()
    assert str(found["reason"][1].item()) == "the slab is absent"
    assert int(found["measured_slab"][1]) == 0


def test_choose_slab__computes_nothing(moved: tuple[xr.DataTree, xr.DataTree], max_computes: MaxComputes) -> None:
    """Or a task would start others on the cluster, more than its worker has memory for."""
    slabs, masks = moved
    drawn = {
        name: node.to_dataset(inherit=False).assign(model=("region", node["region"].to_numpy().astype(object)))
        for name, node in masks.children.items()
    }
    named = xr.DataTree.from_dict({"/": masks.to_dataset(), **{f"/{name}": one for name, one in drawn.items()}})
    with max_computes(0):
        results = measure(slabs.chunk(participant=1), masks=named.chunk(participant=1))
    assert results.compute()["model"].to_numpy().tolist() == results["region"].to_numpy().tolist()
