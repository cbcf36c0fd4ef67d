"""Signed distances to simple solids: negative inside, millimetres, exact or nearly so close to the surface."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.floating[Any]]
Point = tuple[float, float, float]
Axes = npt.NDArray[np.float64]
"""(3, 3) unit vectors as rows."""


def ellipsoid(x: Field, y: Field, z: Field, centre: Point, radii: Point) -> Field:
    """Distance to an ellipsoid with axes along x, y, z (first-order accurate near its surface)."""
    px, py, pz = x - np.float32(centre[0]), y - np.float32(centre[1]), z - np.float32(centre[2])
    rx, ry, rz = (np.float32(radius) for radius in radii)
    near = np.sqrt((px / rx) ** 2 + (py / ry) ** 2 + (pz / rz) ** 2)
    slope = np.sqrt((px / rx**2) ** 2 + (py / ry**2) ** 2 + (pz / rz**2) ** 2)
    distance: Field = near * (near - 1) / np.maximum(slope, np.float32(1e-6))
    return distance


def ellipse(x: Field, y: Field, radius_x: Field | float, radius_y: Field | float) -> Field:
    """Distance in the plane to an ellipse around the origin."""
    near = np.sqrt((x / radius_x) ** 2 + (y / radius_y) ** 2)
    slope = np.sqrt((x / radius_x**2) ** 2 + (y / radius_y**2) ** 2)
    distance: Field = near * (near - 1) / np.maximum(slope, np.float32(1e-6))
    return distance


def cylinder(x: Field, y: Field, z: Field, centre: Point, radius_x: float, radius_y: float) -> Field:
    """Distance to an endless elliptic cylinder along z."""
    side = ellipse(x - np.float32(centre[0]), y - np.float32(centre[1]), radius_x, radius_y)
    return np.broadcast_to(side, np.broadcast_shapes(side.shape, z.shape))


def sphere(x: Field, y: Field, z: Field, centre: Point, radius: float) -> Field:
    """Distance to a sphere.

    Examples
    --------
    >>> at = np.zeros(1, np.float32)
    >>> sphere(at, at, at + 30, (0, 0, 0), 24)
    array([6.], dtype=float32)
    """
    squared = (x - np.float32(centre[0])) ** 2 + (y - np.float32(centre[1])) ** 2 + (z - np.float32(centre[2])) ** 2
    distance: Field = np.sqrt(squared) - np.float32(radius)
    return distance


def axis_distance(x: Field, y: Field, z: Field, start: Point, end: Point) -> tuple[Field, Field]:
    """Distance to the segment from `start` to `end`, and the position along it (0 at start, 1 at end)."""
    direction = np.subtract(end, start).astype(np.float32)
    px, py, pz = x - np.float32(start[0]), y - np.float32(start[1]), z - np.float32(start[2])
    along = (px * direction[0] + py * direction[1] + pz * direction[2]) / np.float32(direction @ direction)
    along = np.clip(along, 0, 1)
    squared = (px - along * direction[0]) ** 2 + (py - along * direction[1]) ** 2 + (pz - along * direction[2]) ** 2
    return np.sqrt(squared), along


def segment(x: Field, y: Field, z: Field, start: Point, end: Point) -> Field:
    """Distance to the segment from `start` to `end`; less a radius, to a rod with round ends."""
    return axis_distance(x, y, z, start, end)[0]


def union(*solids: Field, blend: float = 0.0) -> Field:
    """Distance to the union; `blend` (mm) rounds the seams."""
    joined = solids[0]
    for solid in solids[1:]:
        if blend:
            mix = np.clip(0.5 + 0.5 * (solid - joined) / np.float32(blend), 0, 1)
            joined = solid * (1 - mix) + joined * mix - np.float32(blend) * mix * (1 - mix)
        else:
            joined = np.minimum(joined, solid)
    return joined


def intersection(*solids: Field) -> Field:
    """Distance to what all solids share."""
    shared = solids[0]
    for solid in solids[1:]:
        shared = np.maximum(shared, solid)
    return shared


def frustum(x: Field, y: Field, z: Field, start: Point, end: Point, radii: tuple[float, float]) -> Field:
    """Distance to a rod with round ends whose radius runs from `radii[0]` at `start` to `radii[1]` at `end`."""
    distance, along = axis_distance(x, y, z, start, end)
    return distance - (np.float32(radii[0]) + np.float32(radii[1] - radii[0]) * along)


def tube(x: Field, y: Field, z: Field, points: Sequence[Point], radius: float | Sequence[float]) -> Field:
    """Distance to a bent tube through some points; `radius` is one for all or one at each point."""
    radii = [radius] * len(points) if isinstance(radius, float | int) else list(radius)
    pieces = [
        frustum(x, y, z, start, end, (first, last))
        for (start, first), (end, last) in pairwise(zip(points, radii, strict=True))
    ]
    return union(*pieces)


def in_frame(x: Field, y: Field, z: Field, centre: Point, axes: Axes) -> tuple[Field, Field, Field]:
    """Coordinates along the three `axes` (unit vectors as rows) of a frame that is centred somewhere else."""
    px, py, pz = x - np.float32(centre[0]), y - np.float32(centre[1]), z - np.float32(centre[2])
    u, v, w = (np.float32(a[0]) * px + np.float32(a[1]) * py + np.float32(a[2]) * pz for a in axes)
    return u, v, w


def superellipse(x: Field, y: Field, radius_x: Field | float, radius_y: Field | float, power: float) -> Field:
    """Distance in the plane to a superellipse around the origin: power 2 is an ellipse, more is squarer."""
    near = ((np.abs(x) / radius_x) ** power + (np.abs(y) / radius_y) ** power) ** np.float32(1 / power)
    # Good enough near the surface: the shorter radius turns the ratio into millimetres.
    reach = np.hypot(x, y) / np.maximum(near, np.float32(1e-6))
    distance: Field = (near - 1) * np.where(near > 1e-6, reach, np.minimum(radius_x, radius_y))
    return distance
