"""The true BMFF of a region under each recipe: what a perfect measurement by that recipe would give.

Worked out on noise-free water and fat inside the true mask, so that what a recipe itself does to the
number (bleeding across a thin border, zeros that enter a mean) stands apart from noise and segmentation.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from bmx.core.bmff import avoid_ends, trim
from bmx.core.marrow_values import marrow_values
from bmx.core.morphology import bounding_box
from bmx.core.noise import slab_levels
from bmx.core.recipes import RECIPES as OF_MEASURE
from bmx.core.recipes import Recipe
from bmx.regions import Region
from bmx.simulation.bodies import SimulatedSlab

RECIPES: Final = tuple(OF_MEASURE)
"""Those of `bmx.measure`."""


def true_bmff(slab: SimulatedSlab, region: Region) -> dict[str, float]:
    """Mean two-point fat fraction of a region under each recipe, percent; NaN where no voxel is left."""
    return {name: _mean(slab, region, recipe) for name, recipe in OF_MEASURE.items()}


def _mean(slab: SimulatedSlab, region: Region, recipe: Recipe) -> float:
    mask, clean = slab.masks[region.name], slab.clean
    box = bounding_box(mask, margin=recipe.reach)
    if box is None:
        return float("nan")
    trimmed = trim(mask[box], region=region, recipe=recipe)
    measured = avoid_ends(trimmed, recipe, native_slices=len(mask), first_slice=box[0].start)
    values = marrow_values(
        clean.fat[box], clean.water[box], measured,
        recipe=recipe, levels=slab_levels(clean.fat, clean.water), native_slices=len(mask), first_slice=box[0].start,
    )  # fmt: skip
    percent = values.percent[~np.isnan(values.percent)]
    return float(percent.mean(dtype=np.float64)) if percent.size else float("nan")
