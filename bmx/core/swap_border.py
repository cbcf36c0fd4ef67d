"""The border of a swap on the voxels that were acquired, and what lies inside it without a tie to the rest."""

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

_TISSUE = 0.25
"""Share of the brightest tissue from which on a voxel is no cortical bone."""

_BESIDE = 5
"""Voxels: as thick as the cortex of a femur."""

_SAME, _MIRRORED, _ENOUGH = 0.25, 0.3, 8
"""Two voxels are as bright (log of a ratio) and mirrored (sum of their contrasts); so many say that it is no chance."""

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
    native = upsample(coarse, labels, fat.shape)
    inner = ndimage.binary_erosion(labels, iterations=_BAND, border_value=1)
    outer = ndimage.binary_dilation(labels, iterations=_BAND)
    band = upsample(coarse, outer & ~inner & ndimage.binary_dilation(coarse.body), fat.shape)
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
    return native | _islands(fat, water, native, dark=_TISSUE * bright)


def _islands(fat: npt.NDArray[Any], water: npt.NDArray[Any], exchanged: Mask, *, dark: float) -> Mask:
    """Marrow in an exchanged piece of a leg, (z, y, x) bool.

    Cortical bone gives no signal, so that nothing ties marrow to the tissue around it, and exchanged marrow looks like
    muscle, which belongs there. It counts as exchanged, too, if it lies beside what is exchanged, and goes on upwards
    or downwards as bright as it is, but with its fat fraction mirrored: no two tissues that meet look so.
    """
    box = bounding_box(exchanged, margin=_BESIDE)
    if box is None:
        return np.zeros_like(exchanged)
    # In floating point: the sum of two uint16 wraps.
    f, w = fat[box].astype(np.float32), water[box].astype(np.float32)
    total, done = f + w, exchanged[box]
    seen = total > dark
    islands, count = ndimage.label((w > f) & seen & ~done)
    contrast = np.divide(f - w, total, out=np.zeros_like(total), where=seen)
    steps, mirrored = (np.zeros(count + 1, np.int64) for _ in range(2))
    for one, other in ((slice(None, -1), slice(1, None)), (slice(1, None), slice(None, -1))):
        step = (islands[one] > 0) & seen[other] & ~done[other] & (contrast[other] > 0)
        alike = np.abs(np.log(total[one][step] / total[other][step])) < _SAME
        mirror = alike & (np.abs(contrast[one][step] + contrast[other][step]) < _MIRRORED)
        steps += np.bincount(islands[one][step], minlength=count + 1)
        mirrored += np.bincount(islands[one][step][mirror], minlength=count + 1)
    near = ndimage.binary_dilation(done, np.ones((1, 3, 3)), iterations=_BESIDE)
    sizes, beside = (np.bincount(islands[where], minlength=count + 1) for where in (seen, near))
    chosen = (2 * mirrored > steps) & (mirrored >= _ENOUGH) & (2 * beside > sizes)
    chosen[0] = False
    found = np.zeros_like(exchanged)
    found[box] = chosen[islands]
    return found


def upsample(coarse: Coarse, labels: Mask, shape: tuple[int, ...]) -> Mask:
    """Coarse labels on native voxels; beyond the coarse grid the nearest."""
    for axis, (length, count, first) in enumerate(zip(shape, coarse.step, coarse.origin, strict=True)):
        at = np.clip((np.arange(length) - first) // count, 0, labels.shape[axis] - 1)
        labels = labels.take(at, axis)
    return labels
