"""What lies at and below the knee: shin bones, kneecap, cartilage, menisci, ligaments and fat."""

from __future__ import annotations

import numpy as np

from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.marrow import paint_bone
from bmx.simulation.painting.solids import Field, Point, ellipsoid, frustum, intersection, tube, union

_YELLOW = 88.0
"""Marrow of limbs, percent."""


def paint_knees(canvas: Canvas, anatomy: Anatomy) -> None:
    """Paint shin bones, cartilage, menisci, ligaments and the fat behind the tendon of the kneecap."""
    for femur in anatomy.femora:
        x0, y0, z0 = femur.knee
        scale, side = femur.head_radius / 24, femur.side
        box = canvas.box((x0 - 66, y0 - 66, z0 - 260), (x0 + 66, y0 + 66, z0 + 70))
        if box is None:
            continue
        x, y, z = canvas.coordinates(box)
        # Fat in front of the joint, and in the hollow behind it.
        hoffa = ellipsoid(x, y, z, (x0, y0 + 28 * scale, z0 + 4), (24 * scale, 14 * scale, 24 * scale))
        canvas.paint(box, hoffa, "fat", fat_percent=88)
        joint = ellipsoid(x, y, z, (x0, y0 - 5, z0 - 1), (40 * scale, 28 * scale, 9))
        canvas.paint(box, joint, "cartilage")
        notch = np.abs(x - np.float32(x0)) - np.float32(7 * scale)
        canvas.paint(box, np.maximum(joint, notch), "fat", fat_percent=70)
        meniscus = intersection(np.abs(z - np.float32(z0 - 1)) - np.float32(2.6), joint, -joint - np.float32(6), -notch)
        canvas.paint(box, meniscus, "tendon")
        for start, end in (((-4, -14, 14), (2, 12, -6)), ((5, 4, 10), (0, -22, -12))):
            crossed = frustum(
                x, y, z,
                (x0 + side * start[0] * scale, y0 + start[1] * scale, z0 + start[2]),
                (x0 + side * end[0] * scale, y0 + end[1] * scale, z0 + end[2]),
                (4.0, 4.0),
            )  # fmt: skip
            canvas.paint(box, crossed, "tendon")
        tibia = _tibia(x, y, z, (x0, y0, z0), side, scale)
        paint_bone(canvas, box, tibia, anatomy, percent=_YELLOW, marbling=2, cortex_mm=_shin_cortex(z, z0))
        out = x0 + side * 37 * scale
        fibula = tube(
            x, y, z,
            [(out, y0 - 20, z0 - 22 * scale), (out, y0 - 22, z0 - 60 * scale), (out + side * 3, y0 - 20, z0 - 300)],
            (9.5 * scale, 6 * scale, 6 * scale),
        )  # fmt: skip
        paint_bone(canvas, box, fibula, anatomy, percent=_YELLOW, marbling=2, cortex_mm=2.2)


def _tibia(x: Field, y: Field, z: Field, knee: Point, side: int, scale: float) -> Field:
    """A plateau that tapers to a shaft with three edges, one of them in front."""
    x0, y0, z0 = (np.float32(value) for value in knee)
    s = np.float32(scale)
    below = np.clip((z0 - z) / s, 0, 400)
    narrow = np.exp(-((below / np.float32(46)) ** np.float32(1.4)))
    px, py = (x - x0) * np.float32(side) / s, (y - y0) / s
    px = px + np.float32(3) * (1 - narrow)
    py = py + np.float32(5) - np.float32(9) * (1 - narrow)
    wide, deep = 15 + 24 * narrow, 16 + 11 * narrow
    oval = (np.sqrt((px / wide) ** 2 + (py / deep) ** 2) - 1) * np.sqrt(wide * deep)
    # Sides: inward and forward, outward and forward, behind.
    flat = 1 - narrow
    faces = (
        (np.float32(-0.80), np.float32(0.60), 13.0), (np.float32(0.86), np.float32(0.51), 12.5),
        (np.float32(0.1), np.float32(-0.99), 14.0),
    )  # fmt: skip
    shaft = oval
    for nx, ny, reach in faces:
        shaft = np.maximum(shaft, px * nx + py * ny - np.float32(reach) - 30 * (1 - flat))
    # The bump in front, to which the tendon of the kneecap holds.
    bump = ellipsoid(px, py, z - z0, (0, 24, -44 * scale), (8, 9, 16 * scale))
    bone: Field = np.maximum(union(shaft, bump, blend=6) * s, z - (z0 - 4))
    return bone


def _shin_cortex(z: Field, z0: float) -> Field:
    """Thickness of the shin's cortex: thin at the joint."""
    thick: Field = np.float32(1.2) + np.float32(3.2) * np.clip((np.float32(z0 - 40) - z) / np.float32(70), 0, 1)
    return thick


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
