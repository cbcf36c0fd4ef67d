from __future__ import annotations

import numpy as np
import pytest

from bmx.core.femur_axes import Shaft, Side, bone_surface, depth_inside, find_head, find_shaft, neck_end
from bmx.simulation.anatomy.femur import Femur
from bmx.simulation.bodies import draw_body
from bmx.simulation.painting.femur import femur_box, femur_surface
from bmx.simulation.painting.grid import Grid
from bmx.simulation.people import draw_people, person_at
from bmx.types import Affine, Mask

AFFINE: Affine = np.array([[-2.232143, 0, 0, -25], [0, -2.232143, 0, 80], [0, 0, 4.0, -230]])


@pytest.fixture(scope="module")
def femur() -> Femur:
    return draw_body(person_at(draw_people(1, 3), 0), 3).femora[0]


@pytest.fixture(scope="module")
def bone(femur: Femur) -> Mask:
    """A left femur from above the hip to the middle of its shaft."""
    grid = Grid((72, 72, 68), AFFINE)
    box = femur_box(grid, femur)
    assert box is not None
    return grid.mask(box, grid.distance(box, femur_surface, femur))


def cylinder(radius: float, slices: int = 40) -> Mask:
    y, x = np.indices((72, 68)) - np.array([36, 34])[:, None, None]
    return np.tile(np.hypot(x, y) * 2.232143 < radius, (slices, 1, 1))


def test_depth_inside__is_finer_than_a_voxel() -> None:
    """Less than half a voxel of 2.2 mm off, where the nearest voxel outside misses by a whole one."""
    for radius in (12.0, 13.1, 14.0, 15.3):
        mask = cylinder(radius)
        y, x = np.indices(mask.shape[1:]) - np.array([36, 34])[:, None, None]
        true = radius - np.hypot(x, y) * 2.232143
        inner = mask[20] & (true > 3)
        assert np.abs(depth_inside(mask, AFFINE)[20][inner] - true[inner]).max() < 1.0
        # The ends of the image are not the ends of the bone.
        np.testing.assert_allclose(depth_inside(mask, AFFINE)[0], depth_inside(mask, AFFINE)[20], atol=0.05)


def test_bone_surface__lies_on_the_bone() -> None:
    """All around, and nowhere at the image's ends."""
    points = bone_surface(cylinder(14.0), AFFINE)
    middle = AFFINE[:2, 3] + AFFINE[[0, 1], [0, 1]] * [34, 36]
    distance = np.linalg.norm(points[:, :2] - middle, axis=1)
    assert np.abs(distance - 14).max() < 1.2
    assert distance.mean() == pytest.approx(14, abs=0.3)


def test_find_head__finds_centre_and_radius(bone: Mask, femur: Femur) -> None:
    """To a quarter of a millimetre: a tenth of a voxel."""
    head = find_head(bone, AFFINE, depth_inside(bone, AFFINE), "left", find_shaft(bone, AFFINE))
    assert head is not None
    assert np.abs(head.centre - femur.head).max() < 0.25
    assert head.radius == pytest.approx(femur.head_radius, abs=0.25)


def test_find_shaft__and_the_neck_meet_where_the_bone_was_drawn(bone: Mask, femur: Femur) -> None:
    """The mark from which the lesser trochanter is reckoned."""
    shaft = find_shaft(bone, AFFINE)
    assert shaft is not None
    assert shaft.radius == pytest.approx(femur.shaft_radius, abs=0.8)
    assert np.all(np.diff(shaft.heights) > 0)
    head = find_head(bone, AFFINE, depth_inside(bone, AFFINE), "left", shaft)
    assert head is not None
    assert np.abs(neck_end(bone, AFFINE, head, shaft) - femur.neck_end).max() < 2.5


def test_find_shaft__needs_25_mm_that_are_alike() -> None:
    """A cone has no shaft, nor has a short piece, nor a bone in two."""
    cone = np.concatenate([cylinder(radius, 1) for radius in np.linspace(12, 40, 20)])
    assert find_shaft(cone, AFFINE) is None
    assert find_shaft(cylinder(14, 5), AFFINE) is None
    broken = cylinder(14)
    broken[20] = False
    assert find_shaft(broken, AFFINE) is None
    assert isinstance(find_shaft(cylinder(14), AFFINE), Shaft)


@pytest.mark.parametrize("side", ["left", "right"])
def test_find_head__a_shaft_is_no_head(side: Side) -> None:
    """Where the bone ends within the image, too: a stump."""
    stump = np.concatenate([cylinder(18), np.zeros((6, 72, 68), np.bool_)])
    assert find_head(stump, AFFINE, depth_inside(stump, AFFINE), side, find_shaft(stump, AFFINE)) is None
