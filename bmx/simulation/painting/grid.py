"""A grid in body millimetres: where points lie, and which voxels a solid holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from bmx.simulation.painting.solids import Field, Point
from bmx.types import Affine, FloatVolume, Mask

Solid = Callable[..., Field]
"""Signed distance (mm) at broadcastable coordinates x, y, z, and what else describes the solid."""

Box = tuple[slice, slice, slice]
"""Index range of fine points (z, y, x)."""

FINE = (2, 1, 1)
"""Points per voxel along z, y and x: slices of the protocol are twice as thick as pixels are wide."""


class Grid:
    """Points of one slab, finer than its voxels where those are long. It must be axis-aligned.

    Parameters
    ----------
    shape : (z, y, x) voxels
    affine : (3, 4) float64, voxel index (x, y, z, 1) to RAS+ mm of the body
    fine : points per voxel along z, y, x
    """

    def __init__(self, shape: tuple[int, int, int], affine: Affine, *, fine: tuple[int, int, int] = FINE) -> None:
        self.shape, self.fine = shape, fine
        self.z, self.y, self.x = (
            _points(length, parts, float(affine[world, world]), float(affine[world, 3]))
            for length, parts, world in zip(shape, fine, (2, 1, 0), strict=True)
        )
        steps = [float(abs(affine[world, world])) / parts for parts, world in zip(fine, (2, 1, 0), strict=True)]
        self.point = np.float32(np.prod(steps) ** (1 / 3))
        """Mean distance of points, mm."""

    def box(self, low: Point, high: Point) -> Box | None:
        """Points between two corners (mm, x y z), in whole voxels; None if they lie outside the grid."""
        ranges = []
        for axis, parts, least, most in zip((self.z, self.y, self.x), self.fine, low[::-1], high[::-1], strict=True):
            inside = np.flatnonzero((axis >= least - 0.01) & (axis <= most + 0.01))
            if inside.size == 0:
                return None
            ranges.append(slice(int(inside[0]) // parts * parts, -(-(int(inside[-1]) + 1) // parts) * parts))
        return ranges[0], ranges[1], ranges[2]

    def around(self, centre: Point, half: Point | float) -> Box | None:
        """Points within `half` (mm, along x y z) of a centre."""
        reach = (half, half, half) if isinstance(half, float | int) else half
        low, high = np.subtract(centre, reach), np.add(centre, reach)
        return self.box((low[0], low[1], low[2]), (high[0], high[1], high[2]))

    def along(self, *points: Point, margin: float) -> Box | None:
        """Points within `margin` mm of the box that holds some points."""
        low, high = np.min(points, axis=0) - margin, np.max(points, axis=0) + margin
        return self.box((low[0], low[1], low[2]), (high[0], high[1], high[2]))

    @property
    def everything(self) -> Box:
        """The box of the whole grid."""
        return slice(0, len(self.z)), slice(0, len(self.y)), slice(0, len(self.x))

    def distance(self, box: Box, solid: Solid, *description: Any) -> Field:
        """Signed distance at every point of the box to the solid so described."""
        x, y, z = self.coordinates(box)
        return solid(x, y, z, *description)

    def coordinates(self, box: Box) -> tuple[Field, Field, Field]:
        """Positions x, y, z (mm) of the points of a box, shaped so that they broadcast to (z, y, x)."""
        z, y, x = box
        return self.x[x][None, None, :], self.y[y][None, :, None], self.z[z][:, None, None]

    def mask(self, box: Box, distance: Field) -> Mask:
        """Voxels of the whole grid whose centre lies inside a solid that is known in a box."""
        mask = np.zeros(self.shape, bool)
        coarse = tuple(slice(one.start // parts, one.stop // parts) for one, parts in zip(box, self.fine, strict=True))
        full = np.broadcast_to(distance, [one.stop - one.start for one in box])
        mask[coarse] = block_mean(full, self.fine) < 0
        return mask


def _points(length: int, parts: int, step: float, origin: float) -> npt.NDArray[np.float32]:
    index = (np.arange(length * parts) + 0.5) / parts - 0.5
    return (origin + step * index).astype(np.float32)


def block_mean(values: Field, fine: tuple[int, int, int]) -> FloatVolume:
    """Mean over blocks of fine points."""
    for axis, parts in enumerate(fine):
        if parts > 1:
            shape = (*values.shape[:axis], values.shape[axis] // parts, parts, *values.shape[axis + 1 :])
            values = values.reshape(shape).mean(axis=axis + 1)
    return values.astype(np.float32, copy=False)
