from __future__ import annotations

import numpy as np
import pytest

from bmx.plot.sheets import Sheet, sample

OBLIQUE = np.array([[-2.0, 0.1, 0.0, 12], [0.1, 2.0, 0.3, -7], [0.0, -0.4, 4.0, 3]])


def test_sample__finds_every_voxel_at_its_own_place() -> None:
    """Also where the axes are oblique and run against the world's."""
    volume = np.random.default_rng(0).integers(0, 900, (4, 5, 6)).astype(np.uint16)
    z, y, x = np.indices(volume.shape)
    points = np.stack([x, y, z, np.ones_like(x)], axis=-1) @ OBLIQUE.T
    np.testing.assert_allclose(sample(volume, OBLIQUE, points), volume, rtol=1e-5)


def test_sample__is_linear_between_and_zero_beyond_half_a_voxel() -> None:
    ramp = np.broadcast_to(np.arange(10, 15), (3, 4, 5))
    x = np.array([0.25, 3.9, -0.4, -0.6, 4.4, 4.6])
    points = np.column_stack([x, np.ones_like(x), np.ones_like(x)])
    np.testing.assert_allclose(sample(ramp, np.eye(3, 4), points), [10.25, 13.9, 10, 0, 14, 0], rtol=1e-6)


@pytest.mark.parametrize(("cut", "across", "up"), [(0, 1, 2), (1, 0, 2), (2, 0, 1)])
def test_points__begin_at_the_upper_left_corner_and_fall(cut: int, across: int, up: int) -> None:
    points = Sheet(cut, 7.0, across=(-20, 20), up=(100, 130)).points()
    assert points.shape == (30, 40, 3)
    np.testing.assert_allclose(points[..., cut], 7)
    np.testing.assert_allclose(points[0, :, across], np.arange(19.5, -20, -1))
    np.testing.assert_allclose(points[:, 0, up], np.arange(129.5, 100, -1))


def test_rows__are_those_between_two_heights() -> None:
    sheet = Sheet(1, 0.0, across=(0, 10), up=(100, 130))
    assert sheet.rows(110, 125) == slice(5, 20)
    assert sheet.rows(90, 140) == slice(0, 40)
    assert len(sheet.points()[sheet.rows(90, 140)]) == 30
