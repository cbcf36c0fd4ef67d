"""What in one slab speaks for or against an exchange of fat and water, voxel by voxel.

F + W doesn't change when fat and water are exchanged. Two things are known of it and of anatomy, without any training:

- Fat is brighter than water in these T1-weighted images, so that F + W falls where the fat fraction does. Where
  fat and water are exchanged it rises instead.
- Under the skin lies fat. Where the outermost millimetres of a body look like water, and what lies below them
  looks like fat, they are exchanged.

Everything is done on voxels of some 4.5 mm: a swap is larger, and an exam has to be judged within a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmx.core.geometry import voxel_size
from bmx.core.morphology import bounding_box
from bmx.types import Affine, FloatVolume, Mask

COARSE_MM = 4.46
"""Size of a voxel on which evidence is gathered."""

_AIR = 0.12
"""Share of the brightest tissue below which a voxel is air."""

_SHELL_MM = 11.0
"""How deep one looks for the fat under the skin; that of the lean is thinner than a voxel."""

_SKIN_MM = 2.5
"""Of that, what is skin or half air."""

_WIDE_MM = 45.0
"""Over which the brightness of a tissue is taken to be the same: coils shade slowly."""

_FEW_SLICES_MM = 4.0

_SPREAD = 0.30
"""How much the logarithm of a tissue's brightness differs between voxels and between organs."""

_BRIGHTNESS_STEP = 0.32
"""Half the difference between fat and muscle in log brightness, at most: the ratio is about 1.9 at these echoes."""

_FEWEST = 200
"""Voxels of fat, and of water, below which their brightness isn't compared."""

_TOGETHER = 0.12
"""Voxels are not independent: so much of one new fact each of them brings."""

_SHELL_TRUST = 0.25
"""What a voxel of pure fat (or water) at its place under the skin counts."""


@dataclass(frozen=True, slots=True)
class Coarse:
    """One slab on coarse voxels, cut to its body."""

    contrast: FloatVolume
    """(z, y, x) from -1 (all water) to 1 (all fat); 0 outside the body."""
    brightness: FloatVolume
    """(z, y, x) log of F + W; 0 outside the body."""
    body: Mask
    depth_mm: FloatVolume
    """(z, y, x) distance to the air around the body, within the slice."""
    spacing: tuple[float, float, float]
    """z, y, x, mm"""
    affine: Affine
    """Of this grid."""
    step: tuple[int, int, int]
    """Native voxels to a coarse one."""
    origin: tuple[int, int, int]
    """Native voxel at which the first coarse one begins."""


def coarsen(fat: npt.NDArray[Any], water: npt.NDArray[Any], affine: Affine) -> Coarse | None:
    """Add up voxels of one slab to coarse ones.

    Parameters
    ----------
    fat, water : (z, y, x), arbitrary scanner units
    affine : (3, 4) voxel index (x, y, z, 1) to RAS+ mm

    Returns
    -------
    Coarse, or None where nothing is seen: both images are zero.
    """
    size = voxel_size(affine)[::-1]
    if fat.size == 0 or not np.isfinite(size).all() or (size <= 0).any():
        return None
    step = tuple(max(1, min(round(COARSE_MM / mm), length)) for mm, length in zip(size, fat.shape, strict=True))
    f, w = _sums(fat, step), _sums(water, step)
    total = f + w
    filled = total[total > 0]
    if not filled.size:
        return None
    # Most of a slab is air: what is above the middle of the range is tissue, and of that the brightest is fat.
    high = float(np.percentile(filled, 99.5))
    inside = ndimage.binary_opening(total > _AIR * high, ndimage.generate_binary_structure(3, 1)[1:2])
    box = bounding_box(inside, margin=2)
    if box is None:
        return None
    f, w, total, inside = f[box], w[box], total[box], inside[box]
    around = np.stack([_from_outside(section) for section in inside])
    spacing = tuple(float(mm * count) for mm, count in zip(size, step, strict=True))
    depth = np.stack([
        ndimage.distance_transform_edt(~section, sampling=spacing[1:]) if section.any() else np.full(section.shape, 1e3)
        for section in around
    ]).astype(np.float32) if around.any() else np.full(total.shape, 1e3, np.float32)  # fmt: skip
    contrast = np.zeros(total.shape, np.float32)
    np.divide(f - w, total, out=contrast, where=inside)
    brightness = np.log(np.where(inside, total, 1)).astype(np.float32)
    corner = tuple(part.start * count for part, count in zip(box, step, strict=True))
    return Coarse(
        np.clip(contrast, -1, 1), brightness, inside, depth, (spacing[0], spacing[1], spacing[2]),
        _coarse_affine(affine, step, corner), (step[0], step[1], step[2]), (corner[0], corner[1], corner[2]),
    )  # fmt: skip


def brightness_step(coarse: Coarse, side: Mask) -> float:
    """How much brighter fat is than water in one side, as log of a ratio: negative where both are exchanged.

    Parameters
    ----------
    coarse : one slab
    side : bool that broadcasts to (z, y, x)

    Returns
    -------
    0 where there is too little of either to tell.
    """
    inside = coarse.body & side
    fat, water = inside & (coarse.contrast > 0.5), inside & (coarse.contrast < -0.5)
    if min(np.count_nonzero(fat), np.count_nonzero(water)) < _FEWEST:
        return 0.0
    middle = _middle(coarse)
    above = coarse.brightness - middle
    return float(np.median(above[fat]) - np.median(above[water]))


def local_evidence(coarse: Coarse, step: float) -> FloatVolume:
    """What each voxel says of an exchange.

    Parameters
    ----------
    step : how much brighter fat is than water in this exam (log of the ratio), at least 0

    Returns
    -------
    (z, y, x) float32, log of a likelihood ratio: positive where fat and water seem to be exchanged, 0 outside the body.
    It changes its sign, and only that, where they are.
    """
    half = min(step / 2, _BRIGHTNESS_STEP)
    above = coarse.brightness - _middle(coarse)
    by_brightness = -2 * half * np.clip(above, -2 * half, 2 * half) * coarse.contrast / _SPREAD**2
    evidence: FloatVolume = (_TOGETHER * by_brightness).astype(np.float32)
    evidence -= np.where(shell(coarse), _SHELL_TRUST, 0) * coarse.contrast
    evidence[~coarse.body] = 0
    return evidence


def shell(coarse: Coarse) -> Mask:
    """(z, y, x) where there is fat under the skin of anybody but the leanest."""
    return coarse.body & (coarse.depth_mm > _SKIN_MM + coarse.spacing[1] / 2) & (coarse.depth_mm < _SHELL_MM)


def _middle(coarse: Coarse) -> FloatVolume:
    """Log brightness half way between what looks like fat and what looks like water nearby; an exchange leaves it."""
    # Along z far less: the outermost slices of a slab are darker than those beside them.
    sigma = [_FEW_SLICES_MM / coarse.spacing[0], *(_WIDE_MM / mm for mm in coarse.spacing[1:])]
    total = np.zeros(coarse.body.shape, np.float32)
    for kind in (coarse.contrast > 0.4, coarse.contrast < -0.4):
        weight = (kind & coarse.body).astype(np.float32)
        overall = float(coarse.brightness[weight > 0].mean()) if weight.any() else 0.0
        if not weight.any():
            overall = float(coarse.brightness[coarse.body].mean())
        near = _blur(weight, sigma) + np.float32(1e-3)
        total += (_blur(weight * coarse.brightness, sigma) + np.float32(1e-3 * overall)) / near
    return np.asarray(total / 2, np.float32)


def _blur(volume: FloatVolume, sigma: list[float]) -> FloatVolume:
    """Gaussian, in plane on every third voxel: what is smooth needs no more."""
    few = volume[:, ::3, ::3]
    blurred = ndimage.gaussian_filter(few, [sigma[0], sigma[1] / 3, sigma[2] / 3], mode="nearest", truncate=2.0)
    for axis, (count, length) in list(enumerate(zip((1, 3, 3), volume.shape, strict=True)))[1:]:
        at = np.minimum(np.arange(length) / count, blurred.shape[axis] - 1)
        low = np.minimum(at.astype(int), max(blurred.shape[axis] - 2, 0))
        share = (at - low).astype(np.float32).reshape([-1 if one == axis else 1 for one in range(3)])
        high = np.minimum(low + 1, blurred.shape[axis] - 1)
        blurred = blurred.take(low, axis) * (1 - share) + blurred.take(high, axis) * share
    return np.asarray(blurred, np.float32)


def _from_outside(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Air of one slice that is not enclosed by the body: lungs and bowel have no skin."""
    return np.asarray(~ndimage.binary_fill_holes(inside), np.bool_)


def _sums(volume: npt.NDArray[Any], step: tuple[int, ...]) -> FloatVolume:
    """Sums of blocks; what doesn't fill a block at the end is left out."""
    shape = [length // count for length, count in zip(volume.shape, step, strict=True)]
    total = np.zeros(shape, np.float32)
    for z in range(step[0]):
        for y in range(step[1]):
            for x in range(step[2]):
                total += volume[z :: step[0], y :: step[1], x :: step[2]][: shape[0], : shape[1], : shape[2]]
    return total


def _coarse_affine(affine: Affine, step: tuple[int, ...], corner: tuple[int, ...]) -> Affine:
    """Of a grid of blocks: their middles lie between native voxels."""
    scale = np.array(step[::-1], np.float64)
    first = np.array(corner[::-1]) + (scale - 1) / 2
    return np.column_stack([affine[:, :3] * scale, affine[:, 3] + affine[:, :3] @ first])
