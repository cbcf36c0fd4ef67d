from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from bmx.acquisition import SLABS
from bmx.core.dixon_signal import Separated
from bmx.evaluation import dice_per_participant
from bmx.regions import REGIONS, regions_of_slab
from bmx.schema import validate
from bmx.simulation.bodies import SimulatedSlab, simulate_participant
from bmx.simulation.faults.base import Fault
from bmx.simulation.labels import LABELS
from bmx.simulation.people import draw_people, person_at
from bmx.simulation.recipes import true_bmff
from bmx.simulation.truth import create_truth, describe, open_truth, regions_in, write_tables, write_volumes
from bmx.variables import variables_of
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
        assert float(truth["results/bmff"][row, 0]) == pytest.approx(true_bmff(slab, region)["none"], abs=1e-4)


def test_open_truth__tells_bones_swaps_and_fat_fraction_voxel_by_voxel(simulated: Path) -> None:
    """In every slab: labels with their names, fat fraction to half a hundredth of a percent, nothing swapped."""
    truth = open_truth(simulated)["slab_5"].to_dataset()
    slab = simulate_participant(person_at(draw_people(4, 1), 1), (5,), 1)[5]
    native = slice(len(slab.labels))
    np.testing.assert_array_equal(truth["labels"][1, native], slab.labels)
    meanings = dict(
        zip(truth["labels"].attrs["flag_meanings"].split(), truth["labels"].attrs["flag_values"], strict=True)
    )
    assert meanings == {"background": 0} | LABELS
    percent = truth["fat_fraction"][1, native].to_numpy()
    np.testing.assert_array_equal(np.isnan(percent), np.isnan(slab.fat_percent))
    np.testing.assert_allclose(percent, np.maximum(slab.fat_percent, 0.01), atol=0.0051)
    assert not truth["swapped"].any()


def test_open_truth__gives_bmff_by_recipe(simulated: Path) -> None:
    """What a perfect measurement by each recipe would give; the plain mean is `bmff`."""
    results = open_truth(simulated)["results"].to_dataset()
    validate(results, "bmff_recipe", "recipe", "coverage", "cause")
    assert results["recipe"].to_numpy().tolist() == ["mask_aware", "paper", "released_code", "none"]
    np.testing.assert_array_equal(results["bmff_recipe"].sel(recipe="none"), results["bmff"])
    slab = simulate_participant(person_at(draw_people(4, 1), 2), (5,), 1)[5]
    for recipe, value in true_bmff(slab, REGIONS["femoral_diaphysis"]).items():
        assert float(results["bmff_recipe"].sel(recipe=recipe)[2, 0]) == pytest.approx(value, abs=1e-3)
    assert (results["coverage"] == 1).all()
    assert set(results["cause"].to_numpy().ravel()) == {""}
    assert open_truth(simulated)["faults"].to_dataset().sizes["fault"] == 0


def made_up(slab: int, **changed: Any) -> SimulatedSlab:
    """A slab that is marrow all over."""
    grid = SLABS[slab]
    shape = (grid.slices, grid.rows, grid.columns)
    whole = np.ones(shape, np.float32)
    regions = [region.name for region in regions_of_slab(slab)]
    return SimulatedSlab(
        {}, np.eye(3, 4), dict.fromkeys(regions, whole > 0), Separated(whole, whole), np.full(shape, 22, np.uint8),
        **{"coverage": dict.fromkeys(regions, 1.0)} | changed,
    )  # fmt: skip


def test_create_truth__puts_each_participant_into_shards_of_its_own(tmp_path: Path) -> None:
    """Workers write at the same time; who has no mask costs no bytes. Slabs without a region have labels, no mask."""
    path = tmp_path / "truth.zarr"
    create_truth(path, (7, 8, 9), (2, 3, 4))
    assert sorted(one.name for one in path.iterdir() if one.is_dir()) == ["participant", "slab_2", "slab_3", "slab_4"]
    swapped = np.zeros((44, 174, 224), bool)
    swapped[3] = True
    slabs = {
        2: made_up(2),
        3: made_up(3),
        4: made_up(4, swapped=swapped, coverage={"femoral_head": 0.5, "total_hip": 0}),
    }
    write_volumes(path, 1, slabs)
    regions = regions_in((2, 3, 4))
    write_tables(path, [describe(eid, slabs, (), regions) for eid in (7, 8, 9)], regions)
    truth = open_truth(tmp_path)
    assert truth["slab_4/mask"].sum(["z", "y", "x"]).to_numpy().tolist() == [[0, 0], [44 * 174 * 224] * 2, [0, 0]]
    assert truth["slab_4/swapped"].sum(["z", "y", "x"]).to_numpy().tolist() == [0, 174 * 224, 0]
    assert "mask" not in truth["slab_3"]
    assert truth["slab_3/labels"].sum(["z", "y", "x"]).to_numpy().tolist() == [0, 22 * 44 * 174 * 224, 0]
    assert float(truth["slab_3/fat_fraction"][1, 0, 0, 0]) == 50
    assert np.isnan(truth["slab_3/fat_fraction"][0]).all()
    for name in ("mask", "labels", "swapped", "fat_fraction"):
        assert [one.name[:4] for one in (path / "slab_4" / name).glob("c.*")] == ["c.1."], name


def test_write_tables__labels_every_fault_and_what_it_can_cost(tmp_path: Path) -> None:
    """A row for each fault; by region, the cause that comes first."""
    create_truth(tmp_path / "truth.zarr", (7, 8), (2, 4), maps=False)
    slabs = {2: made_up(2), 4: made_up(4, coverage={"femoral_head": 0.5, "total_hip": 0.0})}
    regions = regions_in((2, 4))
    faults = (Fault("missing_slice", 2, "contrast=fat slices=3"), Fault("wrong_manifest"))
    write_tables(
        tmp_path / "truth.zarr", [describe(7, slabs, (), regions), describe(8, slabs, faults, regions)], regions
    )
    truth = open_truth(tmp_path)
    names = [variable.name for variable in variables_of("faults")]
    rows = validate(truth["faults"].to_dataset(inherit=False), *names)
    assert rows.to_dataframe()[names].to_numpy().tolist() == [
        [8, "missing_slice", 2, "contrast=fat slices=3", "data structure"], [8, "wrong_manifest", 0, "", ""]
    ]  # fmt: skip
    outside = ["partially outside", "fully outside"]
    assert truth["results/cause"].to_numpy().tolist() == [["", *outside], ["data structure", *outside]]
    assert truth["results/coverage"].to_numpy().tolist() == [[1, 0.5, 0]] * 2
    assert "fat_fraction" not in truth["slab_2"]


def test_open_truth__serves_as_masks_though_some_slabs_have_no_region(tmp_path: Path) -> None:
    """Whoever compares masks with the truth gives the whole tree."""
    create_truth(tmp_path / "truth.zarr", (7,), (3, 4), maps=False)
    slabs = {3: made_up(3), 4: made_up(4)}
    write_volumes(tmp_path / "truth.zarr", 0, slabs, maps=False)
    write_tables(tmp_path / "truth.zarr", [describe(7, slabs, (), regions_in((3, 4)))], regions_in((3, 4)))
    truth = open_truth(tmp_path)
    drawn = xr.DataTree.from_dict({"slab_4": truth["slab_4"].to_dataset()[["mask"]]})
    assert dice_per_participant(drawn, truth).to_numpy().tolist() == [[1, 1]]


def test_regions_in__are_those_of_the_slabs_in_their_order() -> None:
    """Slabs without a region are none of their business."""
    assert [region.name for region in regions_in((5, 1, 4))] == ["femoral_head", "total_hip", "femoral_diaphysis"]
    assert regions_in((1, 3, 6)) == ()
