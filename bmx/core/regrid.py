"""Onto voxels of another size, along the same axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmx.types import FloatVolume, Mask

_SAME = 0.005
"""Voxels that differ by less than this share are left as they are: interpolation would only blur."""


def regrid(volume: npt.NDArray[Any], spacing: Sequence[float], target: Sequence[float]) -> FloatVolume:
    """Resample a volume, linearly, so that its outer faces stay where they are to within half a new voxel.

    Where voxels become larger, what one of them covers is averaged (a Gaussian before sampling): taking every
    second voxel would turn thin bright structures into noise.

    Parameters
    ----------
    volume : (z, y, x), any unit
    spacing : z, y, x, mm
    target : z, y, x, mm

    Returns
    -------
    (z, y, x) float32

    Examples
    --------
    >>> regrid(np.full((2, 4, 4), 7), (4.0, 1.0, 1.0), (4.0, 2.0, 2.0))[0]
    array([[7., 7.],
           [7., 7.]], dtype=float32)
    """
    seen = volume.astype(np.float32)
    steps = np.asarray(target, np.float64) / np.asarray(spacing, np.float64)
    steps[np.abs(steps - 1) < _SAME] = 1.0
    if (steps == 1).all():
        return seen
    # The spread of a box that covers one new voxel, less that of the old one: sqrt((step² - 1) / 12).
    seen = ndimage.gaussian_filter(seen, np.sqrt(np.clip(steps**2 - 1, 0, None) / 12), mode="nearest")
    shape = np.maximum(np.rint(np.array(volume.shape) / steps), 1).astype(int)
    # The middle of the volume stays in the middle.
    offset = (np.array(volume.shape) - 1) / 2 - steps * (shape - 1) / 2
    resampled: FloatVolume = ndimage.affine_transform(
        seen, steps, offset, output_shape=tuple(shape.tolist()), order=1, mode="nearest"
    )
    return resampled


def regrid_mask(mask: Mask, spacing: Sequence[float], target: Sequence[float]) -> Mask:
    """Resample a mask as `regrid` does; inside is where at least half of the new voxel is.

    Examples
    --------
    >>> regrid_mask(np.array([[[0, 0, 1, 1]]], bool), (1.0, 1.0, 1.0), (1.0, 1.0, 2.0))
    array([[[False,  True]]])
    """
    return regrid(mask, spacing, target) >= 0.5
