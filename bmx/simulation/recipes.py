"""The true BMFF of a region under each recipe of smoothing: what a perfect measurement by that recipe would give.

Worked out on noise-free water and fat inside the true mask, so that what a recipe itself does to the
number (bleeding across a thin border, zeros that enter a mean) stands apart from noise and segmentation.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from bmx.core.dixon_signal import Separated
from bmx.core.fat_fraction import fat_fraction
from bmx.core.morphology import bounding_box, erode_in_plane
from bmx.core.smoothing import gaussian_in_plane, mean_inside, neighbour_mean
from bmx.regions import Region
from bmx.simulation.bodies import SimulatedSlab
from bmx.types import FloatVolume, Mask

RECIPES: Final = ("none", "mask_aware", "paper", "released_code")
"""`none`: no smoothing. `mask_aware`: the mean over neighbours inside the mask. `paper`: the mean over all
neighbours (section 2.8). `released_code`: what the authors' code does (see `_released_code`)."""

_SIGMA: Final = 2.0
_END_SLICES: Final = 4
_SHAFT_SLICES: Final = 7
_MARGIN: Final = 10
"""Voxels around a mask that its smoothing can see: four sigma and more."""


def true_bmff(slab: SimulatedSlab, region: Region) -> dict[str, float]:
    """Mean two-point fat fraction of a region under each recipe, percent; NaN where no voxel is left.

    Every recipe erodes in plane as the paper does (by one voxel; the diaphysis not at all).
    """
    mask = slab.masks[region.name]
    eroded = erode_in_plane(mask, voxels=region.erosion)
    box = bounding_box(mask, margin=_MARGIN)
    if box is None or not eroded.any():
        return dict.fromkeys(RECIPES, float("nan"))
    clean = Separated(slab.clean.water[box], slab.clean.fat[box])
    inside, measured = mask[box], eroded[box]
    means = {
        "none": fat_fraction(clean.fat, clean.water)[measured],
        "mask_aware": fat_fraction(mean_inside(clean.fat, inside), mean_inside(clean.water, inside))[measured],
        "paper": fat_fraction(neighbour_mean(clean.fat), neighbour_mean(clean.water))[measured],
        "released_code": _released_code(clean, measured, region, box[0].start, len(mask)),
    }
    assert tuple(means) == RECIPES
    return {recipe: float(np.nanmean(values)) if values.size else float("nan") for recipe, values in means.items()}


def _released_code(clean: Separated, mask: Mask, region: Region, first: int, slices: int) -> FloatVolume:
    """Values that the authors' code averages: smoothed in plane by two voxels, of the diaphysis seven slices;
    voxels without signal and the four slices at each end of the slab count as 0 %.
    """
    smoothed = (gaussian_in_plane(image, sigma=_SIGMA) for image in (clean.fat, clean.water))
    percent = np.nan_to_num(fat_fraction(*smoothed))
    numbers = np.arange(first, first + len(mask))
    percent[(numbers < _END_SLICES) | (numbers >= slices - _END_SLICES)] = 0
    kept = mask
    if region.name == "femoral_diaphysis":
        found = np.flatnonzero(mask.any(axis=(1, 2)))
        middle = (found[0] + found[-1] - _SHAFT_SLICES + 1) // 2
        kept = (
            mask & ((np.arange(len(mask)) >= middle) & (np.arange(len(mask)) < middle + _SHAFT_SLICES))[:, None, None]
        )
    return percent[kept]
