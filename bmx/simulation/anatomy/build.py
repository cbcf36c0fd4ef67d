"""Soft tissue of one person: outlines, fat, organs, and where chance made them irregular."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bmx.simulation.anatomy.arms import Arm, draw_arm
from bmx.simulation.anatomy.contours import Contour
from bmx.simulation.anatomy.legs import draw_leg
from bmx.simulation.anatomy.organs import Organs, draw_organs
from bmx.simulation.anatomy.trunk import draw_trunk
from bmx.simulation.painting.textures import Texture

_TYPICAL_BMI = 22.5
_TYPICAL = {"legs_fat": (21.1, 36.4), "android_fat": (29.0, 33.0), "vat_mass": (0.9, 0.45)}
"""Means of men and women at that BMI: percent, percent, kg."""


@dataclass(frozen=True, slots=True)
class Build:
    """Everything soft about one person, in body mm."""

    skin: Contour
    """Of the trunk."""
    fascia: Contour
    """Outer surface of the trunk's muscles, under the subcutaneous fat."""
    cavity: Contour
    """Inside of rib cage, wall of the belly and pelvis."""
    leg_skin: tuple[Contour, Contour]
    """Left, right; x and y count from the axis of the leg."""
    leg_fascia: tuple[Contour, Contour]
    arms: tuple[Arm, Arm]
    """Left, right."""
    bulk: float
    """Girth of muscle relative to middle."""
    fat: float
    """Thickness of the subcutaneous fat relative to a BMI of 22.5."""
    muscle_fat: float
    """Two-point fat fraction of muscle between its streaks, percent."""
    fat_between: float
    """Width of the fat planes between muscles, mm."""
    breasts: tuple[float, float]
    """Radius of the left and the right one, mm; 0 in men."""
    organs: Organs
    skin_waves: Texture
    """Gentle unevenness of the skin."""
    fascia_waves: Texture
    """Unevenness of the border between subcutaneous fat and muscle."""
    streaks: Texture
    """Fat in muscle, drawn out along its fibres."""
    mottle: Texture
    """Irregularity of organs."""


def draw_build(person: Mapping[str, Any], size: float, rng: np.random.Generator) -> Build:
    """Draw the soft tissue of a person.

    Parameters
    ----------
    person : sex, bmi (kg m-2), age (years); if known legs_fat, android_fat (percent), vat_mass (kg)
    size : length of the skeleton relative to a height of 170 cm
    """
    male = person["sex"] == "Male"
    leanness = float(person["bmi"]) / _TYPICAL_BMI
    bulk = leanness**0.33 * rng.normal(1, 0.02)
    fat = float(np.clip(leanness**1.9 * rng.normal(1, 0.1), 0.25, 4.2))
    legs, android = (_relative(person, name, male, leanness) for name in ("legs_fat", "android_fat"))
    visceral_kg = float(person.get("vat_mass", _TYPICAL["vat_mass"][0 if male else 1] * np.exp(2.4 * (leanness - 1))))
    visceral_kg = float(np.clip(visceral_kg, 0.05, 7))
    skin, fascia, cavity = draw_trunk(
        rng, male=male, size=size, bulk=bulk, fat=fat, android=android, visceral_kg=visceral_kg
    )
    left, right = (draw_leg(rng, side, male=male, size=size, bulk=bulk, fat=fat * legs) for side in (-1, 1))
    breast = 0.0 if male else size * float(np.clip(rng.normal(44, 5) + 14 * (leanness - 1), 28, 72))
    old = (float(person["age"]) - 60) / 10
    return Build(
        skin=skin,
        fascia=fascia,
        cavity=cavity,
        leg_skin=(left[0], right[0]),
        leg_fascia=(left[1], right[1]),
        arms=(
            draw_arm(rng, -1, skin, size=size, bulk=bulk, fat=fat, male=male),
            draw_arm(rng, +1, skin, size=size, bulk=bulk, fat=fat, male=male),
        ),
        bulk=bulk,
        fat=fat,
        muscle_fat=float(np.clip(rng.normal(5.5, 1.2) + 1.2 * old + 4 * (leanness - 1), 2.5, 14)),
        fat_between=float(np.clip(rng.normal(1.7, 0.25) * leanness**0.8 + 0.2 * old, 0.8, 4)),
        breasts=(breast, breast * rng.normal(1, 0.05)),
        organs=draw_organs(rng, cavity, size=size, visceral_kg=visceral_kg, male=male),
        skin_waves=Texture.draw(rng, (70, 70, 80)),
        fascia_waves=Texture.draw(rng, (32, 32, 45)),
        streaks=Texture.draw(rng, (9, 9, 34)),
        mottle=Texture.draw(rng, (26, 26, 26)),
    )


def _relative(person: Mapping[str, Any], name: str, male: bool, leanness: float) -> float:
    """How far a fat percentage departs from what sex and BMI let expect, as a factor."""
    usual = _TYPICAL[name][0 if male else 1] * leanness**0.8
    return float(np.clip(person.get(name, usual) / usual, 0.7, 1.4) ** 0.7)
