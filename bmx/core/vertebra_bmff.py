"""Bone marrow fat fraction of each vertebra of a spine."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bmx.core.bmff import Correction, avoid_ends, fat_statistics, trim
from bmx.core.geometry import crop_affine
from bmx.core.morphology import bounding_box, repair
from bmx.core.noise import Levels, slab_levels
from bmx.core.recipes import Recipe
from bmx.core.vertebrae import LEVELS, describe_vertebrae, split_vertebrae
from bmx.regions import REGIONS
from bmx.types import Affine, Mask

MOST = 12
"""Vertebrae that there is room for; slab 2 holds six or seven. Of more, the highest are kept."""


class VertebraMeasurement(NamedTuple):
    """All numbers that one vertebra gives, in an order that fits into one array."""

    vertebra_bmff: float = np.nan
    """Mean fat fraction over its part of the eroded mask, percent."""
    vertebra_bmff_median: float = np.nan
    vertebra_bmff_sd: float = np.nan
    vertebra_bmff_iqr: float = np.nan
    vertebra_bmff_ratio: float = np.nan
    vertebra_bmff_se: float = np.nan
    vertebra_bmff_n: float = 0
    vertebra_voxels: float = 0
    """Before erosion."""
    vertebra_volume: float = np.nan
    """mL"""
    vertebra_cut: float = 0
    """1 where it reaches the first or last slice: the rest of it may lie in the neighbouring slab."""
    vertebra_level: float = 0
    """1 for C1 to 24 for L5; 0 where no sacrum is seen from which to count."""
    centroid_x: float = np.nan
    """RAS+ mm"""
    centroid_y: float = np.nan
    centroid_z: float = np.nan


def measure_vertebrae_of(
    fat: npt.NDArray[Any],
    water: npt.NDArray[Any],
    mask: npt.NDArray[np.uint8],
    affine: Affine,
    native_slices: int,
    *,
    recipe: Recipe,
    correct: Correction | None = None,
    levels: Levels | None = None,
    sacrum: Mask | None = None,
) -> tuple[VertebraMeasurement, ...]:
    """Measure the vertebrae of one spine, from Superior to Inferior.

    The mask is repaired and eroded as a whole, then split: what is measured of the vertebrae is what is measured of
    the spine.

    Parameters
    ----------
    fat, water, mask, affine, native_slices, recipe, correct, levels : as in `bmx.core.bmff.measure_mask`
    sacrum : (z, y, x) bool, if it was segmented; the lowest vertebra is L5 if it lies next to it

    Returns
    -------
    At most `MOST`; none for an empty mask.

    Examples
    --------
    >>> from bmx.core.recipes import get_recipe
    >>> fat, water = np.full((60, 30, 30), 900, np.uint16), np.full((60, 30, 30), 100, np.uint16)
    >>> fat[:28] = 300
    >>> mask = np.zeros(fat.shape, np.uint8)
    >>> mask[5:25, 5:25, 5:25] = mask[30:50, 5:25, 5:25] = 1
    >>> found = measure_vertebrae_of(fat, water, mask, np.eye(3, 4), 60, recipe=get_recipe("none"))
    >>> [(one.vertebra_bmff, one.vertebra_voxels) for one in found]
    [(90.0, 8000), (75.0, 8000)]
    """
    spine = REGIONS["spine"]
    fat, water, drawn = fat[:native_slices], water[:native_slices], mask[:native_slices].astype(np.bool_)
    box = bounding_box(drawn, margin=max(recipe.reach, 1))
    if box is None:
        return ()
    inside = repair(drawn[box], one_piece=spine.one_piece).mask
    here, first = crop_affine(affine, box), box[0].start
    labels = split_vertebrae(inside, here)
    trimmed = trim(inside, region=spine, recipe=recipe)
    measured = avoid_ends(trimmed, recipe, native_slices=native_slices, first_slice=first)
    beside = None if sacrum is None else sacrum[:native_slices][box]
    levels = levels or slab_levels(fat, water)
    found = []
    for facts in describe_vertebrae(labels, here, sacrum=beside)[:MOST]:
        body = labels == facts.label
        statistics = fat_statistics(
            fat[box], water[box], measured & body,
            region=spine, recipe=recipe, correct=correct, levels=levels,
            native_slices=native_slices, first_slice=first,
        )  # fmt: skip
        slices = np.flatnonzero(body.any(axis=(1, 2))) + first
        found.append(
            VertebraMeasurement(
                *statistics,
                vertebra_voxels=int(np.count_nonzero(body)),
                vertebra_volume=facts.volume,
                vertebra_cut=float(slices[0] == 0 or slices[-1] >= native_slices - 1),
                vertebra_level=0 if facts.level is None else LEVELS.index(facts.level) + 1,
                centroid_x=float(facts.centroid[0]),
                centroid_y=float(facts.centroid[1]),
                centroid_z=float(facts.centroid[2]),
            )
        )
    return tuple(found)
