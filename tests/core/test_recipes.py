from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bmx.core.recipes import RECIPES, Recipe, get_recipe, recipe_for_plan, recipe_of_plan
from bmx.regions import REGIONS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"smoothing": "gaussian"}, r"no smoothing is called 'gaussian'; expected one of none, .*gaussian_in_plane"),
        ({"width": -1}, "the width of the smoothing inside is -1; expected 0 or more voxels"),
        ({"width": 1.9}, "the width of the smoothing inside is 1.9; .* a whole number unless"),
        ({"width": float("nan")}, "the width of the smoothing inside is nan"),
        ({"smoothing": "gaussian_in_plane", "width": float("inf")}, "gaussian_in_plane is inf"),
        ({"longest": {"diaphysis": 3}}, r"longest names 'diaphysis', .* \(did you mean femoral_diaphysis\?\)"),
        (
            {"longest": {"femoral_diaphysis": 0}},
            "longest of femoral_diaphysis is 0; expected a whole number, 1 or more",
        ),
        ({"erosion": {"total_hip_right": 1}}, r"erosion names 'total_hip_right', .* \(did you mean total_hip\?\)"),
        ({"erosion": {"spine": -1}}, "erosion of spine is -1; expected a whole number, 0 or more"),
        ({"erosion": {"spine": 0.5}}, "erosion of spine is 0.5; expected a whole number"),
        ({"low_signal": float("nan")}, "low_signal is nan; expected a share of the bright level"),
        ({"low_signal": 5}, "low_signal is 5; expected a share"),
        ({"low_signal_marrow": 1}, "low_signal_marrow is 1; expected a share of the median of the mask"),
        ({"low_signal_noise": -1}, "low_signal_noise is -1; expected 0 or more standard deviations"),
        ({"end_slices": -3}, "end_slices is -3; expected a whole number, 0 or more"),
    ],
)
def test_recipe__refuses_what_would_have_no_effect_or_another_one(change: dict[str, Any], message: str) -> None:
    """The attributes of the results would claim what was never done."""
    with pytest.raises(ValueError, match=message):
        replace(get_recipe("mask_aware"), **change)


def test_recipe__erodes_regions_that_it_doesn_t_name_as_the_paper_does() -> None:
    """Whoever changes one region leaves the others alone."""
    mine = replace(get_recipe("mask_aware"), erosion={"spine": 2})
    expected = {region.name: region.erosion for region in REGIONS.values()}
    assert mine.erosion == expected | {"spine": 2}
    assert all(recipe.erosion == expected for recipe in RECIPES.values())


def test_recipe__a_gaussian_may_have_any_width() -> None:
    """A box has a radius in whole voxels."""
    assert Recipe("mine", "", smoothing="gaussian_in_plane", width=1.5).reach == 6


def test_recipe_for_plan__is_text_whatever_numbers_were_given() -> None:
    """A plan is JSON, which knows no NumPy."""
    mine = replace(get_recipe("paper"), name="mine", erosion={"spine": np.int64(2)}, end_slices=np.int64(1))
    assert recipe_of_plan(json.loads(json.dumps(recipe_for_plan(mine)))) == mine
