"""Organs of one person: sizes, places, and the loops of the bowel."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bmx.simulation.anatomy.contours import Contour
from bmx.simulation.painting.solids import Point


@dataclass(frozen=True, slots=True)
class Loop:
    """A short piece of bowel: a bent tube."""

    points: tuple[Point, ...]
    radius: float
    fat_percent: float
    """Of its contents."""
    gas: float
    """Share of its bore, from the front, that gas fills: gas rises in who lies on the back."""


@dataclass(frozen=True, slots=True)
class Organs:
    """What lies in chest and belly."""

    visceral: float
    """Fat in the cavity, 0 lean to 1 much."""
    domes: tuple[float, float]
    """Height of the diaphragm on the left and on the right at rest, mm."""
    liver: float
    """Size relative to middle."""
    liver_fat: float
    """Percent."""
    spleen: float
    kidneys: tuple[float, float]
    """Left, right."""
    kidney_places: tuple[Point, Point]
    heart: float
    lung_vessels: tuple[tuple[Point, ...], tuple[Point, ...]]
    """Ends of vessels in the left and right lung: distance from the midline, y, z, of a person of 170 cm."""
    stomach: tuple[float, float]
    """Size relative to middle, share that gas fills."""
    bladder: float
    """Radius, mm."""
    small_bowel: tuple[Loop, ...]
    colon: tuple[Loop, ...]
    shift: Point
    """By which all soft organs lie elsewhere than in the middle person, mm."""


def draw_organs(rng: np.random.Generator, cavity: Contour, *, size: float, visceral_kg: float, male: bool) -> Organs:
    """Draw organs into a cavity."""
    visceral = float(np.clip((visceral_kg - 0.1) / 2.4, 0, 1))
    domes = (size * rng.normal(333, 7), size * rng.normal(346, 7))
    return Organs(
        visceral=visceral,
        domes=domes,
        liver=float(rng.normal(1, 0.06) * (1.03 if male else 0.97)),
        liver_fat=float(np.clip(rng.lognormal(1.1, 0.6) + 6 * visceral * rng.random(), 1, 30)),
        spleen=float(rng.normal(1, 0.12)),
        kidneys=(float(rng.normal(1.02, 0.06)), float(rng.normal(0.98, 0.06))),
        kidney_places=tuple(
            (
                float(side * (60 + 8 * visceral) * size + rng.normal(0, 3)),
                float(-24 * size + rng.normal(0, 3)),
                float((238 if side < 0 else 224) * size + rng.normal(0, 7)),
            )
            for side in (-1, 1)
        ),  # type: ignore[arg-type]  # a pair
        heart=float(rng.normal(1, 0.06) * (1.05 if male else 0.95)),
        lung_vessels=(_draw_lung_vessels(rng), _draw_lung_vessels(rng)),
        stomach=(float(rng.normal(1, 0.12)), float(rng.uniform(0.1, 0.5))),
        bladder=float(rng.uniform(24, 44)),
        small_bowel=_draw_small_bowel(rng, cavity, size, visceral),
        colon=_draw_colon(rng, cavity, size),
        shift=(float(rng.normal(0, 3)), float(rng.normal(0, 3)), float(rng.normal(0, 6))),
    )


def _draw_lung_vessels(rng: np.random.Generator) -> tuple[Point, ...]:
    return tuple(
        (float(rng.uniform(55, 108)), float(rng.uniform(-78, 45)), float(rng.uniform(358, 512))) for _ in range(16)
    )


def _draw_small_bowel(rng: np.random.Generator, cavity: Contour, size: float, visceral: float) -> tuple[Loop, ...]:
    """Loops side by side in front of the spine; the more fat, the farther apart."""
    loops: list[Loop] = []
    apart = (21 + 9 * visceral) * size
    taken = np.empty((1500, 3))
    for _ in range(len(taken)):
        z = rng.uniform(-5, 215) * size
        left, right, front = (np.interp(z, cavity.z, values) for values in (cavity.left, cavity.right, cavity.front))
        radius = size * rng.uniform(9, 14)
        x = rng.uniform(-(left - radius - 14), right - radius - 14)
        y = rng.uniform(18, max(front - radius - 2, 20))
        if visceral > 0.3 and y > front - 18 and rng.random() < visceral:
            continue  # the omentum covers them
        place = np.array([x, y, z])
        if np.any((place - taken[: len(loops)]) ** 2 @ (1, 1, 0.7) < apart**2):
            continue
        taken[len(loops)] = place
        along = rng.normal(0, 1, 3) * (1, 0.6, 0.8)
        along *= size * rng.uniform(10, 24) / np.linalg.norm(along)
        bend = rng.normal(0, 5, 3)
        points = tuple((float(p[0]), float(p[1]), float(p[2])) for p in (place - along, place + bend, place + along))
        gas = float(rng.uniform(0.2, 0.7)) if rng.random() < 0.07 else 0.0
        loops.append(Loop(points, float(radius), float(rng.uniform(2, 12)), gas))
    return tuple(loops)


def _draw_colon(rng: np.random.Generator, cavity: Contour, size: float) -> tuple[Loop, ...]:
    """The frame of the large bowel: up on the right, across, down on the left, and through the pelvis."""

    def at(share: float, y: float, z: float) -> Point:
        half = np.interp(z * size, cavity.z, cavity.left if share < 0 else cavity.right)
        jitter = rng.normal(0, 3, 3)
        return float(share * half + jitter[0]), float(y * size + jitter[1]), float(z * size + jitter[2])

    sag = rng.uniform(0, 70)  # the transverse part hangs down more or less
    path = [
        at(0.62, 22, 55), at(0.74, 12, 95), at(0.78, 2, 140), at(0.79, -8, 185), at(0.74, 8, 222),
        at(0.45, 44, 222 - 0.6 * sag), at(0.1, 54, 218 - sag), at(-0.3, 50, 226 - 0.8 * sag), at(-0.62, 22, 262),
        at(-0.8, -18, 285), at(-0.84, -24, 230), at(-0.83, -22, 175), at(-0.82, -16, 120), at(-0.78, 0, 75),
        at(-0.5, 18, 48), at(-0.1, 12, 62), at(0.15, -22, 40), at(0.0, -52, 12), at(0, -60, -25), at(0, -50, -62),
    ]  # fmt: skip
    widths = [24, 23, 22, 20, 19, 18, 17, 17, 17, 17, 13, 12, 12, 12, 13, 14, 14, 17, 17, 12]
    loops = []
    for index, (start, end) in enumerate(pairwise(path)):
        parts = 3
        for part in range(parts):
            a, b = (
                np.add(np.multiply(start, 1 - t), np.multiply(end, t)) for t in (part / parts, (part + 0.75) / parts)
            )
            radius = size * widths[index] * rng.uniform(0.82, 1.12)
            gas = (
                float(rng.uniform(0.15, 0.75))
                if rng.random() < (0.5 if index in (4, 5, 6, 7, 8, 17) else 0.22)
                else 0.0
            )
            points = ((float(a[0]), float(a[1]), float(a[2])), (float(b[0]), float(b[1]), float(b[2])))
            loops.append(Loop(points, float(radius), float(rng.uniform(4, 22)), gas))
    return tuple(loops)
