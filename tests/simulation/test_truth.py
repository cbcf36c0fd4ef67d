from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bmx.regions import REGIONS
from bmx.schema import validate
from bmx.simulation.bodies import SimulatedSlab, simulate_participant
from bmx.simulation.people import draw_people, person_at
from bmx.simulation.truth import create_truth, open_truth, regions_in, true_bmff, write_bmff, write_masks
from tests.conftest import MaxComputes


def test_open_truth__is_laid_out_like_masks_and_results(simulated: Path, max_computes: MaxComputes) -> None:
    """So that whatever draws or tabulates a run also draws and tabulates the truth; lazy."""
    with max_computes(0):
        truth = open_truth(simulated)
        results = truth["results"].to_dataset()
        validate(truth, "participant", "mask")
        validate(results, "participant", "region", "bmff")
    assert truth.attrs["simulated"] is True
    assert truth["participant"].to_numpy().tolist() == draw_people(4, 1)["eid"].tolist()
    assert results["region"].to_numpy().tolist() == ["femoral_diaphysis"]
    assert results["bmff"].attrs["units"] == "%"


def test_open_truth__holds_the_masks_and_fat_fraction_of_each_participant(simulated: Path) -> None:
    """Each row is its own participant's, whichever worker wrote it."""
    truth, people = open_truth(simulated), draw_people(4, 1)
    region = REGIONS["femoral_diaphysis"]
    for row in (0, 3):
        slab = simulate_participant(person_at(people, row), (5,), 1)[5]
        stored = truth["slab_5/mask"][row, 0].to_numpy()
        np.testing.assert_array_equal(stored[: len(slab.masks[region.name])], slab.masks[region.name])
        assert not stored[len(slab.masks[region.name]) :].any()
        assert float(truth["results/bmff"][row, 0]) == pytest.approx(true_bmff(slab, region), abs=1e-4)


def test_create_truth__puts_each_participant_into_shards_of_its_own(tmp_path: Path) -> None:
    """Workers write at the same time; who has no mask costs no bytes."""
    path = tmp_path / "truth.zarr"
    create_truth(path, (7, 8, 9), (2, 3, 4))
    assert sorted(one.name for one in path.iterdir() if one.is_dir()) == ["participant", "slab_2", "slab_4"]
    masks = {"femoral_head": np.zeros((44, 174, 224), bool), "total_hip": np.ones((44, 174, 224), bool)}
    empty = np.zeros((44, 174, 224), np.float32)
    write_masks(path, 1, {4: SimulatedSlab({}, np.eye(3, 4), masks, empty)})
    write_bmff(path, np.full((3, 3), 50, np.float32), regions_in((2, 3, 4)))
    mask = open_truth(tmp_path)["slab_4/mask"]
    assert mask.sum(["z", "y", "x"]).to_numpy().tolist() == [[0, 0], [0, 44 * 174 * 224], [0, 0]]
    assert [one.name for one in (path / "slab_4/mask").glob("c.*")] == ["c.1.0.0.0.0"]


def test_true_bmff__is_the_mean_over_the_eroded_mask() -> None:
    """As it is measured: the spine loses a voxel all round in the plane, the diaphysis nothing."""
    percent = np.full((4, 9, 9), 20, np.float32)
    percent[:, 3:6, 3:6] = 80
    mask = np.zeros((4, 9, 9), bool)
    mask[:, 2:7, 2:7] = True
    slab = SimulatedSlab({}, np.eye(3, 4), dict.fromkeys(REGIONS, mask), percent)
    assert true_bmff(slab, REGIONS["spine"]) == pytest.approx(80)
    assert true_bmff(slab, REGIONS["femoral_diaphysis"]) == pytest.approx((9 * 80 + 16 * 20) / 25)
    thin = np.zeros_like(mask)
    thin[:, 4, 4] = True
    assert np.isnan(true_bmff(SimulatedSlab({}, np.eye(3, 4), {"spine": thin}, percent), REGIONS["spine"]))


def test_regions_in__are_those_of_the_slabs_in_their_order() -> None:
    """Slabs without a region are none of their business."""
    assert [region.name for region in regions_in((5, 1, 4))] == ["femoral_head", "total_hip", "femoral_diaphysis"]
    assert regions_in((1, 3, 6)) == ()
