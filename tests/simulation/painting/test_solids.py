from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmx.simulation.painting.solids import (
    Field,
    Point,
    axis_distance,
    cylinder,
    ellipse,
    ellipsoid,
    intersection,
    segment,
    sphere,
    union,
)

coordinate = st.floats(-40, 40, width=32)
points = st.tuples(coordinate, coordinate, coordinate)
radius = st.floats(3, 30, width=32)
radii = st.tuples(radius, radius, radius)

RNG = np.random.default_rng(0)
CLOUD = RNG.uniform(-60, 60, (3, 400)).astype(np.float32)
"""x, y, z of points everywhere."""
_DIRECTIONS = RNG.standard_normal((3, 4000))
UNIT = _DIRECTIONS / np.linalg.norm(_DIRECTIONS, axis=0)
"""Points all over the unit sphere."""


def nearest(surface: np.ndarray) -> np.ndarray:
    """Brute force: distance of each point of the cloud to the nearest of a surface's points (3, n)."""
    gaps: np.ndarray = np.linalg.norm(CLOUD[:, :, None] - surface[:, None, :], axis=0).min(axis=1)
    return gaps


def unmistakable(value: np.ndarray) -> np.ndarray:
    """Points for which rounding can't decide on which side they lie."""
    return np.abs(value) > 1e-3


@given(centre=points, size=radius)
def test_sphere__is_the_exact_distance(centre: Point, size: float) -> None:
    """Oracle: the norm."""
    expected = np.linalg.norm(CLOUD - np.array(centre)[:, None], axis=0) - size
    np.testing.assert_allclose(sphere(*CLOUD, centre, size), expected, atol=1e-3)


@given(centre=points, sizes=radii)
def test_ellipsoid__is_negative_exactly_inside(centre: Point, sizes: Point) -> None:
    """Oracle: the equation of the ellipsoid."""
    level = (((CLOUD - np.array(centre)[:, None]) / np.array(sizes)[:, None]) ** 2).sum(axis=0) - 1
    clear = unmistakable(level)
    np.testing.assert_array_equal(np.sign(ellipsoid(*CLOUD, centre, sizes))[clear], np.sign(level)[clear])


@given(centre=points, sizes=st.tuples(*[st.floats(12, 24, width=32)] * 3))
def test_ellipsoid__is_nearly_the_distance_close_to_its_surface(centre: Point, sizes: Point) -> None:
    """Brute force over 4,000 surface points: partial volume and cortex are painted by this distance."""
    middle = np.array(centre)[:, None]
    surface = middle + np.array(sizes)[:, None] * UNIT
    normal = UNIT / np.array(sizes)[:, None]
    normal /= np.linalg.norm(normal, axis=0)
    for step in (-1.0, 1.0, 2.0):
        at = (surface + step * normal).astype(np.float32)
        np.testing.assert_allclose(ellipsoid(*at, centre, sizes), step, atol=0.45)


def test_ellipsoid__of_equal_radii_is_a_sphere() -> None:
    """And agrees with brute force."""
    found = ellipsoid(*CLOUD, (1, 2, 3), (20, 20, 20))
    np.testing.assert_allclose(found, sphere(*CLOUD, (1, 2, 3), 20), atol=1e-3)
    far = found > 10
    np.testing.assert_allclose(found[far], nearest(np.array([[1], [2], [3]]) + 20 * UNIT)[far], atol=1)


@given(start=points, end=points)
def test_segment__is_the_distance_to_the_nearest_of_its_points(start: Point, end: Point) -> None:
    """Brute force along the segment; the position along it is that of the nearest point."""
    if np.linalg.norm(np.subtract(end, start)) < 1:
        return
    share = np.linspace(0, 1, 2001)
    line = np.array(start)[:, None] * (1 - share) + np.array(end)[:, None] * share
    np.testing.assert_allclose(segment(*CLOUD, start, end), nearest(line), atol=0.05)
    distance, along = axis_distance(*CLOUD, start, end)
    foot = np.array(start)[:, None] * (1 - along) + np.array(end)[:, None] * along
    np.testing.assert_allclose(np.linalg.norm(CLOUD - foot, axis=0), distance, atol=1e-2)
    assert along.min() >= 0
    assert along.max() <= 1


@given(centre=points, wide=radius, deep=radius)
def test_cylinder__is_an_ellipse_at_every_height(centre: Point, wide: float, deep: float) -> None:
    """Negative exactly inside; z does not matter."""
    x, y, z = CLOUD
    found = cylinder(x, y, z, centre, wide, deep)
    level = ((x - centre[0]) / wide) ** 2 + ((y - centre[1]) / deep) ** 2 - 1
    clear = unmistakable(level)
    np.testing.assert_array_equal(np.sign(found)[clear], np.sign(level)[clear])
    np.testing.assert_array_equal(found, cylinder(x, y, z + 7, centre, wide, deep))
    np.testing.assert_allclose(found, ellipse(x - np.float32(centre[0]), y - np.float32(centre[1]), wide, deep))


def two_solids() -> tuple[Field, Field]:
    return sphere(*CLOUD, (-10, 0, 0), 20), sphere(*CLOUD, (12, 5, 0), 18)


@pytest.mark.parametrize(("join", "rule"), [(union, np.logical_or), (intersection, np.logical_and)])
def test_union__and_intersection_hold_what_they_say(join: Callable[..., Field], rule: np.ufunc) -> None:
    """Inside any, inside all."""
    one, other = two_solids()
    np.testing.assert_array_equal(join(one, other) < 0, rule(one < 0, other < 0))
    np.testing.assert_array_equal(join(one), one)


@given(blend=st.floats(0.5, 12, width=32))
def test_union__blending_fills_the_seam_and_nothing_else(blend: float) -> None:
    """Nothing is taken away, at most a quarter of the blend is added, and nothing where only one solid is near."""
    one, other = two_solids()
    sharp, soft = union(one, other), union(one, other, blend=blend)
    assert np.all(soft <= sharp + 1e-4)
    assert np.all(soft >= sharp - blend / 4 - 1e-4)
    apart = np.abs(one - other) > blend
    np.testing.assert_allclose(soft[apart], sharp[apart], atol=1e-4)
