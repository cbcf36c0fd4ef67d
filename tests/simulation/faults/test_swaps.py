"""Fat-water swaps, seen in the written files by pydicom alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from bmx.acquisition import SLABS
from bmx.core.dixon_signal import Separated
from bmx.simulation.bodies import SimulatedSlab
from bmx.simulation.exam_zips import write_exam
from bmx.simulation.exams import plan_exam
from bmx.simulation.faults import swaps
from bmx.simulation.faults.base import Fault, FaultKind
from tests.exams import affine, images, read_with_pydicom_alone

X = affine(5)[0, 0] * np.arange(224) + affine(5)[0, 3]
NAMES = {"fat": "F", "water": "W", "in_phase": "in", "opposed_phase": "opp"}


def phantom(slab: int, apart_mm: float) -> SimulatedSlab:
    """Two discs in air as legs: 160 mm across, their middles this far from each other."""
    grid = SLABS[slab]
    y = 2.232143 * (np.arange(grid.rows) - grid.rows / 2)[:, None]
    legs = [np.hypot(X - side * apart_mm / 2, y) < 80 for side in (-1, 1)]
    body = np.broadcast_to(legs[0] | legs[1], (grid.slices, grid.rows, grid.columns)).astype(np.float32)
    return SimulatedSlab(images(slab), affine(slab), {}, Separated(body, body), np.zeros(body.shape, np.uint8))


@pytest.fixture(scope="module")
def legs() -> dict[int, SimulatedSlab]:
    """Slab 5 with thighs apart."""
    return {5: phantom(5, apart_mm=190)}


def written(slabs: dict[int, SimulatedSlab], folder: Path) -> dict[str, np.ndarray]:
    """The four images of slab 5 as the files have them."""
    exam = plan_exam(
        {n: slab.images for n, slab in slabs.items()}, {n: slab.affine for n, slab in slabs.items()}, seed=0
    )
    path = folder / "1000001_20201_2_0.zip"
    write_exam(path, exam)
    found = read_with_pydicom_alone(path)
    return {
        name: np.stack([image.pixel_array for image in next(v for k, v in found.items() if k.endswith(f"_{suffix}"))])
        for name, suffix in NAMES.items()
    }


@pytest.mark.parametrize("kind", swaps.KINDS, ids=lambda kind: kind.name)
def test_swaps__exchange_fat_and_water_where_the_truth_says(
    legs: dict[int, SimulatedSlab], tmp_path: Path, kind: FaultKind
) -> None:
    """Nowhere else; both echoes, and what was given, stay what they were."""
    swapped, label = kind.apply(legs, np.random.default_rng(1))
    files, clean, where = written(swapped, tmp_path), images(5), swapped[5].swapped
    assert where is not None
    assert where.any()
    np.testing.assert_array_equal(files["fat"], np.where(where, clean["water"], clean["fat"]))
    np.testing.assert_array_equal(files["water"], np.where(where, clean["fat"], clean["water"]))
    for name in ("in_phase", "opposed_phase"):
        np.testing.assert_array_equal(files[name], clean[name])  # type: ignore[index]
    assert (label.name, label.slab) == (kind.name, 5)
    assert label.value("voxels") in ("", str(where.sum()))
    assert legs[5].swapped is None
    np.testing.assert_array_equal(legs[5].images["fat"], clean["fat"])


def test_swap_slab__takes_every_voxel(legs: dict[int, SimulatedSlab]) -> None:
    """The air, too: the two images are exchanged as a whole."""
    swapped, label = swaps.swap_slab(legs, np.random.default_rng(0))
    assert label == Fault("swap_slab", 5)
    assert swapped[5].swapped is not None
    assert swapped[5].swapped.all()


@pytest.mark.parametrize("apart_mm", [190.0, 140.0])
def test_swap_leg__takes_one_leg_whole(apart_mm: float) -> None:
    """Right is positive x; touching thighs are cut at the midline. Both sides and both slabs occur."""
    slabs = {number: phantom(number, apart_mm) for number in (4, 5, 6)}
    seen = set()
    for seed in range(12):
        swapped, label = swaps.swap_leg(slabs, np.random.default_rng(seed))
        slab = swapped[label.slab]
        assert slab.swapped is not None
        mine = X < 0 if label.value("side") == "left" else X > 0
        np.testing.assert_array_equal(slab.swapped, np.isfinite(slab.fat_percent) & mine)
        seen.add((label.slab, label.value("side")))
    assert seen == {(5, "left"), (5, "right"), (6, "left"), (6, "right")}


def test_swap_blob__hangs_together_inside_the_body(legs: dict[int, SimulatedSlab]) -> None:
    """Of a size between a voxel and a leg, at another place each time."""
    body = np.isfinite(legs[5].fat_percent)
    blobs = [swaps.swap_blob(legs, np.random.default_rng(seed))[0][5].swapped for seed in range(4)]
    for blob in blobs:
        assert blob is not None
        assert not (blob & ~body).any()
        assert ndimage.label(blob)[1] == 1
        assert 0.002 < blob.sum() / body.sum() < 0.5
    assert len({blob.sum() for blob in blobs if blob is not None}) == 4


def test_swaps__twice_are_none(legs: dict[int, SimulatedSlab]) -> None:
    """The truth of two swaps in one slab is where exactly one of them was."""
    once, _ = swaps.swap_slab(legs, np.random.default_rng(0))
    twice, _ = swaps.swap_slab(once, np.random.default_rng(0))
    assert twice[5].swapped is not None
    assert not twice[5].swapped.any()
    np.testing.assert_array_equal(twice[5].images["fat"], legs[5].images["fat"])
    leg, _ = swaps.swap_leg(once, np.random.default_rng(0))
    clean, where = images(5), leg[5].swapped
    assert where is not None
    np.testing.assert_array_equal(leg[5].images["fat"], np.where(where, clean["water"], clean["fat"]))


def test_find_leg__gives_a_piece_to_the_side_of_most_of_it() -> None:
    """A hand that crosses the midline a little stays with its own side."""
    body = np.zeros((1, 20, 224), bool)
    body[0, 2:6, X < 8] = True
    body[0, 10:14, X > 20] = True
    left, right = (swaps.find_leg(body, affine(5), side) for side in ("left", "right"))
    assert left[0, 2:6].sum() == body[0, 2:6].sum()
    assert not right[0, 2:6].any()
    np.testing.assert_array_equal(left | right, body)


def test_draw_blob__stays_connected_at_the_border_of_a_volume() -> None:
    """Wherever its middle lies."""
    body = np.ones((12, 30, 30), bool)
    for seed in range(30):
        blob = swaps.draw_blob(body, np.array([4.5, 2.2, 2.2]), np.random.default_rng(seed))
        assert ndimage.label(blob)[1] == 1
