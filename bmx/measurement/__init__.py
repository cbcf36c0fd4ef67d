"""Measure bone marrow fat fraction (BMFF) inside masks (paper 2.8)."""

from bmx.measurement.by_region import ORIGIN, RECIPES, Recipe, get_recipe, measure

__all__ = ["ORIGIN", "RECIPES", "Recipe", "get_recipe", "measure"]
