from __future__ import annotations

import numpy as np
import pytest

from bmx.simulation.anatomy.contours import Contour
from bmx.simulation.painting.sections import contour_distance


def contour(half: float, front: float, back: float, power: float) -> Contour:
    made = [np.full(2, value, float) for value in (half, half, front, back, (front + back) / 2, power, power)]
    return Contour(np.array([-100.0, 100.0]), *made)


def grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    axis = np.linspace(-150, 150, 151, dtype=np.float32)
    return axis[None, None, :], axis[None, :, None], np.zeros((1, 1, 1), np.float32)


def test_contour_distance__is_exact_for_a_circle() -> None:
    """Oracle: the distance to a circle of 80 mm around y = 10."""
    x, y, z = grid()
    found = contour_distance(x, y, z, contour(80, 90, -70, 2.0))
    expected = np.hypot(x, y - 10) - 80
    np.testing.assert_allclose(found, expected, atol=0.2)


@pytest.mark.parametrize("power", [2.0, 2.4, 3.0])
def test_contour_distance__is_good_near_any_outline(power: float) -> None:
    """Oracle: the nearest of many points of the outline, 12 mm to either side of it; corners are allowed more."""
    x, y, z = grid()
    found = contour_distance(x, y, z, contour(120, 90, -80, power))[0]
    turn = np.linspace(0, 2 * np.pi, 4000)
    cos, sin = np.cos(turn), np.sin(turn)
    outline = np.stack(
        [120 * np.sign(cos) * np.abs(cos) ** (2 / power), 5 + 85 * np.sign(sin) * np.abs(sin) ** (2 / power)]
    )
    points = np.stack([np.broadcast_to(x[0], found.shape), np.broadcast_to(y[0], found.shape)], axis=-1)
    near = np.abs(found) < 12
    nearest = np.min(np.linalg.norm(points[near][:, :, None] - outline, axis=1), axis=1)
    error = np.abs(np.abs(found[near]) - nearest) / np.maximum(nearest, 1)
    assert np.quantile(error, 0.95) < 0.02
