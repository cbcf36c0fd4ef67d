from __future__ import annotations

import numpy as np
import pytest

from bmx.core.column_borders import find_borders
from bmx.core.column_line import ColumnLine, column_line
from bmx.core.geometry import Points, to_world
from bmx.types import Affine, Mask

AFFINE: Affine = np.array([[-2.5, 0, 0, 60], [0, -2.5, 0, 40], [0, 0, 3.0, 0]])


def arc(heights: Points) -> Points:
    """A scoliosis that leans by 24 degrees at most: middles (n, 3) mm at these heights."""
    return np.column_stack([10 * np.sin(heights / 22), np.full(len(heights), 5.0), heights])


def bent_column(gaps: tuple[float, ...] = ()) -> Mask:
    """A column of 15 mm radius along the arc, 0 to 150 mm, with gaps of 6 mm at these heights."""
    places = to_world(AFFINE, np.moveaxis(np.indices((51, 32, 48)), 0, -1))
    middle = arc(places[..., 2].ravel()).reshape(places.shape)
    mask = np.linalg.norm((places - middle)[..., :2], axis=-1) < 15
    for gap in gaps:
        mask &= np.abs(places[..., 2] - gap) > 3
    return mask


def test_column_line__runs_through_the_middle_of_a_bent_column() -> None:
    """Smoothing over half a vertebra must not cut the corners: within 2.5 mm of a curve that swings by 20."""
    line = column_line(bent_column(), AFFINE)
    inner = line.points[(line.points[:, 2] > 15) & (line.points[:, 2] < 135)]
    assert np.abs(inner - arc(inner[:, 2])).max() < 2.5
    np.testing.assert_allclose(np.linalg.norm(line.tangents, axis=1), 1)
    assert (line.tangents[:, 2] > 0.7).all()


def test_project__measures_along_and_aside() -> None:
    """On a straight line both are plain differences, between its points as well as at them."""
    points = np.column_stack([np.zeros(50), np.zeros(50), np.arange(50.0)])
    line = ColumnLine(points, np.tile([0.0, 0, 1], (50, 1)))
    along, aside = line.project(np.array([[3.0, 4, 20.25], [0, 0, 7]]))
    np.testing.assert_allclose(along, [20.25, 7])
    np.testing.assert_allclose(aside, [5, 0], atol=0.06)


def test_filled__is_the_share_of_a_disc() -> None:
    """A cylinder of half the disc's radius fills a quarter of it; outside the array there is nothing."""
    mask = np.zeros((20, 61, 61), np.bool_)
    y, x = np.indices((61, 61)) - 30
    mask[:] = np.hypot(x, y) < 10
    affine = np.array([[1.0, 0, 0, -30], [0, 1, 0, -30], [0, 0, 1, 0]])
    points = np.column_stack([np.zeros(30), np.zeros(30), np.arange(30.0)])
    filled = ColumnLine(points, np.tile([0.0, 0, 1], (30, 1))).filled(mask, affine, 20.0)
    assert filled[10] == pytest.approx(0.25, abs=0.04)
    assert (filled[21:] == 0).all()


def test_find_borders__lie_in_the_gaps() -> None:
    """Clear gaps are borders wherever they are, equal distances or not."""
    gaps = (30.0, 52.0, 88.0, 124.0)
    mask = bent_column(gaps)
    line = column_line(mask, AFFINE)
    found = find_borders(line, mask, AFFINE)[1:-1]
    expected, _ = line.project(arc(np.array(gaps)))
    assert len(found) == len(gaps)
    assert np.abs(found - expected).max() < 3
