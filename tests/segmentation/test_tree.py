from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.core.preparation import prepare
from bmx.errors import ModelError, SchemaError
from bmx.measurement import measure
from bmx.models import from_callable
from bmx.models.library import load_models
from bmx.regions import REGIONS, region_spacing
from bmx.segmentation import segment
from bmx.simulation.bodies import SimulatedSlab, simulate_participant
from bmx.simulation.people import draw_people, person_at
from bmx.variables import SLAB_STATUS
from tests.cohorts import write_models
from tests.conftest import MaxComputes, make_toy_cohort

DEPTH, PIXEL, _ = region_spacing(REGIONS["femoral_diaphysis"])
AFFINE = np.array([[-PIXEL, 0, 0, 0], [0, -PIXEL, 0, 0], [0, 0, DEPTH, 0]])
"""Of slab 5: what has other voxels is resampled."""


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    """The order of sums decides the last bits of a network's output."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def slabs() -> xr.DataTree:
    """Three participants with tiny slabs 2, 4 and 5."""
    return make_toy_cohort(participants=3)[0]


@pytest.fixture(scope="module")
def thighs() -> SimulatedSlab:
    """Slab 5 of one simulated participant: a body with air around it."""
    return simulate_participant(person_at(draw_people(1, 3), 0), (5,), 3)[5]


def drawn(masks: xr.DataTree) -> dict[str, np.ndarray]:
    return {name: node["mask"].to_numpy() for name, node in masks.children.items()}


def test_segment__computes_nothing(slabs: xr.DataTree, untrained: Path, max_computes: MaxComputes) -> None:
    """A graph of 100,000 participants is made on a laptop; the weights are not even read."""
    with max_computes(0):
        masks = segment(slabs, models=untrained)
        measure(slabs, masks=masks)
    assert all(node["mask"].chunks is not None for node in masks.children.values())


def test_segment__masks_lie_on_the_grid_of_their_slab(slabs: xr.DataTree, untrained: Path) -> None:
    """Each slab holds its own regions and those of its neighbours, in their fixed order, with what drew them."""
    masks = segment(slabs, models=untrained)
    models = load_models(untrained)
    found = {name: node["region"].to_numpy().tolist() for name, node in masks.children.items()}
    assert found == {
        "slab_2": ["spine"],
        "slab_4": ["femoral_head", "total_hip", "femoral_diaphysis"],
        "slab_5": ["femoral_head", "total_hip", "femoral_diaphysis"],
    }
    for name, node in masks.children.items():
        mask, fat = node["mask"], slabs[f"{name}/fat"]
        assert mask.dims == ("participant", "region", "z", "y", "x")
        assert (mask.dtype, mask.shape[2:]) == (np.dtype("uint8"), fat.shape[1:])
        assert mask.chunks is not None
        assert fat.chunks is not None
        assert mask.chunks[0] == fat.chunks[0]
        assert set(np.unique(mask)) <= {0, 1}
        assert node["model"].to_numpy().tolist() == [models[region].digest for region in found[name]]
    np.testing.assert_array_equal(masks["participant"], slabs["participant"])
    assert drawn(masks)["slab_5"].any()


@pytest.mark.parametrize("chunked", [True, False])
def test_segment__names_the_participant_at_whom_a_model_fails(chunked: bool) -> None:
    """Of a hundred thousand; the region, too, and its side."""
    slabs = make_toy_cohort(participants=3)[0]
    slabs = slabs if chunked else slabs.load()
    second = slabs["slab_4"].to_dataset().isel(participant=1)
    acquired = second.isel(z=slice(int(second["native_slices"])))
    signal = float((acquired["fat"].astype(float) + acquired["water"]).sum())

    def fails(image: np.ndarray, affine: np.ndarray) -> np.ndarray:
        if image.sum(dtype=float) == signal:
            raise RuntimeError("no femur in this image")
        return np.zeros(image.shape, int)

    model = from_callable(fails, region="femoral_head", name="fails", version="1", simulated=True)

    def results() -> None:
        asked = {"regions": ["femoral_head"], "side": "right", "neighbours": False, "swaps": False}
        masks = segment(slabs, models={"femoral_head": model}, **asked)  # type: ignore[arg-type]
        measure(slabs, masks=masks).compute(scheduler="synchronous")

    with pytest.raises(RuntimeError, match="no femur in this image") as failed:
        results()
    eid = int(slabs["participant"][1])
    assert f"while drawing femoral_head_right of participant {eid} in slab 4" in failed.value.__notes__


def test_segment__draws_only_what_was_asked_for(slabs: xr.DataTree, untrained: Path) -> None:
    """And no slab without a region; the order of asking doesn't matter, as `measure` has its own."""
    masks = segment(slabs, models=untrained, regions=["femoral_diaphysis", "total_hip"])
    assert list(masks.children) == ["slab_4", "slab_5"]
    assert masks["slab_4/region"].to_numpy().tolist() == ["total_hip", "femoral_diaphysis"]
    whole = segment(slabs, models=untrained)
    np.testing.assert_array_equal(drawn(masks)["slab_4"], drawn(whole)["slab_4"][:, 1:])
    alone = segment(slabs, models=untrained, regions=["total_hip"], neighbours=False)
    assert list(alone.children) == ["slab_4"]


@settings(max_examples=8)
@given(cuts=st.sets(st.integers(1, 3)), order=st.permutations(range(4)))
def test_segment__any_chunks_and_order_give_the_same_masks(untrained: Path, cuts: set[int], order: list[int]) -> None:
    """Property: a participant's mask depends on that participant alone."""
    slabs, _ = make_toy_cohort(participants=4, chunk=None)
    models = load_models(untrained)
    borders = [0, *sorted(cuts), 4]
    chunks = tuple(int(length) for length in np.diff(borders))
    expected = drawn(segment(slabs, models=models, regions=["femoral_head"]))["slab_4"]
    other = slabs.isel(participant=order).chunk({"participant": chunks})
    found = drawn(segment(other, models=models, regions=["femoral_head"]))["slab_4"]
    np.testing.assert_array_equal(found, expected[order])


@pytest.mark.parametrize("status", ["absent", "unreadable", "withdrawn"])
def test_segment__a_slab_that_is_not_there_gives_an_empty_mask(untrained: Path, status: str) -> None:
    """Whatever stands in the images: they are fill."""
    slabs, _ = make_toy_cohort(participants=3, chunk=None)
    slabs["slab_5/slab_status"][1] = SLAB_STATUS[status]
    mask = drawn(segment(slabs, models=untrained))["slab_5"]
    assert not mask[1].any()
    assert mask[0].any()
    assert mask[2].any()


def test_segment__an_incomplete_slab_is_drawn(untrained: Path) -> None:
    """One lost slice isn't a lost participant."""
    slabs, _ = make_toy_cohort(participants=1, chunk=None)
    whole = drawn(segment(slabs, models=untrained))["slab_5"]
    slabs["slab_5/slab_status"][0] = SLAB_STATUS["incomplete"]
    np.testing.assert_array_equal(drawn(segment(slabs, models=untrained))["slab_5"], whole)


def test_segment__slices_beyond_the_acquired_ones_stay_empty(slabs: xr.DataTree, untrained: Path) -> None:
    """The z axis of a store is longer than an exam; the network must not see the fill."""
    acquired = slabs["slab_5/native_slices"].to_numpy()
    mask = drawn(segment(slabs, models=untrained, neighbours=False))["slab_5"]
    for row, count in enumerate(acquired):
        assert not mask[row, :, count:].any()
        volume = slabs["slab_5"].isel(participant=row)
        model = load_models(untrained)["femoral_diaphysis"]
        fat, water = (volume[name].to_numpy()[:count] for name in ("fat", "water"))
        alone = model.draw(fat, water, volume["affine"].to_numpy()).mask
        np.testing.assert_array_equal(mask[row, 0, :count], alone)


def test_draw__lies_in_the_crop_to_the_body(thighs: SimulatedSlab, untrained: Path) -> None:
    """On the grid of the whole slab, and nothing in the air beside the body."""
    model = load_models(untrained)["femoral_diaphysis"]
    mask = model.draw(thighs.images["fat"], thighs.images["water"], AFFINE).mask
    box = prepare(thighs.images["fat"], thighs.images["water"]).box
    assert mask.shape == thighs.images["fat"].shape
    assert mask.any()
    assert mask[box].sum() == mask.sum()
    assert mask[box].size < 0.9 * mask.size


def test_draw__is_not_moved_by_a_fat_water_swap(thighs: SimulatedSlab, untrained: Path) -> None:
    """The network sees F + W: exchanged images give the very same mask."""
    model = load_models(untrained)["femoral_diaphysis"]
    fat, water = thighs.images["fat"], thighs.images["water"]
    np.testing.assert_array_equal(model.draw(fat, water, AFFINE).mask, model.draw(water, fat, AFFINE).mask)


def test_draw__of_nothing_is_nothing(untrained: Path) -> None:
    """A slab of zeros has no brightness to scale by, and whatever a network sees in it is not there."""
    empty = np.zeros((8, 40, 48), np.uint16)
    mask = load_models(untrained)["femoral_diaphysis"].draw(empty, empty, AFFINE).mask
    assert mask.shape == empty.shape
    assert not mask.any()


def test_segment__refuses_simulated_models_on_people(slabs: xr.DataTree, untrained: Path, tmp_path: Path) -> None:
    """Unless asked for, and then the results say so; models from people need no leave, nor do simulated people."""
    people = slabs.copy()
    people.attrs["simulated"] = False
    with pytest.raises(ModelError, match=r"models of spine, .* simulated anatomy.*or say allow_simulated=True"):
        segment(people, models=untrained)
    unknown = slabs.copy()
    del unknown.attrs["simulated"]
    with pytest.raises(ModelError, match="simulated anatomy"):
        segment(unknown, models=untrained)
    asked_for = segment(people, models=untrained, allow_simulated=True)
    assert asked_for.attrs == {"simulated": False, "models_simulated": True}
    assert measure(people, masks=asked_for).attrs["models_simulated"] == 1
    own = segment(people, models=write_models(tmp_path, simulated=False))
    assert measure(people, masks=own).attrs["models_simulated"] == 0
    assert segment(slabs, models=untrained).attrs == {"simulated": True, "models_simulated": True}


def test_segment__refuses_a_region_whose_slab_is_not_there(slabs: xr.DataTree, untrained: Path) -> None:
    """A store with slab 5 alone can't give a spine; without being asked, it gives what it has."""
    legs = slabs.filter(lambda node: node.name in (None, "slab_5"))
    with pytest.raises(ModelError, match="spine cannot be drawn: it lies in slab 2, and the store has slabs 5; conv"):
        segment(legs, models=untrained, regions=["spine"])
    with pytest.raises(ValueError, match=r"no region is called 'femur'; expected one of spine"):
        segment(legs, models=untrained, regions=["femur"])
    assert list(segment(legs, models=untrained).children) == ["slab_5"]


def test_segment__refuses_a_model_of_another_region(slabs: xr.DataTree, untrained: Path, tmp_path: Path) -> None:
    """In a folder it isn't found; in a mapping it is found out."""
    write_models(tmp_path, regions=["spine"])
    with pytest.raises(ModelError, match=r"no model of femoral_head in .*, which has spine; train one"):
        segment(slabs, models=tmp_path, regions=["femoral_head"])
    spine = load_models(untrained)["spine"]
    with pytest.raises(ModelError, match="the model given for femoral_head is a model of spine"):
        segment(slabs, models={"femoral_head": spine}, regions=["femoral_head"])


def test_segment__refuses_slabs_without_water(slabs: xr.DataTree, untrained: Path) -> None:
    """A store converted with fat alone."""
    fat_alone = slabs.copy()
    fat_alone["slab_4"] = fat_alone["slab_4"].to_dataset().drop_vars("water")
    with pytest.raises(SchemaError, match=r"slab_4/water: expected uint16 \(participant, z, y, x\), found nothing"):
        segment(fat_alone, models=untrained)


def test_segment__tells_where_fat_and_water_are_exchanged(
    thighs: SimulatedSlab, untrained: Path, max_computes: MaxComputes
) -> None:
    """Of two people who differ in nothing else; what is drawn on F + W is the same."""
    slabs, _ = make_toy_cohort(participants=2, chunk=None)
    old = slabs["slab_5"].to_dataset(inherit=False)
    fat, water = thighs.images["fat"], thighs.images["water"]
    images = {"fat": np.stack([fat, water]), "water": np.stack([water, fat])}
    new = {name: (("participant", "z", "y", "x"), values, old[name].attrs) for name, values in images.items()}
    kept = old.drop_vars(["fat", "water"]).assign(new)
    kept = kept.assign(
        native_slices=kept["native_slices"].copy(data=np.full(2, len(fat), np.int16)),
        affine=kept["affine"].copy(data=np.stack([thighs.affine] * 2)),
    )
    tree = xr.DataTree.from_dict({"/": slabs.to_dataset(), "/slab_5": kept}).chunk(participant=1)
    with max_computes(0):
        masks = segment(tree, models=untrained, regions=["femoral_diaphysis"])
    found = masks["slab_5"].to_dataset().compute()
    assert not found["swap"][0].any()
    assert (found["swap"][1] == 1).all()
    np.testing.assert_array_equal(found["mask"][0], found["mask"][1])
    without = segment(tree, models=untrained, regions=["femoral_diaphysis"], swaps=False)
    assert "swap" not in without["slab_5"]
