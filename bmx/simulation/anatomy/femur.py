"""One thigh bone, from its head to the knee."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bmx.simulation.painting.solids import Point

FEMORAL_REGIONS = ("femoral_head", "total_hip", "femoral_diaphysis")


@dataclass(frozen=True, slots=True)
class Femur:
    """Size and place of one femur; a canal of marrow inside a cortex that is thickest at the isthmus."""

    side: int
    """-1 for the left, +1 for the right: the sign of x."""
    head: Point
    """Centre of the head."""
    head_radius: float
    neck_end: Point
    """Where the axes of neck and shaft meet."""
    neck_radius: float
    knee: Point
    """Middle between the condyles, at the joint line."""
    bow: float
    """How far the shaft bends forward in its middle, mm."""
    shaft_radius: float
    isthmus_z: float
    """Height of the narrowest part of the medullary canal."""
    canal_radius: float
    """Of the medullary canal at the isthmus."""
    bmff: Mapping[str, float]
    """Percent, of femoral_head, total_hip and femoral_diaphysis."""
    marbling: float
    """SD of the marrow's fat fraction over distances of a centimetre, percentage points."""
    dark_lines: tuple[tuple[Point, Point, float], ...] = ()
    """Sclerotic sheets across the proximal femur: a point, the normal, half the thickness in mm."""
    implant: bool = False
    """Whether a metal stem replaces head and neck: signal is lost there and around."""


def draw_femur(side: int, person: Mapping[str, Any], size: float, bone: float, rng: np.random.Generator) -> Femur:
    """Draw one femur; `side` is -1 on the left, +1 on the right.

    Hip to hip 178 mm and hip to knee 406 mm at a height of 170 cm; a head of 44 to 50 mm.
    """
    head_x = side * 89 * size**0.8 * rng.normal(1, 0.02)
    angle = np.deg2rad(rng.normal(128, 4))  # between neck and shaft
    forward = np.deg2rad(rng.normal(12, 4))  # anteversion: the head lies in front of the shaft's axis
    length = bone * rng.normal(51, 2)
    across = length * np.sin(angle)
    head = (head_x, rng.normal(0, 2), rng.normal(0, 1.5))
    neck_end = (
        head_x + side * across * np.cos(forward), head[1] - across * np.sin(forward), head[2] + length * np.cos(angle)
    )  # fmt: skip
    return Femur(
        side=side,
        head=head,
        head_radius=bone * rng.normal(23.6, 0.5),
        neck_end=neck_end,
        neck_radius=bone * rng.normal(15.2, 0.6),
        knee=(side * 78 * size + rng.normal(0, 5), rng.normal(2, 6), -406 * size * rng.normal(1, 0.02)),
        bow=rng.normal(9, 3),
        shaft_radius=bone * rng.normal(14.0, 0.5),
        isthmus_z=-size * rng.normal(192, 9),
        canal_radius=bone**0.5 * rng.normal(5.8, 0.25),
        bmff={name: float(np.clip(person[f"bmff_{name}"] + rng.normal(0, 0.7), 3, 97)) for name in FEMORAL_REGIONS},
        marbling=float(rng.uniform(1, 3)),
    )
