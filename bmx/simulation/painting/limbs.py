"""Arms at the sides, and what lies below the knee."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bmx.simulation.anatomy.arms import Arm
from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.marrow import paint_bone
from bmx.simulation.painting.muscles import infiltration
from bmx.simulation.painting.solids import Point, ellipsoid, frustum, intersection, tube, union

_YELLOW = 88.0
"""Marrow of limbs, percent."""


def paint_arms(canvas: Canvas, anatomy: Anatomy) -> None:
    """Paint both arms, from the shoulder to the hand."""
    for arm in anatomy.build.arms:
        _paint_arm(canvas, anatomy, arm)


def _paint_arm(canvas: Canvas, anatomy: Anatomy, arm: Arm) -> None:
    deltoid, upper, fore, wrist = arm.girth
    hand = wrist * 0.75
    middle = tuple(0.45 * a + 0.55 * b for a, b in zip(arm.shoulder, arm.elbow, strict=True))
    line: list[Point] = [arm.shoulder, (middle[0], middle[1], middle[2]), arm.elbow, arm.wrist, arm.fingers]
    muscle = [deltoid, upper, fore * 1.02, wrist, hand]
    pads = [arm.fat[0], arm.fat[0], arm.fat[1], arm.fat[1] * 0.5, 2.5]
    for (start, end), radii, fat in zip(pairwise(line), pairwise(muscle), pairwise(pads), strict=True):
        box = canvas.along(start, end, margin=max(radii) + max(fat) + 6)
        if box is None:
            continue
        wobble = canvas.texture(box, anatomy.build.mottle)
        belly = canvas.distance(box, frustum, start, end, radii) + np.float32(2.0) * wobble
        skin = canvas.distance(box, frustum, start, end, (radii[0] + fat[0], radii[1] + fat[1])) + wobble
        canvas.paint(box, skin, "skin")
        canvas.paint(box, skin + np.float32(1.5), "fat")
        canvas.paint(box, belly, "muscle", fat_percent=infiltration(canvas, anatomy, box, 1.0))
        septum = np.abs(canvas.distance(box, frustum, start, end, (radii[0] * 0.45, radii[1] * 0.45)) + 2 * wobble)
        canvas.paint(box, septum - np.float32(0.6), "fat", fat_percent=70)
    size = anatomy.size
    ulna = [(p[0] + dx, p[1] + dy, p[2]) for p, dx, dy in ((arm.elbow, 0, -12), (arm.wrist, arm.side * 10, 0))]
    radius = [(p[0] + dx, p[1] + dy, p[2]) for p, dx, dy in ((arm.elbow, 0, 8), (arm.wrist, -arm.side * 10, 0))]
    bones: tuple[tuple[list[Point], tuple[float, ...]], ...] = (
        (line[:3], (21.0, 11.0, 15.0)), (ulna, (9.0, 6.5)), (radius, (7.0, 8.5)), (line[3:], (9.0, 5.0)),
    )  # fmt: skip
    for bone, thick in bones:
        box = canvas.along(*bone, margin=24 * size)
        if box is not None:
            solid = canvas.distance(box, tube, bone, [one * size for one in thick])
            paint_bone(canvas, box, solid, anatomy, percent=_YELLOW, marbling=3, cortex_mm=3.2)


def paint_knees(canvas: Canvas, anatomy: Anatomy) -> None:
    """Paint shin bones, kneecaps, cartilage, menisci and the fat behind the tendon of the kneecap."""
    for femur in anatomy.femora:
        x0, y0, z0 = femur.knee
        scale = femur.head_radius / 24
        box = canvas.box((x0 - 62, y0 - 62, z0 - 190), (x0 + 62, y0 + 66, z0 + 70))
        if box is None:
            continue
        x, y, z = canvas.coordinates(box)
        hoffa = ellipsoid(x, y, z, (x0, y0 + 30 * scale, z0 + 4), (22 * scale, 13 * scale, 22 * scale))
        canvas.paint(box, hoffa, "fat", fat_percent=88)
        joint = ellipsoid(x, y, z, (x0, y0 - 4, z0 - 1), (40 * scale, 28 * scale, 9))
        canvas.paint(box, joint, "cartilage")
        meniscus = intersection(np.abs(z - np.float32(z0 - 1)) - np.float32(2.2), joint, -joint - np.float32(5))
        canvas.paint(box, meniscus, "tendon")
        plateau = ellipsoid(x, y, z, (x0, y0 - 6, z0 - 24 * scale), (39 * scale, 27 * scale, 24 * scale))
        shin = frustum(x, y, z, (x0, y0 - 8, z0 - 30 * scale), (x0, y0 - 2, z0 - 400), (24 * scale, 13 * scale))
        tibia = intersection(union(plateau, shin, blend=10), z - np.float32(z0 - 5))
        paint_bone(canvas, box, tibia, anatomy, percent=_YELLOW, marbling=2, cortex_mm=1.6)
        out = femur.side * 36 * scale
        fibula = frustum(
            x, y, z, (x0 + out, y0 - 22, z0 - 26 * scale), (x0 + out, y0 - 20, z0 - 400), (10 * scale, 7 * scale)
        )
        paint_bone(canvas, box, fibula, anatomy, percent=_YELLOW, marbling=2, cortex_mm=2.4)


def paint_kneecaps(canvas: Canvas, anatomy: Anatomy) -> None:
    """Paint the kneecaps and the tendons above and below them, in front of the condyles."""
    for femur in anatomy.femora:
        x0, y0, z0 = femur.knee
        scale = femur.head_radius / 24
        cap = (x0, y0 + 38 * scale, z0 + 28 * scale)
        box = canvas.around(cap, (28, 18, 75))
        if box is None:
            continue
        tendon = canvas.distance(
            box, frustum, (cap[0], cap[1] + 4, cap[2] - 62), (cap[0], cap[1] + 3, cap[2] + 62), (5.0, 5.5)
        )
        canvas.paint(box, tendon, "tendon")
        bone = canvas.distance(box, ellipsoid, cap, (21 * scale, 10 * scale, 21 * scale))
        paint_bone(canvas, box, bone, anatomy, percent=_YELLOW, marbling=2, cortex_mm=1.5)
