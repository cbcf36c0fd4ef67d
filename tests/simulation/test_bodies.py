from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from bmx.acquisition import CONTRASTS, SLABS
from bmx.core.geometry import centroid
from bmx.regions import REGIONS, Region
from bmx.simulation.anatomy.body import draw_anatomy
from bmx.simulation.bodies import LANDMARK_MM, Placement, SimulatedSlab, draw_body, image_body, simulate_participant
from bmx.simulation.people import draw_people, person_at
from bmx.simulation.recipes import true_bmff

SEED = 5
Body = dict[int, SimulatedSlab]


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return draw_people(2, SEED)


@pytest.fixture(scope="module")
def bodies(people: pd.DataFrame) -> list[Body]:
    """Two people in slabs 2 to 5."""
    return [simulate_participant(person_at(people, row), (2, 3, 4, 5), SEED) for row in range(len(people))]


def test_simulate_participant__each_slab_is_the_same_whichever_are_asked_for(
    people: pd.DataFrame, bodies: list[Body]
) -> None:
    """Training makes one slab, an exam six: both must show the same person, to the last voxel."""
    alone = simulate_participant(person_at(people, 0), (5,), SEED)[5]
    together = bodies[0][5]
    np.testing.assert_array_equal(alone.affine, together.affine)
    np.testing.assert_array_equal(alone.fat_percent, together.fat_percent)
    for contrast in CONTRASTS:
        np.testing.assert_array_equal(alone.images[contrast], together.images[contrast])
    np.testing.assert_array_equal(alone.masks["femoral_diaphysis"], together.masks["femoral_diaphysis"])


def test_simulate_participant__other_people_and_seeds_look_different(people: pd.DataFrame, bodies: list[Body]) -> None:
    """Otherwise a test set would be the training set."""
    other = simulate_participant(person_at(people, 0), (5,), SEED + 1)[5]
    for one in (other, bodies[1][5]):
        assert (one.images["fat"] != bodies[0][5].images["fat"]).mean() > 0.5


def test_simulate_participant__gives_the_grid_and_images_of_the_protocol(bodies: list[Body]) -> None:
    """Shape, spacing, 12 bits, all four contrasts, in which in = W + F and opposed = |W - F| up to noise."""
    for number, slab in bodies[0].items():
        grid = SLABS[number]
        assert set(slab.images) == set(CONTRASTS)
        for image in slab.images.values():
            assert (image.dtype, image.shape) == (np.uint16, (grid.slices, grid.rows, grid.columns))
            assert image.max() <= 4095
        assert slab.affine[2, 2] == grid.slice_mm
        assert set(slab.masks) == {region.name for region in REGIONS.values() if region.slab == number}
        fat, water, in_phase, opposed = (
            slab.images[name].astype(float) for name in ("fat", "water", "in_phase", "opposed_phase")
        )
        body = in_phase > 0.3 * np.percentile(in_phase, 99)
        assert np.median(np.abs(in_phase - water - fat)[body]) < 0.1 * np.median(in_phase[body])
        assert np.median(np.abs(opposed - np.abs(water - fat))[body]) < 0.1 * np.median(in_phase[body])


@pytest.mark.parametrize("region", REGIONS.values(), ids=REGIONS)
def test_simulate_participant__marrow_has_the_fat_fraction_that_was_drawn(
    people: pd.DataFrame, bodies: list[Body], region: Region
) -> None:
    """Masks lie inside the bone: with cortex or muscle in them, their mean would be far from what was painted."""
    for row, body in enumerate(bodies):
        slab = body[region.slab]
        mask = slab.masks[region.name]
        assert mask.sum() > 50
        assert true_bmff(slab, region)["none"] == pytest.approx(people[f"bmff_{region.name}"][row], abs=4)
        measured = 100 * slab.images["fat"][mask].sum() / (slab.images["fat"][mask] + slab.images["water"][mask]).sum()
        assert measured == pytest.approx(people[f"bmff_{region.name}"][row], abs=6)


def test_simulate_participant__masks_do_not_overlap(bodies: list[Body]) -> None:
    """A voxel belongs to the head or to the hip."""
    for body in bodies:
        assert not (body[4].masks["femoral_head"] & body[4].masks["total_hip"]).any()


def test_simulate_participant__regions_lie_where_they_do_in_people(bodies: list[Body]) -> None:
    """Left femur at negative x of RAS+, head above hip above shaft; the spine near the middle, in 5 to 8 pieces."""
    for body in bodies:
        centre = {
            region.name: centroid(body[region.slab].masks[region.name], body[region.slab].affine)
            for region in REGIONS.values()
        }
        for name in ("femoral_head", "total_hip", "femoral_diaphysis"):
            assert -140 < centre[name][0] < -50, name
        assert abs(centre["spine"][0]) < 15
        assert centre["total_hip"][0] < centre["femoral_head"][0]
        assert centre["spine"][2] > centre["femoral_head"][2] > centre["total_hip"][2] > centre["femoral_diaphysis"][2]
        assert 5 <= ndimage.label(body[2].masks["spine"])[1] <= 8
        for name in ("femoral_head", "total_hip", "femoral_diaphysis"):
            assert ndimage.label(body[REGIONS[name].slab].masks[name])[1] == 1


@pytest.mark.parametrize("upper", [2, 3, 4])
def test_simulate_participant__neighbouring_slabs_show_one_body(bodies: list[Body], upper: int) -> None:
    """In their overlap outlines, bones and muscle agree; breathing moves organs by some millimetres."""
    for body in bodies:
        above, below = body[upper], body[upper + 1]
        pairs = overlapping(above, below)
        assert len(pairs) >= 3
        for one, other in pairs:
            inside, also = ~np.isnan(one), ~np.isnan(other)
            assert 2 * (inside & also).sum() / (inside.sum() + also.sum()) > 0.95
            difference = np.abs(one - other)[inside & also]
            assert np.median(difference) < 3
            assert (difference < 15).mean() > 0.6


def overlapping(above: SimulatedSlab, below: SimulatedSlab) -> list[tuple[np.ndarray, np.ndarray]]:
    """Fat fraction in percent of slices of both that lie at the same height, cut to the rows that both have."""
    heights = [slab.affine[2, 3] + slab.affine[2, 2] * np.arange(len(slab.fat_percent)) for slab in (above, below)]
    rows = min(above.fat_percent.shape[1], below.fat_percent.shape[1])
    cut = [
        slab.fat_percent[:, (slab.fat_percent.shape[1] - rows) // 2 :][:, :rows] for slab in (above, below)
    ]  # centred alike
    gaps = np.abs(heights[0][:, None] - heights[1][None, :])
    return [(cut[0][i], cut[1][j]) for i, j in zip(*np.nonzero(gaps < 1.01), strict=True)]


def test_image_body__a_shifted_exam_shows_the_same_body_elsewhere(people: pd.DataFrame) -> None:
    """Begun 40 mm too high, the hips lie 40 mm lower in the scanner; 110 mm too low, part of them is lost."""
    person = person_at(people, 0)
    anatomy = draw_body(person, SEED)
    plain, moved, lost = (
        image_body(anatomy, person, (4,), SEED, placement=Placement(shift))[4] for shift in (0.0, -40.0, 110.0)
    )
    head = [centroid(slab.masks["femoral_head"], slab.affine)[2] for slab in (plain, moved)]
    assert head[1] - head[0] == pytest.approx(-40, abs=1)
    assert plain.coverage["femoral_head"] == 1
    assert lost.coverage["femoral_head"] < 0.5
    assert lost.masks["femoral_head"].sum() == pytest.approx(
        lost.coverage["femoral_head"] * plain.masks["femoral_head"].sum(), rel=0.1, abs=30
    )


def test_image_body__another_visit_shows_the_same_bones(people: pd.DataFrame) -> None:
    """Repeat-scan reproducibility needs one body twice: placed and breathing anew, of equal size and fat fraction."""
    person = person_at(people, 1)
    anatomy = draw_body(person, SEED)
    one, other = (image_body(anatomy, person, (5,), SEED, scan=scan)[5] for scan in (0, 1))
    shaft = REGIONS["femoral_diaphysis"]
    assert (one.images["fat"] != other.images["fat"]).mean() > 0.5
    assert one.masks[shaft.name].sum() == pytest.approx(other.masks[shaft.name].sum(), rel=0.12)
    assert true_bmff(one, shaft)["none"] == pytest.approx(true_bmff(other, shaft)["none"], abs=0.7)


def test_image_body__tall_people_have_their_hips_lower(people: pd.DataFrame) -> None:
    """They are placed by the collar bones; the slabs don't know how long a person is."""
    person = person_at(people, 0)
    tall, short = (draw_body(person | {"height": height}, SEED) for height in (196.0, 150.0))
    heads = []
    for anatomy in (tall, short):
        slab = image_body(anatomy, person, (4,), SEED)[4]
        heads.append(centroid(slab.masks["femoral_head"], slab.affine)[2])
    assert heads[1] - heads[0] == pytest.approx(LANDMARK_MM * (tall.size - short.size), abs=4)


def test_draw_anatomy__has_the_distances_of_the_papers_people() -> None:
    """Hip to hip 178 mm and hip to knee 406 mm at 170 cm; bones grow with height; left and right differ."""
    people = draw_people(120, 3)
    drawn = [draw_anatomy(person_at(people, row), np.random.default_rng(row)) for row in range(len(people))]
    scale = people["height"].to_numpy(float) / 170
    left, right = ([body.femora[side] for body in drawn] for side in (0, 1))
    apart = np.array([one.head[0] - other.head[0] for one, other in zip(right, left, strict=True)])
    assert np.mean(apart / scale**0.8) == pytest.approx(178, abs=1.5)
    assert np.mean([-femur.knee[2] for femur in left] / scale) == pytest.approx(406, abs=3)
    assert all(femur.head[0] < 0 and femur.side == -1 for femur in left)
    assert np.corrcoef(scale, [femur.head_radius for femur in left])[0, 1] > 0.5
    assert all(one.head_radius != other.head_radius for one, other in zip(left, right, strict=True))
    for body in drawn:
        heights = [vertebra.centre[2] for vertebra in body.spine.vertebrae]
        assert all(high > low for high, low in pairwise(heights))
