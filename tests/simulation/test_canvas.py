from __future__ import annotations

import numpy as np
import pytest

from bmx.simulation.canvas import SUBSLICES, Canvas
from bmx.simulation.solids import sphere

SHAPE = (20, 48, 64)
AFFINE = np.array([[-2.0, 0, 0, 63], [0, -2.0, 0, 47], [0, 0, 4.5, -42.75]])


def test_finish__keeps_the_signal_of_what_was_painted() -> None:
    """Phantom: a ball of 30 mm holds its volume times its signal, and its fat fraction, despite partial volume."""
    canvas = Canvas(SHAPE, AFFINE)
    ball = canvas.distance(canvas.everything, sphere, (0, 0, 0), 30)
    canvas.paint(canvas.everything, ball, signal=0.8, fat_percent=70)
    water, fat = canvas.finish()
    assert water.shape == fat.shape == SHAPE
    voxel = 2.0 * 2.0 * 4.5
    assert float(fat.sum() + water.sum()) * voxel == pytest.approx(0.8 * 4 / 3 * np.pi * 30**3, rel=0.02)
    assert 100 * fat.sum() / (fat.sum() + water.sum()) == pytest.approx(70, abs=1e-3)


def test_paint__covers_what_was_there() -> None:
    """Later tissues lie over earlier ones; outside a solid nothing changes."""
    canvas = Canvas(SHAPE, AFFINE)
    ball = canvas.distance(canvas.everything, sphere, (0, 0, 0), 25)
    canvas.paint(canvas.everything, ball, signal=1.0, fat_percent=95)
    canvas.paint(canvas.everything, ball + 12, signal=0.5, fat_percent=5)
    core, shell, air = ball < -15, (ball > -9) & (ball < -3), ball > 3
    np.testing.assert_allclose(canvas.fat[core], 0.025, atol=1e-6)
    np.testing.assert_allclose(canvas.fat[shell], 0.95, atol=1e-6)
    assert not canvas.fat[air].any()


def test_mask__holds_the_voxels_whose_centre_lies_inside() -> None:
    """Oracle: the sphere's equation at native voxel centres, through the affine; up to the averaging of two slices."""
    canvas = Canvas(SHAPE, AFFINE)
    box = canvas.box((4, -6, 3), (34, 34, 34))
    assert box is not None
    mask = canvas.mask(box, canvas.distance(box, sphere, (4, -6, 3), 30))
    z, y, x = np.indices(SHAPE)
    world = AFFINE @ np.stack([x, y, z, np.ones_like(x)]).reshape(4, -1)
    distance = (np.linalg.norm(world - np.array([[4], [-6], [3]]), axis=0) - 30).reshape(SHAPE)
    clear = np.abs(distance) > 0.1
    np.testing.assert_array_equal(mask[clear], distance[clear] < 0)


def test_box__is_cut_at_the_grid_and_holds_whole_slices() -> None:
    """A bone that leaves the slab is painted as far as the slab goes."""
    canvas = Canvas(SHAPE, AFFINE)
    box = canvas.box((60, 0, 44), (20, 10, 10))
    assert box is not None
    z, y, x = box
    assert (z.start % SUBSLICES, z.stop % SUBSLICES, z.stop) == (0, 0, SHAPE[0] * SUBSLICES)
    assert x.start == 0
    assert np.all(np.abs(canvas.y[y]) <= 10)
    assert canvas.box((0, 0, 200), (20, 10, 10)) is None
