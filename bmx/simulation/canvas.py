"""A grid in body millimetres onto which tissues are painted, one over the other, with partial volume."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bmx.simulation.solids import Field, Point
from bmx.types import Affine, FloatVolume, Mask

Solid = Callable[..., Field]
"""Signed distance (mm) at broadcastable coordinates x, y, z, and what else describes the solid."""

SUBSLICES = 2
"""Each slice is painted as this many thin ones and averaged: slices are twice as thick as pixels are wide."""


class Canvas:
    """Water and fat signal of one slab while it is painted.

    Later tissues cover earlier ones. `fat` and `water` hold noise-free signal (1 = subcutaneous fat)
    on (z * SUBSLICES, y, x); the grid must be axis-aligned.
    """

    def __init__(self, shape: tuple[int, int, int], affine: Affine) -> None:
        slices, rows, columns = shape
        self.shape = shape
        self.pixel = float(abs(affine[0, 0]))
        z_step = float(affine[2, 2])
        sub = (np.arange(slices * SUBSLICES) + 0.5) / SUBSLICES - 0.5
        self.x = (affine[0, 3] + affine[0, 0] * np.arange(columns)).astype(np.float32)
        self.y = (affine[1, 3] + affine[1, 1] * np.arange(rows)).astype(np.float32)
        self.z = (affine[2, 3] + z_step * sub).astype(np.float32)
        self.fat: FloatVolume = np.zeros((len(self.z), rows, columns), np.float32)
        self.water: FloatVolume = np.zeros_like(self.fat)

    def box(self, centre: Point, half: Point) -> tuple[slice, slice, slice] | None:
        """Index range (z, y, x) of a box in millimetres, or None if it lies outside the grid."""
        ranges = []
        for axis, middle, extent in zip((self.z, self.y, self.x), centre[::-1], half[::-1], strict=True):
            inside = np.flatnonzero(np.abs(axis - middle) <= extent)
            if inside.size == 0:
                return None
            ranges.append(slice(int(inside[0]), int(inside[-1]) + 1))
        if ranges[0].start % SUBSLICES:
            ranges[0] = slice(ranges[0].start - 1, ranges[0].stop)
        if ranges[0].stop % SUBSLICES:
            ranges[0] = slice(ranges[0].start, ranges[0].stop + 1)
        return ranges[0], ranges[1], ranges[2]

    @property
    def everything(self) -> tuple[slice, slice, slice]:
        """The box of the whole grid."""
        return slice(0, len(self.z)), slice(0, len(self.y)), slice(0, len(self.x))

    def distance(self, box: tuple[slice, slice, slice], solid: Solid, *description: Any) -> Field:
        """Signed distance at every point of the box to the solid so described."""
        z, y, x = box
        return solid(self.x[x][None, None, :], self.y[y][None, :, None], self.z[z][:, None, None], *description)

    def paint(
        self, box: tuple[slice, slice, slice], distance: Field, *, signal: Field | float, fat_percent: Field | float
    ) -> None:
        """Cover the inside of a solid (distance < 0) with a tissue; its edge is one pixel wide."""
        occupancy = np.clip(0.5 - distance / np.float32(self.pixel), 0, 1)
        fraction = np.float32(0.01) * np.asarray(fat_percent, np.float32)
        signal = np.asarray(signal, np.float32)
        self.fat[box] += occupancy * (signal * fraction - self.fat[box])
        self.water[box] += occupancy * (signal * (1 - fraction) - self.water[box])

    def mask(self, box: tuple[slice, slice, slice], distance: Field) -> Mask:
        """Native voxels of the whole grid whose centre lies inside a solid that is known in a box."""
        z, y, x = box
        at_centre = distance.reshape(-1, SUBSLICES, *distance.shape[1:]).mean(axis=1)
        mask = np.zeros(self.shape, bool)
        mask[z.start // SUBSLICES : z.stop // SUBSLICES, y, x] = at_centre < 0
        return mask

    def finish(self) -> tuple[FloatVolume, FloatVolume]:
        """Noise-free water and fat signal on the native grid, (z, y, x) float32."""
        slices, rows, columns = self.shape
        thin = (slices, SUBSLICES, rows, columns)
        return self.water.reshape(thin).mean(axis=1), self.fat.reshape(thin).mean(axis=1)
