"""Measure bone marrow fat fraction (BMFF) inside masks (paper 2.8): of whole regions, and of single vertebrae."""

from bmx.core.recipes import DEFAULT_RECIPE, RECIPES, Recipe, get_recipe
from bmx.measurement.by_region import ORIGIN, measure
from bmx.measurement.by_vertebra import measure_vertebrae

__all__ = ["DEFAULT_RECIPE", "ORIGIN", "RECIPES", "Recipe", "get_recipe", "measure", "measure_vertebrae"]
