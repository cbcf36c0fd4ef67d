from __future__ import annotations

import numpy as np
import pytest

from bmx.core.dixon_signal import Echoes, two_point_fat_percent
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.grid import Grid
from bmx.simulation.painting.solids import sphere
from bmx.simulation.painting.tissues import DixonPalette

SHAPE = (20, 48, 64)
AFFINE = np.array([[-2.0, 0, 0, 63], [0, -2.0, 0, 47], [0, 0, 4.5, -42.75]])


def canvas() -> Canvas:
    return Canvas(SHAPE, AFFINE, DixonPalette())


def test_finish__keeps_the_signal_of_what_was_painted() -> None:
    """Phantom: a ball of 30 mm holds its volume times its signal, and its fat fraction, despite partial volume."""
    drawn = canvas()
    ball = drawn.distance(drawn.everything, sphere, (0, 0, 0), 30)
    drawn.paint(drawn.everything, ball, "marrow", fat_percent=70)
    painted = drawn.finish()
    assert painted.shape == (4, *SHAPE)
    full = float(painted[0].max())
    assert float(painted[0].sum()) * 2.0 * 2.0 * 4.5 == pytest.approx(full * 4 / 3 * np.pi * 30**3, rel=0.02)
    shown = two_point_fat_percent(Echoes(*painted))
    np.testing.assert_allclose(shown[painted[0] > 0.05 * full], 70, atol=0.2)


def test_paint__covers_what_was_there() -> None:
    """Later tissues lie over earlier ones; outside a solid nothing changes."""
    drawn = canvas()
    ball = drawn.distance(drawn.everything, sphere, (0, 0, 0), 25)
    drawn.paint(drawn.everything, ball, "fat")
    shell_before = drawn.painted[:, (ball > -9) & (ball < -3)].copy()
    drawn.paint(drawn.everything, ball + 12, "muscle")
    np.testing.assert_array_equal(drawn.painted[:, (ball > -9) & (ball < -3)], shell_before)
    core = drawn.painted[:, ball < -15]
    muscle = np.array(DixonPalette().colours("muscle", None), np.float32)
    np.testing.assert_allclose(core, np.broadcast_to(muscle[:, None], core.shape), atol=1e-6)
    assert not drawn.painted[:, ball > 3].any()


def test_paint__takes_a_field_of_fat_fractions() -> None:
    """Marbled marrow: every point shows its own fat fraction, also where only a part of the box is touched."""
    drawn = canvas()
    box = drawn.around((10, -6, 3), 38)
    assert box is not None
    ball = drawn.distance(box, sphere, (10, -6, 3), 20)
    percent = np.broadcast_to(np.linspace(20, 90, ball.shape[2], dtype=np.float32), ball.shape)
    drawn.paint(box, ball, "marrow", fat_percent=percent)
    shown = two_point_fat_percent(Echoes(*drawn.painted))[box]
    np.testing.assert_allclose(shown[ball < -3], percent[ball < -3], atol=0.2)


def test_mask__holds_the_voxels_whose_centre_lies_inside() -> None:
    """Oracle: the sphere's equation at voxel centres, through the affine; up to the averaging of fine points."""
    grid = Grid(SHAPE, AFFINE)
    box = grid.around((4, -6, 3), 34)
    assert box is not None
    mask = grid.mask(box, grid.distance(box, sphere, (4, -6, 3), 30))
    z, y, x = np.indices(SHAPE)
    world = AFFINE @ np.stack([x, y, z, np.ones_like(x)]).reshape(4, -1)
    distance = (np.linalg.norm(world - np.array([[4], [-6], [3]]), axis=0) - 30).reshape(SHAPE)
    clear = np.abs(distance) > 0.1
    np.testing.assert_array_equal(mask[clear], distance[clear] < 0)


@pytest.mark.parametrize("fine", [(2, 1, 1), (1, 1, 3), (1, 2, 1)])
def test_box__is_cut_at_the_grid_and_holds_whole_voxels(fine: tuple[int, int, int]) -> None:
    """A bone that leaves the slab is painted as far as the slab goes."""
    grid = Grid(SHAPE, AFFINE, fine=fine)
    box = grid.around((60, 0, 44), (20, 10, 10))
    assert box is not None
    for side, parts, length in zip(box, fine, SHAPE, strict=True):
        assert (side.start % parts, side.stop % parts) == (0, 0)
        assert 0 <= side.start < side.stop <= length * parts
    assert box[0].stop == SHAPE[0] * fine[0]
    assert box[2].start == 0
    assert grid.around((0, 0, 200), 20) is None
