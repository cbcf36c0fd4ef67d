"""People at the edges of what the protocol expects: very short, very tall, very lean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bmx.simulation.faults.base import Fault, FaultKind

Person = Mapping[str, Any]

_FAT_WITH_BMI = {
    "android_fat": 1.2, "trunk_fat": 1.0, "gynoid_fat": 0.8, "legs_fat": 0.8, "total_fat": 0.9, "vat_mass": 2.4,
}  # fmt: skip
"""Powers of BMI that DXA variables of fat go with."""


def very_short(person: Person, rng: np.random.Generator) -> tuple[Person, Fault]:
    """Someone of 142 to 150 cm; BMI stays."""
    return _with_height("very_short", person, rng.uniform(142, 150))


def very_tall(person: Person, rng: np.random.Generator) -> tuple[Person, Fault]:
    """Someone of 195 to 203 cm; BMI stays."""
    return _with_height("very_tall", person, rng.uniform(195, 203))


def very_lean(person: Person, rng: np.random.Generator) -> tuple[Person, Fault]:
    """Someone of BMI 16.5 to 18; fat by DXA goes down with it, bone densities stay."""
    bmi = round(float(rng.uniform(16.5, 18)), 2)
    leaner = bmi / person["bmi"]
    fats = {name: person[name] * leaner**power for name, power in _FAT_WITH_BMI.items() if name in person}
    return {**person, **fats, "bmi": bmi}, Fault("very_lean", detail=f"bmi={bmi}")


def _with_height(name: str, person: Person, height: float) -> tuple[Person, Fault]:
    # To half a centimetre, as heights are drawn.
    height = round(2 * height) / 2
    return {**person, "height": height}, Fault(name, detail=f"height_cm={height}")


KINDS = (
    FaultKind("very_short", "person", "a person of 142 to 150 cm", very_short),
    FaultKind("very_tall", "person", "a person of 195 to 203 cm", very_tall),
    FaultKind("very_lean", "person", "a person with a BMI of 16.5 to 18 kg/m2", very_lean),
)
