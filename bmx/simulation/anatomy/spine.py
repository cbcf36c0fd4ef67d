"""The spine from T1 to the sacrum: sizes of its vertebrae, its curve, and how far it bends to the side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bmx.simulation.painting.solids import Axes, Point

LEVELS = (*(f"T{number}" for number in range(1, 13)), *(f"L{number}" for number in range(1, 6)))
"""Vertebrae that are painted, from the neck down."""

_WIDTH_MM = (31, 30, 29, 28.5, 29, 30, 31, 32.5, 34, 36.5, 39, 41.5, 43, 45, 47, 49, 50.5)
_DEPTH_MM = (18, 19.5, 21, 23, 24.5, 26, 27, 28, 29, 30, 31, 32, 33, 34, 34.5, 35, 35)
_HEIGHT_MM = (16.5, 17, 17.5, 18, 18.5, 19, 19.5, 20.5, 21.5, 22.5, 24, 25.5, 26.5, 27, 27, 27, 27)
_DISC_MM = (3.5, 3.5, 3.5, 3.5, 3.5, 4, 4, 4.5, 4.5, 5, 5.5, 6.5, 8, 9.5, 10.5, 11, 10.5)
"""Of a bone of middle size, by level; the disc is the one below. Rounded from morphometric studies of adults."""

_LEAN_DEG = {"T1": 22, "T4": 12, "T7": 0, "T10": -9, "T12": -13, "L1": -12, "L3": -1, "L4": 8, "L5": 21}
"""How far the upward axis leans forward: kyphosis above, lordosis below."""

_TURN = 0.35
"""Vertebrae rotate about their axis as they tilt to the side."""


@dataclass(frozen=True, slots=True)
class Vertebra:
    """One vertebra; its body is a rounded column with a waist and hollow endplates."""

    name: str
    centre: Point
    """Of the body, mm."""
    axes: Axes
    """Unit vectors to its right, front and top, as rows."""
    radius_x: float
    radius_y: float
    height: float
    """In the middle of its body."""
    bmff: float
    """Percent."""
    marbling: float
    """SD of its marrow's fat fraction over distances of a centimetre, percentage points."""
    front: float = 1.0
    """Height at the front relative to the back; a fracture makes it smaller."""


@dataclass(frozen=True, slots=True)
class Spine:
    """All vertebrae, and the sacrum below."""

    vertebrae: tuple[Vertebra, ...]
    """T1 first, L5 last."""
    disc_heights: tuple[float, ...]
    """Of the disc below each vertebra, mm."""
    disc_signal: tuple[float, ...]
    """Of each disc's nucleus: 1 is moist, 0 dry."""
    promontory: Point
    """Middle of the upper end of the sacrum."""
    sacrum_lean: float
    """How far the sacrum's upward axis leans forward, radians."""
    bmff_sacrum: float


def draw_spine(person: Mapping[str, Any], size: float, bone: float, rng: np.random.Generator) -> Spine:
    """Draw a spine from the sacrum up.

    Parameters
    ----------
    size : length of the skeleton relative to 170 cm
    bone : thickness of bones relative to middle
    """
    count = len(LEVELS)
    lean = _draw_lean(rng)
    tilt = _sideways(rng, abs(rng.normal(0, 2.0)))
    height = size * np.array(_HEIGHT_MM) * rng.normal(1, 0.015, count)
    disc = size * np.array(_DISC_MM) * np.clip(rng.normal(1 - 0.008 * (person["age"] - 60), 0.12, count), 0.35, 1.4)
    moist = np.clip(rng.normal(0.75 - 0.01 * (person["age"] - 60), 0.2, count), 0, 1)
    width = bone * np.array(_WIDTH_MM) / 2 * rng.normal(1, 0.015, count)
    depth = bone * np.array(_DEPTH_MM) / 2 * rng.normal(1, 0.015, count)
    slope = rng.normal(0.35, 0.25)  # BMFF rises towards the sacrum
    promontory = np.array([rng.normal(0, 2), -26 * size + rng.normal(0, 4), 79 * size + rng.normal(0, 4)])
    vertebrae = [
        Vertebra(
            name=name,
            centre=(0.0, 0.0, 0.0),
            axes=_axes(lean[index], tilt[index], _TURN * tilt[index]),
            radius_x=float(width[index]),
            radius_y=float(depth[index]),
            height=float(height[index]),
            bmff=float(np.clip(person["bmff_spine"] + rng.normal(0, 2) + slope * (index - 11), 3, 96)),
            marbling=float(rng.uniform(2, 6)),
        )
        for index, name in enumerate(LEVELS)
    ]
    return Spine(
        vertebrae=_stacked(vertebrae, disc.tolist(), promontory.tolist()),
        disc_heights=tuple(map(float, disc)),
        disc_signal=tuple(map(float, moist)),
        promontory=(float(promontory[0]), float(promontory[1]), float(promontory[2])),
        sacrum_lean=float(lean[-1] + np.deg2rad(rng.normal(20, 5))),
        bmff_sacrum=float(np.clip(person["bmff_spine"] + rng.normal(6, 3), 3, 96)),
    )


def _draw_lean(rng: np.random.Generator) -> np.ndarray:
    """Forward lean of each vertebra, radians: both curves vary in depth from person to person."""
    known = [LEVELS.index(name) for name in _LEAN_DEG]
    degrees = np.array(list(_LEAN_DEG.values()), float)
    lordosis, kyphosis = np.clip(rng.normal(1, 0.25, 2), 0.3, 1.7)
    factor = np.where(np.array(known) >= LEVELS.index("L1"), lordosis, kyphosis)
    leans: np.ndarray = np.deg2rad(np.interp(np.arange(len(LEVELS)), known, degrees * factor) + rng.normal(0, 1))
    return leans


def bend(spine: Spine, degrees: float, rng: np.random.Generator) -> Spine:
    """Give a spine a scoliosis whose most tilted vertebra leans `degrees` to a side."""
    tilt = _sideways(rng, degrees)
    bent = []
    for vertebra, angle in zip(spine.vertebrae, tilt, strict=True):
        up = vertebra.axes[2]
        bent.append(replace(vertebra, axes=_axes(float(np.arctan2(up[1], up[2])), angle, _TURN * angle)))
    return replace(spine, vertebrae=_stacked(bent, spine.disc_heights, spine.promontory))


def _stacked(
    vertebrae: Sequence[Vertebra], discs: Sequence[float], promontory: Sequence[float]
) -> tuple[Vertebra, ...]:
    """Put each vertebra upon the disc below it, from the sacrum up."""
    placed: list[Vertebra] = []
    place = np.asarray(promontory, float)
    for vertebra, disc in zip(reversed(vertebrae), reversed(discs), strict=True):
        up = vertebra.axes[2]
        x, y, z = (place + up * (disc + vertebra.height / 2)).tolist()
        placed.append(replace(vertebra, centre=(x, y, z)))
        place = place + up * (disc + vertebra.height)
    return tuple(placed[::-1])


def _sideways(rng: np.random.Generator, largest_deg: float) -> np.ndarray:
    """Sideways tilt of each vertebra, radians: a main curve and its compensation, which ends upright."""
    levels = np.arange(len(LEVELS))
    apex = rng.uniform(6, 13)
    tilt = np.sin((levels - apex) / rng.uniform(2.6, 3.6)) * np.exp(-(((levels - apex) / 5.5) ** 2))
    tilts: np.ndarray = np.deg2rad(largest_deg) * np.sign(rng.normal()) * tilt / np.abs(tilt).max()
    return tilts


def _axes(lean: float, tilt: float, turn: float) -> Axes:
    """Right, front and top of a vertebra that leans forward, tilts to the side and turns about its axis."""
    up = np.array([np.sin(tilt), np.sin(lean) * np.cos(tilt), np.cos(lean) * np.cos(tilt)])
    front = np.array([np.sin(turn), np.cos(turn), 0.0])
    front -= up * (front @ up)
    front /= np.linalg.norm(front)
    return np.array([np.cross(front, up), front, up])
