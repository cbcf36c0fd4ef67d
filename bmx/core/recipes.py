"""The named ways from fat and water inside a mask to fat fractions, with everything that decides a number declared."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, Literal, get_args

from bmx.errors import did_you_mean
from bmx.regions import REGIONS

Smoothing = Literal["none", "inside", "neighbours", "gaussian_in_plane"]

_PAPER_EROSION = {region.name: region.erosion for region in REGIONS.values()}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How fat fractions are computed and a mask is trimmed before they are summarised.

    A recipe of your own is `dataclasses.replace(get_recipe("mask_aware"), name="mine", width=2)`.

    Raises
    ------
    ValueError
        If a value is none that it can have, or a region isn't one of the paper's: it would have no effect.
    """

    name: str
    meaning: str
    smoothing: Smoothing = "none"
    """Of fat and water, before their ratio. `inside`: mean over the voxels of a box that are measured, too, so that
    nothing is averaged across the border; `neighbours`: mean over all voxels of the box; `gaussian_in_plane`."""
    width: float = 0
    """Radius of the box, a whole number, or sigma of the Gaussian, in voxels."""
    erosion: Mapping[str, int] = field(default_factory=lambda: dict(_PAPER_EROSION))
    """Layers taken off the mask in plane, in voxels, by region; the paper's of regions that aren't named."""
    low_signal: float = 0
    """A voxel whose F + W lies below this share of the slab's bright level (its fatty tissue) has no fat fraction."""
    low_signal_noise: float = 0
    """Nor one whose F + W lies below so many standard deviations of its noise."""
    low_signal_marrow: float = 0
    """Nor one whose F + W lies below this share of the median of the mask: a line of bone across the marrow."""
    end_slices: int = 0
    """Slices at each end of the slab, where wrap-around ghosts lie, that have no fat fraction, unless nothing else is
    left of the mask."""
    longest: Mapping[str, int] = field(default_factory=dict)
    """Of these regions, only so many slices in the middle of the mask are measured."""
    missing_is_zero: bool = False
    """Whether a voxel without a fat fraction enters the statistics as 0 %, rather than not at all."""

    def __post_init__(self) -> None:
        if self.smoothing not in get_args(Smoothing):
            raise ValueError(
                f"no smoothing is called {self.smoothing!r}; {did_you_mean(str(self.smoothing), get_args(Smoothing))}"
            )
        whole = self.smoothing == "gaussian_in_plane" or self.width % 1 == 0
        if not (whole and math.isfinite(self.width) and self.width >= 0):
            raise ValueError(
                f"the width of the smoothing {self.smoothing} is {self.width}; expected 0 or more voxels, "
                "and a whole number unless it is gaussian_in_plane"
            )
        for name, by_region, least in (("erosion", self.erosion, 0), ("longest", self.longest, 1)):
            for region, voxels in by_region.items():
                if region not in REGIONS:
                    raise ValueError(
                        f"{name} names {region!r}, no region of the paper; {did_you_mean(region, REGIONS)}"
                    )
                _check_whole(f"{name} of {region}", voxels, least=least)
        _check_whole("end_slices", self.end_slices, least=0)
        for name, share, whole_of in (
            ("low_signal", self.low_signal, "the bright level"),
            ("low_signal_marrow", self.low_signal_marrow, "the median of the mask"),
        ):
            if not 0 <= share < 1:
                raise ValueError(f"{name} is {share}; expected a share of {whole_of}, from 0 to below 1")
        if not (math.isfinite(self.low_signal_noise) and self.low_signal_noise >= 0):
            raise ValueError(f"low_signal_noise is {self.low_signal_noise}; expected 0 or more standard deviations")
        # Plain numbers: they are written into a plan.
        erosion = {region: int(voxels) for region, voxels in self.erosion.items()}
        object.__setattr__(self, "erosion", _PAPER_EROSION | erosion)
        object.__setattr__(self, "longest", {region: int(slices) for region, slices in self.longest.items()})
        object.__setattr__(self, "end_slices", int(self.end_slices))

    @property
    def smooths_across(self) -> bool:
        """Whether a voxel of the mask takes signal from outside it, and from where there is none."""
        return self.smoothing in ("neighbours", "gaussian_in_plane")

    @property
    def reach(self) -> int:
        """How far in voxels the smoothing of a voxel looks."""
        # SciPy cuts a Gaussian at four sigma.
        return int(4 * self.width + 0.5) if self.smoothing == "gaussian_in_plane" else int(self.width)

    @property
    def attrs(self) -> dict[str, Any]:
        """What a results Dataset says of how it was made; erosion stands beside each region."""
        return {
            "recipe": self.name,
            "recipe_meaning": self.meaning,
            "recipe_smoothing": self.smoothing,
            "recipe_width": float(self.width),
            "recipe_low_signal": float(self.low_signal),
            "recipe_low_signal_noise": float(self.low_signal_noise),
            "recipe_low_signal_marrow": float(self.low_signal_marrow),
            "recipe_end_slices": self.end_slices,
            "recipe_longest": ", ".join(f"{region} {slices}" for region, slices in self.longest.items()),
            "recipe_missing_is_zero": self.missing_is_zero,
        }


def _check_whole(name: str, value: object, *, least: int) -> None:
    if not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} is {value!r}; expected a whole number, {least} or more")


DEFAULT_RECIPE = "mask_aware"

RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            DEFAULT_RECIPE,
            "fat and water averaged over the nearest neighbours that are measured, too; no signal, no value",
            smoothing="inside",
            width=1,
            # Cortex gives 5 % of the signal of marrow and metal none; marrow that is dark from iron gives 15 %,
            # and is a measurement. Below five SDs of noise, noise alone shows 50 % fat.
            low_signal=0.05,
            low_signal_noise=5,
            # The authors' masks end at bone (2.6), which networks draw across. Healthy marrow has no such voxel.
            low_signal_marrow=0.5,
            # Two to four slices hold ghosts. Without three the spine's bias is half of what it is with all.
            end_slices=3,
        ),
        Recipe(
            "paper",
            "section 2.8: fat and water averaged over all nearest neighbours, also across the border of the mask",
            smoothing="neighbours",
            width=1,
        ),
        Recipe(
            "released_code",
            "the authors' program: smoothed in plane; slices at the slab's ends and voxels without signal count 0 %",
            smoothing="gaussian_in_plane",
            width=2,
            end_slices=4,
            longest={"femoral_diaphysis": 7},
            missing_is_zero=True,
        ),
        Recipe("none", "the ratio of fat and water as acquired"),
    )
}


def get_recipe(recipe: str | Recipe) -> Recipe:
    """Give the recipe called `recipe`, or name the closest one; a Recipe is given back.

    Examples
    --------
    >>> get_recipe("none").smoothing
    'none'
    >>> get_recipe("papper")
    Traceback (most recent call last):
    ...
    ValueError: no recipe is called 'papper'; expected one of mask_aware, paper, ... (did you mean paper?)
    """
    if isinstance(recipe, Recipe):
        return recipe
    if recipe in RECIPES:
        return RECIPES[recipe]
    raise ValueError(f"no recipe is called {recipe!r}; {did_you_mean(recipe, RECIPES)}")


def recipe_for_plan(recipe: str | Recipe) -> str | dict[str, Any]:
    """What a plan keeps of a recipe: the name of one of ours, all numbers of another, even if it has our name.

    Examples
    --------
    >>> recipe_for_plan("none"), recipe_for_plan(RECIPES["paper"])
    ('none', 'paper')
    >>> wide = dataclasses.replace(RECIPES["paper"], width=2)
    >>> recipe_for_plan(wide)["width"], recipe_of_plan(recipe_for_plan(wide)) == wide
    (2, True)
    """
    chosen = get_recipe(recipe)
    return chosen.name if RECIPES.get(chosen.name) == chosen else dataclasses.asdict(chosen)


def recipe_of_plan(kept: str | Mapping[str, Any]) -> Recipe:
    """The recipe that `recipe_for_plan` kept."""
    return get_recipe(kept) if isinstance(kept, str) else Recipe(**kept)
