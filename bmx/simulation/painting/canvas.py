"""A grid onto which tissues are painted, one over the other, with partial volume."""

from __future__ import annotations

import numpy as np

from bmx.simulation.painting.grid import FINE, Box, Grid, block_mean
from bmx.simulation.painting.solids import Field
from bmx.simulation.painting.textures import Texture
from bmx.simulation.painting.tissues import Palette
from bmx.types import Affine, FloatVolume, Mask


class Canvas(Grid):
    """Signal of one slab while it is painted.

    Later tissues cover earlier ones. Points lie finer than voxels where voxels are long, and the edge of
    a solid is one point wide; both together make partial volume.

    Parameters
    ----------
    shape : (z, y, x) voxels
    affine : (3, 4) float64, voxel index (x, y, z, 1) to RAS+ mm of the body
    palette : what is painted
    fine : points per voxel along z, y, x
    """

    def __init__(
        self, shape: tuple[int, int, int], affine: Affine, palette: Palette, *, fine: tuple[int, int, int] = FINE
    ) -> None:
        super().__init__(shape, affine, fine=fine)
        self.palette = palette
        self.painted: FloatVolume = np.zeros((palette.channels, len(self.z), len(self.y), len(self.x)), np.float32)

    def texture(self, box: Box, texture: Texture) -> FloatVolume:
        """Values of a texture at the points of a box."""
        z, y, x = box
        return texture.at(self.x[x], self.y[y], self.z[z])

    def paint(self, box: Box, distance: Field, tissue: str, *, fat_percent: Field | float | None = None) -> None:
        """Cover the inside of a solid (distance < 0) with a tissue.

        `fat_percent` is the two-point fat fraction that the tissue shall show, one number or a field over the box.
        """
        # Boxes are roomy: only where something is covered is worth the arithmetic.
        touched = _extent(distance < self.point / 2, self.painted[0][box].shape)
        if touched is None:
            return
        inner = tuple(
            slice(outer.start + cut.start, outer.start + cut.stop) for outer, cut in zip(box, touched, strict=True)
        )
        # In place: a thousand solids are painted, and memory is what they wait for.
        occupancy = np.broadcast_to(distance, self.painted[0][box].shape)[touched] / self.point
        np.subtract(np.float32(0.5), occupancy, out=occupancy)
        np.clip(occupancy, 0, 1, out=occupancy)
        if isinstance(fat_percent, np.ndarray) and fat_percent.ndim == 3:
            fat_percent = np.broadcast_to(fat_percent, self.painted[0][box].shape)[touched]
        for channel, colour in zip(self.painted, self.palette.colours(tissue, fat_percent), strict=True):
            region = channel[inner]
            change = colour - region
            change *= occupancy
            region += change

    def finish(self) -> FloatVolume:
        """Mean of each channel over the points of each voxel, (channels, z, y, x) float32."""
        return np.stack([block_mean(channel, self.fine) for channel in self.painted])


def _extent(inside: Mask, shape: tuple[int, ...]) -> Box | None:
    """Smallest box that holds all true values of `inside`, which broadcasts to `shape`."""
    ranges = []
    for axis, length in enumerate(shape):
        others = tuple(other for other in range(3) if other != axis)
        found = np.flatnonzero(inside.any(axis=others))
        if found.size == 0:
            return None
        ranges.append(slice(0, length) if inside.shape[axis] == 1 else slice(int(found[0]), int(found[-1]) + 1))
    return ranges[0], ranges[1], ranges[2]
