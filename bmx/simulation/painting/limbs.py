"""Arms at the sides, partly out of the field."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bmx.simulation.anatomy.arms import Arm
from bmx.simulation.painting.bellies import Frame, Row, packed
from bmx.simulation.painting.marrow import paint_bone
from bmx.simulation.painting.scene import Scene
from bmx.simulation.painting.sections import ARMPIT_MM, arm_outlines, arm_section
from bmx.simulation.painting.skin import SKIN_MM
from bmx.simulation.painting.solids import Point, tube

_YELLOW = 88.0
"""Marrow of limbs, percent."""

UPPER_ARM: tuple[list[Row], ...] = (
    [(-30, -0.10, 0.60, 0.10, 0.10, 0), (40, -0.10, 0.62, 0.34, 0.24, 0), (200, -0.06, 0.58, 0.54, 0.36, -10),
     (310, 0.02, 0.50, 0.30, 0.26, 0)],  # biceps
    [(-30, 0.02, 0.20, 0.20, 0.20, 0), (60, 0.14, 0.30, 0.52, 0.30, 10), (130, 0.20, 0.28, 0.46, 0.24, 10),
     (210, 0.30, 0.26, 0.10, 0.10, 0)],  # brachialis
    [(-20, 0.20, -0.60, 0.20, 0.12, 0), (120, 0.36, -0.50, 0.46, 0.36, 25), (300, 0.40, -0.50, 0.30, 0.40, 0)],
    [(-20, -0.20, -0.60, 0.20, 0.12, 0), (140, -0.36, -0.50, 0.44, 0.42, -25), (310, -0.30, -0.50, 0.24, 0.36, 0)],
    [(190, 0.75, 0.10, 0.08, 0.30, 0), (280, 0.66, 0.05, 0.36, 0.66, 0), (420, 0.30, 0.10, 0.70, 0.80, 0)],  # deltoid
    [(240, -0.20, 0.30, 0.10, 0.10, 0), (330, -0.40, 0.30, 0.42, 0.40, 0), (420, -0.60, 0.00, 0.50, 0.60, 0)],
)  # fmt: skip
FOREARM: tuple[list[Row], ...] = (
    [(-250, -0.50, 0.40, 0.1, 0.1, 0), (-130, -0.46, 0.34, 0.46, 0.50, 20), (40, -0.66, 0.20, 0.25, 0.35, 0)],
    [(-250, -0.10, -0.1, 0.2, 0.1, 0), (-130, -0.30, -0.34, 0.50, 0.30, -15), (20, -0.60, -0.3, 0.2, 0.2, 0)],
    [(-240, 0.50, -0.40, 0.1, 0.1, 0), (-110, 0.46, -0.46, 0.44, 0.42, -30), (40, 0.60, -0.30, 0.22, 0.3, 0)],
    [(-220, 0.50, 0.40, 0.1, 0.1, 0), (-80, 0.50, 0.42, 0.40, 0.46, 30), (80, 0.66, 0.30, 0.2, 0.4, 0)],
)
"""Outward and forward in half axes of the arm's muscle outline; heights in mm from the elbow, of 170 cm."""


def paint_arms(scene: Scene) -> None:
    """Paint both arms below the armpit; where they touch the trunk, it lies over them."""
    size = scene.anatomy.size
    for arm in scene.anatomy.build.arms:
        box = _arm_box(scene, arm, high=ARMPIT_MM * size + 4)
        if box is None:
            continue
        x, y, z = scene.canvas.coordinates(box)
        skin, _, _ = arm_outlines(x, y, z, arm, size)
        skin += np.float32(0.8) * scene.wobble(box)
        scene.canvas.paint(box, skin, "skin")
        scene.canvas.paint(box, skin + SKIN_MM, "fat")


def paint_arm_insides(scene: Scene) -> None:
    """Paint muscles and bones of both arms, from the shoulder to the hand."""
    size, build = scene.anatomy.size, scene.anatomy.build
    for arm in build.arms:
        box = _arm_box(scene, arm, high=1e4)
        if box is None:
            continue
        x, y, z = scene.canvas.coordinates(box)
        _, muscle, at = arm_outlines(x, y, z, arm, size)
        above = np.float32(arm.elbow[2])
        frame = Frame(at.x, at.y, at.wide * np.float32(arm.side), at.deep, size)
        bellies = packed(
            x, y, z - above, (*UPPER_ARM, *FOREARM), frame,
            gap_mm=0.8 * build.fat_between, bulge_mm=5, wobble=scene.wobble(box),
        )  # fmt: skip
        shoulder = np.clip((z - np.float32(arm.shoulder[2] - 20)) / np.float32(20), 0, 1)
        np.maximum(bellies, muscle + np.float32(0.8) * scene.wobble(box), out=bellies)
        # The outlines of trunk and arm meet at the shoulder; its muscles end inside both.
        np.maximum(bellies, (shoulder - 1) * np.float32(30) + scene.lines.fascia[box] * shoulder, out=bellies)
        scene.muscle(box, bellies)
        _paint_bones(scene, arm)


def _arm_box(scene: Scene, arm: Arm, *, high: float) -> tuple[slice, slice, slice] | None:
    reach = max(arm.girth) + arm.fat[0] + 8
    line = np.array([arm.shoulder, arm.elbow, arm.wrist, arm.fingers])
    low, most = line.min(axis=0) - reach, line.max(axis=0) + reach
    return scene.canvas.box((low[0], low[1], arm.fingers[2]), (most[0], most[1], min(high, most[2])))


def _paint_bones(scene: Scene, arm: Arm) -> None:
    size = scene.anatomy.size
    elbow, wrist = arm.elbow, arm.wrist
    cos, sin = 9 * np.cos(arm.turn) * size, 9 * np.sin(arm.turn) * size

    def beside(point: Point, share: float, up: float) -> Point:
        return float(point[0] + share * sin * arm.side), float(point[1] + share * cos), float(point[2] + up)

    middle = arm_section(arm, np.array([[[(arm.shoulder[2] + elbow[2]) / 2]]], np.float32), size)
    shaft = (float(middle.x.item()), float(middle.y.item()) - 3, (arm.shoulder[2] + elbow[2]) / 2)
    lines: list[tuple[list[Point], tuple[float, ...], float]] = [
        ([arm.shoulder, (arm.shoulder[0] * 1.03, arm.shoulder[1], arm.shoulder[2] - 40 * size), shaft, elbow],
         (22, 13, 10.5, 12), 2.8),
        ([(elbow[0] - 18 * size, *elbow[1:]), (elbow[0] + 18 * size, *elbow[1:])], (12, 12), 2.0),
        ([beside(elbow, -1.2, 14), beside(wrist, -1, 0)], (10, 6), 2.6),
        ([beside(elbow, 1.0, -16), beside(wrist, 1, 0)], (7.5, 9), 2.4),
    ]  # fmt: skip
    for finger in (-1.6, -0.6, 0.5, 1.5):
        tip = beside(arm.fingers, finger, 30)
        lines.append(([beside(wrist, finger * 0.7, -22 * size), beside(tip, 0, 0)], (5.5, 4), 1.6))
    for line, radii, cortex in lines:
        radii = tuple(radius * size for radius in radii)
        for (start, end), (first, last) in zip(pairwise(line), pairwise(radii), strict=True):
            box = scene.canvas.along(start, end, margin=max(first, last) + 4)
            if box is not None:
                solid = scene.canvas.distance(box, tube, [start, end], (first, last))
                paint_bone(scene.canvas, box, solid, scene.anatomy, percent=_YELLOW, marbling=3, cortex_mm=cortex)
