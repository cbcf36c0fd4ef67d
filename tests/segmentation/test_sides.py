from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from bmx.measurement import measure
from bmx.segmentation import choose_regions, segment
from tests.conftest import make_toy_cohort

FEMUR = ["femoral_head", "total_hip", "femoral_diaphysis"]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    """The order of sums decides the last bits of a network's output."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def slabs() -> xr.DataTree:
    """Two participants with tiny slabs 2, 4 and 5."""
    return make_toy_cohort(participants=2)[0]


def mirrored(slabs: xr.DataTree) -> xr.DataTree:
    """The same people, left and right exchanged."""
    nodes = {"/": slabs.to_dataset()}
    for name, node in slabs.children.items():
        slab = node.to_dataset(inherit=False)
        nodes[f"/{name}"] = slab.assign(
            {image: slab[image].isel(x=slice(None, None, -1)) for image in ("fat", "water")}
        )
    return xr.DataTree.from_dict(nodes)


def test_segment__draws_right_femora_as_left_ones_of_the_mirrored_body(slabs: xr.DataTree, untrained: Path) -> None:
    """No model has learned right femora: the two must agree to the voxel, and in what is measured."""
    there = mirrored(slabs)
    left, right = (segment(one, models=untrained, side=side) for one, side in ((there, "left"), (slabs, "right")))
    assert left["slab_5/mask"].to_numpy().any()
    for slab in ("slab_4", "slab_5"):
        assert right[f"{slab}/region"].to_numpy().tolist() == [f"{name}_right" for name in FEMUR]
        np.testing.assert_array_equal(right[f"{slab}/mask"], left[f"{slab}/mask"][..., ::-1])
        np.testing.assert_array_equal(right[f"{slab}/model"], left[f"{slab}/model"])
    np.testing.assert_array_equal(right["slab_2/mask"], segment(slabs, models=untrained)["slab_2/mask"])
    here, beyond = measure(slabs, masks=right), measure(there, masks=left)
    assert here["side"].to_numpy().tolist() == ["both", *["right"] * 3]
    for name in FEMUR:
        for value in ("bmff", "volume", "bmff_se"):
            np.testing.assert_allclose(
                here[value].sel(region=f"{name}_right"), beyond[value].sel(region=name), rtol=1e-6
            )
    assert not np.isnan(here["bmff"].sel(region="femoral_diaphysis_right")).all()


def test_segment__both_sides_are_each_as_they_are_alone(slabs: xr.DataTree, untrained: Path) -> None:
    both = measure(slabs, masks=segment(slabs, models=untrained, side="both"))
    assert both["region"].to_numpy().tolist() == ["spine", *FEMUR, *(f"{name}_right" for name in FEMUR)]
    for side in ("left", "right"):
        alone = measure(slabs, masks=segment(slabs, models=untrained, side=side))
        xr.testing.assert_identical(
            both.sel(region=alone["region"])[["bmff", "volume", "flags", "erosion"]].compute(),
            alone[["bmff", "volume", "flags", "erosion"]].compute(),
        )


def test_measure__a_correction_of_a_site_holds_on_both_sides(slabs: xr.DataTree, untrained: Path) -> None:
    """The scanner doesn't know sides; who does says so."""
    masks = segment(slabs, models=untrained, side="both", regions=["femoral_diaphysis"])
    plain = measure(slabs, masks=masks)["bmff"].compute()
    one = measure(slabs, masks=masks, correct={"femoral_diaphysis": (1.0, 2.0)})["bmff"]
    np.testing.assert_allclose(one, plain + 2, rtol=1e-6)
    each = {"femoral_diaphysis": (1.0, 2.0), "femoral_diaphysis_right": (1.0, 3.0)}
    np.testing.assert_allclose(measure(slabs, masks=masks, correct=each)["bmff"], plain + np.array([2, 3]), rtol=1e-6)


def test_choose_regions__takes_a_right_region_by_its_name(slabs: xr.DataTree) -> None:
    assert choose_regions(slabs, ["total_hip_right", "spine"]) == ["spine", "total_hip_right"]
    assert choose_regions(slabs, ["total_hip"], "both") == ["total_hip", "total_hip_right"]


def test_choose_regions__refuses_an_unknown_side(slabs: xr.DataTree) -> None:
    with pytest.raises(ValueError, match=r"side='rihgt' is no choice of femora; .*did you mean right\?"):
        choose_regions(slabs, None, "rihgt")  # type: ignore[arg-type]
