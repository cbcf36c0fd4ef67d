"""The border of a swap on the voxels that were acquired."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmx.core.morphology import bounding_box
from bmx.core.swap_cut import cut, link
from bmx.core.swap_evidence import Coarse
from bmx.types import Mask

_BAND = 2
"""Coarse voxels around a coarse border among which the fine one is looked for."""

_NOISE = 0.05
"""Share of the brightest tissue at which the fat fraction of a single voxel is half noise."""

_CERTAIN = 1000.0
_TIE = 0.02
"""What the coarse label counts within the band: it decides only where nothing else does."""


def refine(fat: npt.NDArray[Any], water: npt.NDArray[Any], coarse: Coarse, labels: Mask) -> Mask:
    """Bring labels of coarse voxels to native ones, and move their border to where the fat fraction jumps.

    Parameters
    ----------
    fat, water : (z, y, x), arbitrary scanner units
    coarse : of the same slab
    labels : (z, y, x) bool on its grid

    Returns
    -------
    (z, y, x) bool, native; around the body the label is that of the nearest coarse voxel.
    """
    native = _upsample(coarse, labels, fat.shape)
    inner = ndimage.binary_erosion(labels, iterations=_BAND, border_value=1)
    outer = ndimage.binary_dilation(labels, iterations=_BAND)
    band = _upsample(coarse, outer & ~inner & ndimage.binary_dilation(coarse.body), fat.shape)
    box = bounding_box(band, margin=1)
    if box is None:
        return native
    f, w = fat[box].astype(np.float32), water[box].astype(np.float32)
    total = f + w
    bright = float(np.exp(np.percentile(coarse.brightness[coarse.body], 95))) / np.prod(coarse.step)
    contrast = (f - w) / (total + np.float32(_NOISE * bright))
    brightness = np.log(np.maximum(total, np.float32(_NOISE * bright)))
    free, before = band[box], native[box]
    # One layer of voxels around the band keeps its label, and holds the band's.
    near = ndimage.binary_dilation(free)
    weight = np.where(free, np.float32(_TIE), np.float32(_CERTAIN))
    links = tuple(link(contrast, brightness, near, axis) for axis in range(3))
    found = cut(np.where(before, weight, -weight), near, links)  # type: ignore[arg-type]
    native[box] = np.where(free, found, before)
    return native


def _upsample(coarse: Coarse, labels: Mask, shape: tuple[int, ...]) -> Mask:
    """Coarse labels on native voxels; beyond the coarse grid the nearest."""
    for axis, (length, count, first) in enumerate(zip(shape, coarse.step, coarse.origin, strict=True)):
        at = np.clip((np.arange(length) - first) // count, 0, labels.shape[axis] - 1)
        labels = labels.take(at, axis)
    return labels
