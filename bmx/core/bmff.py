"""Bone marrow fat fraction of one region of one participant (paper 2.6 and 2.8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bmx.core.corrections import Percent, slope_at
from bmx.core.geometry import centroid, crop_affine, voxel_volume
from bmx.core.marrow_values import clear_of_ends, has_signal, marrow_values, middle_slices
from bmx.core.morphology import bounding_box, erode_in_plane, repair, touches_slab_edge
from bmx.core.noise import Levels, slab_levels
from bmx.core.recipes import Recipe
from bmx.core.summary import ratio_of_sums, summarise
from bmx.core.uncertainty import WEIGHTS, doubt
from bmx.regions import Region
from bmx.types import Affine, Mask
from bmx.variables import RESULT_FLAGS

Correction = Callable[[Percent, str], Percent]


class Measurement(NamedTuple):
    """All numbers that one mask gives, in an order that fits into one array."""

    bmff: float = np.nan
    """Mean fat fraction over the eroded mask, percent."""
    bmff_median: float = np.nan
    bmff_sd: float = np.nan
    """NaN also where a single voxel was left."""
    bmff_iqr: float = np.nan
    bmff_ratio: float = np.nan
    bmff_se: float = np.nan
    """Standard error of the mean, see `bmx.core.uncertainty`."""
    bmff_n: float = 0
    """Voxels that entered these."""
    voxels: float = 0
    """Voxels of the repaired mask, before erosion."""
    volume: float = 0
    """The same in mL."""
    centroid_x: float = np.nan
    """Centre of mass before erosion, RAS+ mm."""
    centroid_y: float = np.nan
    centroid_z: float = np.nan
    eroded_voxels: float = 0
    """Voxels that were left after erosion."""
    flags: float = 0
    """Bits of `RESULT_FLAGS`."""


class FatStatistics(NamedTuple):
    """Fat fraction within a set of voxels: the first fields of a Measurement."""

    bmff: float = np.nan
    bmff_median: float = np.nan
    bmff_sd: float = np.nan
    bmff_iqr: float = np.nan
    bmff_ratio: float = np.nan
    bmff_se: float = np.nan
    bmff_n: float = 0


assert Measurement._fields[: len(FatStatistics._fields)] == FatStatistics._fields


def measure_mask(
    fat: npt.NDArray[Any],
    water: npt.NDArray[Any],
    mask: npt.NDArray[np.uint8],
    affine: Affine,
    native_slices: int,
    *,
    region: Region,
    recipe: Recipe,
    correct: Correction | None = None,
    levels: Levels | None = None,
) -> Measurement:
    """Fat fraction, size and place of one mask, worked out in its bounding box.

    Repairs the mask, erodes it in plane, makes fat fractions as the recipe says, and summarises what is inside. The
    box is wide enough for the numbers to equal those over the whole slab.

    Parameters
    ----------
    fat, water : (z, y, x) uint16, or float that isn't negative; arbitrary scanner units
    mask : (z, y, x) uint8, 1 inside
    affine : (3, 4) float64, voxel index (x, y, z, 1) to RAS+ mm
    native_slices : int, slices that were acquired; the others at the end of z are fill, and no mask counts there
    region : whose erosion, number of slices and whether it is one piece apply; it may lie in another slab than usual
    recipe : of `bmx.core.recipes`
    correct : function of fat fractions (percent) and the region's name, applied to each voxel
    levels : of the slab, if they are known from its other masks

    Returns
    -------
    Measurement; an empty mask gives 0 voxels and NaN.

    Examples
    --------
    >>> from bmx.core.recipes import get_recipe
    >>> from bmx.regions import get_region
    >>> fat, water = np.full((4, 9, 9), 900, np.uint16), np.full((4, 9, 9), 100, np.uint16)
    >>> mask = np.zeros((4, 9, 9), np.uint8)
    >>> mask[1:3, 2:7, 2:7] = 1
    >>> found = measure_mask(fat, water, mask, np.eye(3, 4), 4,
    ...                      region=get_region("total_hip"), recipe=get_recipe("mask_aware"))
    >>> found.bmff, found.voxels, found.eroded_voxels, found.centroid_z
    (90.0, 50, 18, 1.5)
    """
    drawn = mask.astype(np.bool_)
    flags = RESULT_FLAGS["outside_slab"] if drawn[native_slices:].any() else 0
    fat, water, drawn = fat[:native_slices], water[:native_slices], drawn[:native_slices]
    # One voxel more than the smoothing needs, at least, to see what the mask would hold if it were larger.
    box = bounding_box(drawn, margin=max(recipe.reach, 1))
    if box is None:
        return Measurement(flags=flags)
    repaired = repair(drawn[box], one_piece=region.one_piece)
    if repaired.singles_removed:
        flags |= RESULT_FLAGS["single_voxels_removed"]
    if repaired.parts == 0:
        return Measurement(flags=flags)
    if repaired.parts_joined:
        flags |= RESULT_FLAGS["parts_joined"]
    if region.one_piece and repaired.parts > 1:
        flags |= RESULT_FLAGS["parts_apart"]

    inside = repaired.mask
    if touches_slab_edge(inside, native_slices, first_slice=box[0].start):
        flags |= RESULT_FLAGS["touches_slab_edge"]
    measured = trim(inside, region=region, recipe=recipe)
    left = int(np.count_nonzero(measured))
    if not left:
        flags |= RESULT_FLAGS["nothing_left_after_erosion"]
    measured = avoid_ends(measured, recipe, native_slices=native_slices, first_slice=box[0].start)
    statistics = fat_statistics(
        fat[box], water[box], measured,
        region=region, recipe=recipe, correct=correct, levels=levels or slab_levels(fat, water),
        native_slices=native_slices, first_slice=box[0].start,
    )  # fmt: skip
    if 2 * statistics.bmff_n < np.count_nonzero(measured):
        flags |= RESULT_FLAGS["low_signal"]
    voxels = int(np.count_nonzero(inside))
    x, y, z = centroid(inside, crop_affine(affine, box)).tolist()
    return Measurement(
        *statistics,
        voxels=voxels,
        volume=voxels * voxel_volume(affine),
        centroid_x=x,
        centroid_y=y,
        centroid_z=z,
        eroded_voxels=left,
        flags=flags,
    )


def trim(inside: Mask, *, region: Region, recipe: Recipe) -> Mask:
    """What of a repaired mask is measured, (z, y, x) bool: eroded in plane, of some regions the middle slices only."""
    eroded = erode_in_plane(inside, voxels=recipe.erosion[region.site])
    slices = recipe.longest.get(region.site)
    return eroded if slices is None else middle_slices(eroded, slices)


def avoid_ends(measured: Mask, recipe: Recipe, *, native_slices: int, first_slice: int) -> Mask:
    """Leave the ends of a slab out where something else is left, unless they are to count as 0 %."""
    if recipe.missing_is_zero or not recipe.end_slices:
        return measured
    clear = clear_of_ends(measured, recipe.end_slices, native_slices=native_slices, first_slice=first_slice)
    return clear if clear.any() else measured


def fat_statistics(
    fat: npt.NDArray[Any],
    water: npt.NDArray[Any],
    measured: Mask,
    *,
    region: Region,
    recipe: Recipe,
    levels: Levels,
    native_slices: int,
    first_slice: int = 0,
    correct: Correction | None = None,
) -> FatStatistics:
    """Summarise the fat fractions of the voxels of a mask, as `marrow_values` makes them; parameters as there."""
    if not measured.any():
        return FatStatistics()
    values = marrow_values(
        fat, water, measured, recipe=recipe, levels=levels, native_slices=native_slices, first_slice=first_slice
    )
    percent = values.percent if correct is None else correct(values.percent, region.name)
    summary = summarise(percent)
    if not summary.n:
        return FatStatistics()
    valued = ~np.isnan(values.fat)
    ratio = ratio_of_sums(values.fat[valued], values.water[valued])
    usable = has_signal(fat, water, measured, recipe, levels)
    found = doubt(
        fat, water, measured, usable, levels=levels, native_slices=native_slices, first_slice=first_slice,
        end_slices=0 if recipe.missing_is_zero else recipe.end_slices,
    )  # fmt: skip
    error = found.standard_error(WEIGHTS[region.site])
    if correct is not None:
        ratio = float(correct(np.array([ratio]), region.name)[0])
        error *= slope_at(correct, float(np.nanmean(values.percent)), region.name)
    return FatStatistics(summary.mean, summary.median, summary.sd, summary.iqr, ratio, error, summary.n)
