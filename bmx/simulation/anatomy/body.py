"""Everything that is painted of one person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bmx.simulation.anatomy.build import Build, draw_build
from bmx.simulation.anatomy.femur import Femur, draw_femur
from bmx.simulation.anatomy.spine import Spine, draw_spine
from bmx.simulation.painting.textures import Texture

MARBLE_MM = 9.0
"""Distance over which the fat fraction of marrow varies."""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The body of one person in millimetres: x to the Right, y Anterior, z Superior; hip joints at z = 0."""

    size: float
    """Length of the skeleton relative to a height of 170 cm."""
    male: bool
    spine: Spine
    femora: tuple[Femur, Femur]
    """Left, right."""
    build: Build
    """Soft tissue."""
    marrow: Texture
    """Marbling of all marrow."""
    bmff_pelvis: float
    """Percent."""
    marrow_signal: float = 1.0
    """1 in health; towards 0 where disease has depleted the marrow's signal."""


def draw_anatomy(person: Mapping[str, Any], rng: np.random.Generator) -> Anatomy:
    """Draw the body of a person (a row of `bmx.simulation.people.draw_people`).

    Lengths follow height; bones are thicker in men, beyond what their height explains; girth and fat
    follow BMI, sex and age; left and right differ by a few percent.
    """
    male = person["sex"] == "Male"
    # Each part draws from a stream of its own: what is changed in one leaves the others as they were.
    rng, for_left, for_right, for_spine, for_build, for_marrow = rng.spawn(6)
    size = person["height"] / 170 * rng.normal(1, 0.01)
    bone = size**0.75 * (1.025 if male else 0.97) * rng.normal(1, 0.02)
    left = draw_femur(-1, person, size, bone, for_left)
    right = draw_femur(+1, person, size, bone * rng.normal(1, 0.015), for_right)
    return Anatomy(
        size=size,
        male=male,
        spine=draw_spine(person, size, bone, for_spine),
        femora=(left, right),
        build=draw_build(person, size, for_build),
        marrow=Texture.draw(for_marrow, MARBLE_MM),
        bmff_pelvis=float(np.clip(person["bmff_spine"] + rng.normal(12, 4), 3, 96)),
    )
