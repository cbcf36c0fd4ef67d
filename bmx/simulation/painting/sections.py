"""Distances in the plane of a slice: to outlines stacked along z, and to the sections of arms."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from bmx.simulation.anatomy.arms import Arm
from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.anatomy.contours import Contour
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.solids import Field, union
from bmx.types import FloatVolume

ARMPIT_MM = 428.0
"""Height of a person of 170 cm; above it arm and trunk are one."""
_JOINED_MM = 30.0


def contour_distance(x: Field, y: Field, z: Field, contour: Contour) -> Field:
    """Distance to a stack of superellipses, good near the surface; x and y as the contour counts them.

    All but a few sums vary along two axes only, and cost next to nothing.
    """
    at, one = contour.at(z), np.float32(1)
    py = y - at.middle
    wide = np.where(x < 0, at.left, at.right)
    deep = np.where(py < 0, at.middle - at.back, at.front - at.middle)
    across, along = at.power, np.where(py < 0, at.power_back, at.power)
    # Not quite 0 in the middle, where a slope would vanish.
    u, v = np.maximum(np.abs(x) / wide, np.float32(1e-3)), np.maximum(np.abs(py) / deep, np.float32(1e-3))
    steep_u, steep_v = u ** (across - one), v ** (along - one)
    level: Field = u * steep_u + v * steep_v
    slope: Field = (across * steep_u / wide) ** 2 + (along * steep_v / deep) ** 2
    np.sqrt(slope, out=slope)
    # The root of the level is linear in the distance, as the level itself isn't.
    root: Field = level ** (one / across)
    slope *= root
    root -= one
    root *= level
    root *= across
    root /= slope
    return root


class ArmSection(NamedTuple):
    """An arm cut at some heights, each (z, 1, 1) float32, mm."""

    x: Field
    y: Field
    wide: Field
    """Half axis of its muscles across."""
    deep: Field
    """The same from back to front."""
    fat: Field


def arm_section(arm: Arm, z: Field, size: float) -> ArmSection:
    """Where an arm is, and how thick, at some heights: shoulder, elbow and hand are flat, the rest is rounder."""
    sx, sy, sz = arm.shoulder
    deltoid, upper, fore, wrist = arm.girth
    knots: list[tuple[float, ...]] = [
        # x, y, z, across, from back to front, fat
        (*arm.fingers, wrist * 0.30, wrist * 0.9, 1.5),
        (*_between(arm.wrist, arm.fingers, 0.45), wrist * 0.62, wrist * 1.75, 2.5),
        (*arm.wrist, wrist * 0.85, wrist * 1.2, 0.55 * arm.fat[1]),
        (*_between(arm.elbow, arm.wrist, 0.3), fore * 1.02, fore * 1.12, arm.fat[1]),
        (*arm.elbow, fore * 1.05, fore * 1.0, 0.8 * arm.fat[1]),
        (*_between(arm.shoulder, arm.elbow, 0.58), upper * 0.92, upper * 1.06, arm.fat[0]),
        (*_between(arm.shoulder, arm.elbow, 0.25), deltoid * 0.88, deltoid * 0.98, arm.fat[0]),
        (sx * 0.99, sy, sz + 2, deltoid * 0.95, deltoid * 0.95, 0.8 * arm.fat[0]),
        (sx * 0.9, sy, sz + 0.5 * deltoid, deltoid * 0.85, deltoid * 0.75, 0.6 * arm.fat[0]),
    ]
    table = np.array(sorted(knots, key=lambda knot: knot[2]))
    flat = np.clip(z.ravel().astype(np.float64), table[0, 2], table[-1, 2])
    columns = (
        PchipInterpolator(table[:, 2], table[:, column])(flat).astype(np.float32).reshape(z.shape)
        for column in (0, 1, 3, 4, 5)
    )
    return ArmSection(*columns)


def arm_outlines(
    x: Field, y: Field, z: npt.NDArray[np.float32], arm: Arm, size: float
) -> tuple[Field, Field, ArmSection]:
    """Distance to skin and to muscle of an arm, and its section."""
    at = arm_section(arm, z, size)
    px, py = x - at.x, y - at.y
    ends = np.maximum(z - np.float32(arm.shoulder[2] + 0.6 * arm.girth[0]), np.float32(arm.fingers[2]) - z)
    skin = np.maximum(_oval(px, py, at.wide + at.fat, at.deep + at.fat), ends)
    muscle = np.maximum(_oval(px, py, at.wide, at.deep), ends + np.float32(3))
    return skin, muscle, at


def add_upper_arms(canvas: Canvas, anatomy: Anatomy, skin: FloatVolume, fascia: FloatVolume) -> None:
    """Make one outline of trunk and arms above the armpit."""
    size = anatomy.size
    for arm in anatomy.build.arms:
        x0 = arm.shoulder[0]
        reach = 1.4 * arm.girth[0] + arm.fat[0] + _JOINED_MM
        box = canvas.box(
            (x0 - reach, arm.shoulder[1] - reach, ARMPIT_MM * size), (x0 + reach, arm.shoulder[1] + reach, 1e4)
        )
        if box is None:
            continue
        x, y, z = canvas.coordinates(box)
        outer, inner, _ = arm_outlines(x, y, z, arm, size)
        skin[box] = union(skin[box], outer, blend=_JOINED_MM)
        fascia[box] = union(fascia[box], inner, blend=_JOINED_MM / 2)


def _oval(x: Field, y: Field, wide: Field, deep: Field) -> Field:
    near: Field = np.sqrt((x / wide) ** 2 + (y / deep) ** 2)
    near -= np.float32(1)
    near *= np.sqrt(wide * deep)
    return near


def _between(start: tuple[float, float, float], end: tuple[float, float, float], share: float) -> tuple[float, ...]:
    return tuple(a + (b - a) * share for a, b in zip(start, end, strict=True))
