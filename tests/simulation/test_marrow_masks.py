from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.anatomy.spine import LEVELS
from bmx.simulation.bodies import draw_body
from bmx.simulation.labels import LABELS
from bmx.simulation.marrow_masks import DIAPHYSIS_LENGTH_MM, femur_masks, known_structures, spine_mask
from bmx.simulation.painting.femur import cortex_mm, femur_box, femur_surface
from bmx.simulation.painting.grid import Grid
from bmx.simulation.people import draw_people, person_at
from bmx.simulation.sizes import body_sizes


@pytest.fixture(scope="module")
def anatomy() -> Anatomy:
    return draw_body(person_at(draw_people(1, 5), 0), 5)


@pytest.fixture(scope="module")
def hips(anatomy: Anatomy) -> Grid:
    """Both femora on 2.5 mm cubes."""
    affine = np.array([[-2.5, 0, 0, 175], [0, -2.5, 0, 62.5], [0, 0, 2.5, -330]])
    return Grid((160, 51, 141), affine, fine=(1, 1, 1))


def test_femur_masks__lie_inside_the_marrow(anatomy: Anatomy, hips: Grid) -> None:
    """Well inside the cortex, as the paper drew them; head and hip don't meet."""
    femur = anatomy.femora[0]
    box = femur_box(hips, femur)
    assert box is not None
    bone = hips.distance(box, femur_surface, femur)
    depth = np.full(hips.shape, np.inf, np.float32)
    depth[box] = bone + cortex_mm(femur, hips.z[box[0]][:, None, None])
    masks = femur_masks(hips, femur)
    for mask in masks.values():
        assert mask.any()
        assert depth[mask].max() < -1
        assert ndimage.label(mask)[1] == 1
    assert not (masks["femoral_head"] & masks["total_hip"]).any()


def test_femur_masks__the_diaphysis_has_a_fixed_length_around_the_narrowest_section(
    anatomy: Anatomy, hips: Grid
) -> None:
    """Findable in the image: the canal is narrowest in the middle of the mask, in everybody."""
    femur = anatomy.femora[0]
    slices = np.flatnonzero(femur_masks(hips, femur)["femoral_diaphysis"].any(axis=(1, 2)))
    assert len(slices) * 2.5 == pytest.approx(DIAPHYSIS_LENGTH_MM, abs=2.6)
    assert hips.z[slices].mean() == pytest.approx(femur.isthmus_z, abs=2)
    box = femur_box(hips, femur)
    assert box is not None
    marrow = hips.distance(box, femur_surface, femur) + cortex_mm(femur, hips.z[box[0]][:, None, None])
    area = (marrow < 0).sum(axis=(1, 2))
    shaft = (hips.z[box[0]] < femur.isthmus_z + 90) & (hips.z[box[0]] > femur.isthmus_z - 90)
    narrowest = hips.z[box[0]][shaft][np.argmin(ndimage.uniform_filter1d(area[shaft].astype(float), 9))]
    assert abs(narrowest - femur.isthmus_z) < 25


def test_femur_masks__metal_leaves_no_marrow(anatomy: Anatomy, hips: Grid) -> None:
    """Where the signal is lost there is nothing to measure."""
    replaced = femur_masks(hips, replace(anatomy.femora[0], implant=True))
    assert not replaced["femoral_head"].any()
    assert replaced["femoral_diaphysis"].any()


def test_known_structures__every_vertebra_and_both_femora(anatomy: Anatomy) -> None:
    """All numbers occur somewhere in the body; left is at negative x."""
    affine = np.array([[-5.0, 0, 0, 200], [0, -4.0, 0, 90], [0, 0, 4.0, -300]])
    grid = Grid((230, 50, 81), affine, fine=(1, 1, 1))
    labels, masks = known_structures(grid, anatomy)
    assert set(np.unique(labels)) - {0} >= {LABELS[name] for name in LEVELS[2:]} | {LABELS["sacrum"]}
    for region in ("femoral_head", "total_hip"):
        left, right = (grid.x[np.nonzero(labels == LABELS[f"{region}_{side}"])[2]] for side in ("left", "right"))
        assert left.max() < 0 < right.min()
        np.testing.assert_array_equal(labels == LABELS[f"{region}_left"], masks[region])
    heights = [grid.z[np.nonzero(labels == LABELS[name])[0]].mean() for name in LEVELS[2:]]
    assert np.all(np.diff(heights) < 0)
    whole = np.isin(labels, [LABELS[name] for name in LEVELS])
    assert (spine_mask(grid, anatomy) & ~whole).sum() == 0


def test_body_sizes__come_near_the_papers() -> None:
    """Fig. 4A: volumes of the four masks; a femoral head is 40 to 55 mm wide; men are larger."""
    people = draw_people(40, 3)
    sizes = [body_sizes(person_at(people, row), 3) for row in range(len(people))]
    paper = {"spine": (2244, 438), "total_hip": (1248, 404), "femoral_head": (810, 286), "femoral_diaphysis": (100, 21)}
    for region, (mean, sd) in paper.items():
        found = np.array([one.voxels[region] for one in sizes])
        assert abs(found.mean() - mean) < 0.5 * sd, region
        assert 0.5 < found.std(ddof=1) / sd < 1.6, region
        male = (people["sex"] == "Male").to_numpy()
        assert found[male].mean() > 1.1 * found[~male].mean()
        assert np.corrcoef(found, people["height"].astype(float))[0, 1] > 0.3
    assert all(39 < one.head_width_mm < 56 for one in sizes)
    assert np.mean([one.hip_to_hip_mm for one in sizes]) == pytest.approx(178, abs=5)
