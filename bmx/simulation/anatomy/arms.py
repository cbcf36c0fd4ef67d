"""Arms of one person: at the sides, partly out of the field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bmx.simulation.anatomy.contours import Contour
from bmx.simulation.anatomy.trunk import half_width
from bmx.simulation.painting.solids import Point


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm, from the shoulder to the hand."""

    side: int
    """-1 left, +1 right."""
    shoulder: Point
    """Centre of the head of the humerus."""
    elbow: Point
    wrist: Point
    fingers: Point
    """Tips."""
    girth: tuple[float, float, float, float]
    """Radius of muscle at the deltoid, the upper arm, the forearm and the wrist, mm."""
    fat: tuple[float, float]
    """Subcutaneous fat of upper arm and forearm, mm."""
    turn: float
    """How far the forearm is turned about its axis, radians."""


def draw_arm(
    rng: np.random.Generator, side: int, skin: Contour, *, size: float, bulk: float, fat: float, male: bool
) -> Arm:
    """Draw an arm that lies beside the trunk; now and then the hand lies on the thigh."""
    sex = 1.0 if male else 0.88
    pad = (5.0 if male else 9.0) * fat**0.9, (4.0 if male else 5.5) * fat**0.7
    upper, fore = 40 * size * bulk * sex, 33 * size * bulk * sex
    shoulder = (side * 168 * size * (1.0 if male else 0.93) * bulk**0.5, -42 * size, 462 * size)
    elbow_z, wrist_z = 178 * size + rng.normal(0, 8), -48 * size + rng.normal(0, 10)
    gap = rng.uniform(2, 16)
    elbow_x = max(half_width(skin, side, elbow_z), half_width(skin, side, elbow_z + 60)) + upper + pad[0] + gap
    on_thigh = rng.random() < 0.2
    wrist_x = half_width(skin, side, wrist_z) + 22 * size + pad[1] + rng.uniform(2, 16)
    wrist = (side * wrist_x, rng.normal(0, 12), wrist_z)
    fingers = (side * (wrist_x - rng.uniform(0, 14)), wrist[1] + rng.uniform(0, 18), wrist_z - 165 * size)
    if on_thigh:
        wrist = (side * (wrist_x - 30), 70 * size, wrist_z)
        fingers = (side * (wrist_x - 85), 105 * size + 10 * fat, wrist_z - 140 * size)
    return Arm(
        side=side,
        shoulder=shoulder,
        elbow=(side * elbow_x, rng.normal(-42, 8), elbow_z),
        wrist=wrist,
        fingers=fingers,
        girth=(50 * size * bulk * sex, upper, fore, 21 * size * sex),
        fat=pad,
        turn=float(rng.normal(0, 0.4)),
    )
