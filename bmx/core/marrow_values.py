"""The fat fractions inside a mask, as a recipe makes them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bmx.core.fat_fraction import fat_fraction
from bmx.core.noise import Levels
from bmx.core.recipes import Recipe
from bmx.core.smoothing import gaussian_in_plane, mean_inside, neighbour_mean
from bmx.types import FloatVolume, Mask


class MarrowValues(NamedTuple):
    """One value for each voxel of a mask, in the order of `image[mask]`."""

    fat: npt.NDArray[np.float32]
    """Smoothed; NaN where there is no fat fraction."""
    water: npt.NDArray[np.float32]
    percent: npt.NDArray[np.float32]
    """NaN where there is no fat fraction, unless the recipe counts that as 0 %."""


def marrow_values(
    fat: npt.NDArray[Any],
    water: npt.NDArray[Any],
    measured: Mask,
    *,
    recipe: Recipe,
    levels: Levels,
    native_slices: int,
    first_slice: int = 0,
) -> MarrowValues:
    """Smooth fat and water, take their ratio, and leave out what a recipe doesn't trust.

    Parameters
    ----------
    fat, water : (z, y, x) any real dtype, a slab or a crop with `recipe.reach` voxels around the mask
    measured : (z, y, x) bool, after erosion
    levels : of the whole slab
    native_slices : int, slices that were acquired
    first_slice : int, slice of the slab at which a crop starts

    Examples
    --------
    >>> from bmx.core.recipes import get_recipe
    >>> fat, water = np.uint16([[[900, 900, 2]]]), np.uint16([[[100, 100, 2]]])
    >>> marrow_values(fat, water, np.ones((1, 1, 3), bool), recipe=get_recipe("mask_aware"),
    ...               levels=Levels(1000, 2), native_slices=1).percent
    array([90., 90., nan], dtype=float32)
    """
    usable = measured & has_signal(fat, water, measured, recipe, levels)
    smooth_fat, smooth_water = (_smooth(image, usable, recipe) for image in (fat, water))
    if recipe.smooths_across:
        # The paper and its program smooth first: a voxel without signal has that of its neighbours.
        usable = measured & has_signal(smooth_fat, smooth_water, measured, recipe, levels)
    # Elsewhere a caller has left the ends out of `measured` already, or there is nothing else (`avoid_ends`).
    ends = recipe.end_slices if recipe.missing_is_zero else 0
    valued = clear_of_ends(usable, ends, native_slices=native_slices, first_slice=first_slice)[measured]
    fat_there, water_there = (
        np.where(valued, image[measured], np.float32(np.nan)) for image in (smooth_fat, smooth_water)
    )
    percent = fat_fraction(fat_there, water_there)
    return MarrowValues(fat_there, water_there, np.nan_to_num(percent) if recipe.missing_is_zero else percent)


def clear_of_ends(mask: Mask, count: int, *, native_slices: int, first_slice: int = 0) -> Mask:
    """A mask (z, y, x) without what lies in the `count` slices at each end of a slab.

    Examples
    --------
    >>> clear_of_ends(np.ones((4, 1, 1), bool), 2, native_slices=9, first_slice=1)[:, 0, 0]
    array([False,  True,  True,  True])
    """
    numbers = np.arange(first_slice, first_slice + len(mask))
    inner = (numbers >= count) & (numbers < native_slices - count)
    return np.asarray(mask & inner[:, None, None])


def has_signal(fat: npt.NDArray[Any], water: npt.NDArray[Any], measured: Mask, recipe: Recipe, levels: Levels) -> Mask:
    """Where F + W is bright enough for a fat fraction, inside a mask or outside it, (z, y, x) bool."""
    total = np.abs(fat.astype(np.float32)) + np.abs(water.astype(np.float32))
    # Fat and water bring equal noise, and independently.
    floor = max(recipe.low_signal * levels.bright, recipe.low_signal_noise * levels.noise * np.sqrt(2))
    bright = (total > 0) & (total >= floor)
    if recipe.low_signal_marrow and (within := bright & measured).any():
        bright &= total >= recipe.low_signal_marrow * np.median(total[within])
    return np.asarray(bright)


def middle_slices(mask: Mask, count: int) -> Mask:
    """The `count` slices in the middle of a mask; all of it if it is shorter.

    Examples
    --------
    >>> mask = np.zeros((9, 1, 1), bool)
    >>> mask[2:8] = True
    >>> middle_slices(mask, 3)[:, 0, 0].astype(int)
    array([0, 0, 0, 1, 1, 1, 0, 0, 0])
    """
    filled = np.flatnonzero(mask.any(axis=(1, 2)))
    if not filled.size or filled[-1] - filled[0] < count:
        return mask
    first = (filled[0] + filled[-1] - count + 1) // 2
    kept = np.zeros_like(mask)
    kept[first : first + count] = mask[first : first + count]
    return kept


def _smooth(image: npt.NDArray[Any], usable: Mask, recipe: Recipe) -> FloatVolume:
    if recipe.smoothing == "inside":
        return mean_inside(image, usable, radius=int(recipe.width))
    if recipe.smoothing == "neighbours":
        return neighbour_mean(image, radius=int(recipe.width))
    if recipe.smoothing == "gaussian_in_plane":
        return gaussian_in_plane(image, sigma=recipe.width)
    return image.astype(np.float32)
