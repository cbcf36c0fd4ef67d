"""The medullary canal of a long bone, from the signal inside a mask of the whole bone. RAS+ millimetres.

A mask of the bone shows neither how thick its cortex is nor where its canal is narrowest; the image does: marrow is
bright (fat and water alike), cortex has next to no signal. A canal is some five voxels wide, so that its width is
taken from the sum of the signal across it, not from a count of voxels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmx.core.femur_axes import Shaft
from bmx.core.geometry import Points, to_world, voxel_size, voxel_volume
from bmx.types import Affine, Mask

_UNDER_SURFACE = 0.2
"""What is nearer to the surface than this share of the shaft's radius may be blurred with muscle and fat."""
_BRIGHTEST = 5
"""Voxels of a section that are surely full of marrow: fewer than even the narrowest canal holds."""
_CONTRAST = 3.0
"""Marrow is at least so many times brighter than cortex, or else the canal can't be seen."""
_NOISE = 0.15
"""Share of the marrow's signal below which there is none."""
_AROUND_MM = 40.0


@dataclass(frozen=True, slots=True)
class Canal:
    """Circles as large as the sections of a medullary canal, one for each axial slice of the shaft."""

    slices: npt.NDArray[np.int64]
    """(n,) index along z."""
    middles: Points
    """(n, 3) mm"""
    radii: Points
    """(n,) mm"""

    def narrowest(self) -> float | None:
        """Height (mm) where the canal is narrowest; None if that may lie beyond what is seen."""
        heights = self.middles[:, 2]
        step = float(np.median(np.abs(np.diff(heights)))) if len(heights) > 1 else 0.0
        if np.ptp(heights) < 2 * _AROUND_MM:
            return None
        at = float(heights[np.argmin(ndimage.gaussian_filter1d(self.radii, 8.0 / step))])
        for _ in range(5):
            near = np.abs(heights - at) < _AROUND_MM
            bend, slope, _ = np.polyfit(heights[near] - at, self.radii[near], 2)
            if bend <= 0:
                return None
            at += float(np.clip(-slope / (2 * bend), -_AROUND_MM / 2, _AROUND_MM / 2))
            if not heights.min() < at < heights.max():
                return None
        return at

    def inside(self, shape: tuple[int, ...], affine: Affine, *, depth_mm: float) -> Mask:
        """Voxels that lie deeper than `depth_mm` inside the canal's wall, (z, y, x) bool."""
        mask = np.zeros(shape, np.bool_)
        rows = np.moveaxis(np.indices(shape[1:]), 0, -1)
        for one, middle, radius in zip(self.slices, self.middles, self.radii, strict=True):
            places = to_world(affine, np.concatenate([np.full((*shape[1:], 1), one), rows], axis=-1))
            mask[one] = np.linalg.norm(places - middle, axis=-1) < radius - depth_mm
        return mask


def find_canal(
    bone: Mask, affine: Affine, depth: npt.NDArray[np.float32], signal: npt.NDArray[Any], shaft: Shaft
) -> Canal | None:
    """Find the canal in the sections of a shaft.

    Parameters
    ----------
    bone : (z, y, x) bool
    affine : (3, 4) float64
    depth : (z, y, x) float32, mm under the surface of the bone
    signal : (z, y, x) any real dtype, arbitrary units; fat + water, or in-phase
    shaft : Shaft of this bone

    Returns
    -------
    Canal; None where marrow isn't brighter than cortex.
    """
    values = np.where(bone, signal, 0).astype(np.float64)
    core = depth > _UNDER_SURFACE * shaft.radius
    slices = np.array([one for one in shaft.slices if np.count_nonzero(core[one]) > 2 * _BRIGHTEST], np.int64)
    if len(slices) < 3:
        return None
    bright = np.array([np.sort(values[one][core[one]])[-_BRIGHTEST:].mean() for one in slices])
    bright = ndimage.median_filter(bright, 5, mode="nearest")  # one bad slice at a slab's end isn't dark marrow
    if bright.min() <= 0:
        return None
    # Where the canal is wide its cortex is too thin to be seen for itself: its signal is that of the thickest.
    cortex = [np.percentile(values[one][core[one]], 20) / most for one, most in zip(slices, bright, strict=True)]
    dark = float(np.percentile(cortex, 10))
    if dark > 1 / _CONTRAST:
        return None
    area = 1000 * voxel_volume(affine) / voxel_size(affine)[2]
    middles, radii = np.empty((len(slices), 3)), np.empty(len(slices))
    for row, one in enumerate(slices):
        share = np.clip((values[one] / bright[row] - dark) / (1 - dark), 0, 1) * core[one]
        share[share < _NOISE] = 0
        where = np.argwhere(share > 0)
        weights = share[share > 0]
        middle = np.concatenate([[one], weights @ where / weights.sum()])
        middles[row], radii[row] = to_world(affine, middle), np.sqrt(weights.sum() * area / np.pi)
    return Canal(slices, middles, radii)
