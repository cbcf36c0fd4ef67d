"""The hip bones: wing, socket, seat bone and pubis of either side."""

from __future__ import annotations

import numpy as np

from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.anatomy.femur import Femur
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.marrow import paint_bone
from bmx.simulation.painting.solids import Field, ellipsoid, frustum, intersection, sphere, union


def paint_pelvis(canvas: Canvas, anatomy: Anatomy) -> None:
    """Paint both hip bones, with the gap of the joint around each femoral head."""
    size = anatomy.size
    for femur in anatomy.femora:
        x, y, z = femur.head
        low = (x - 75 * size, y - 80 * size, z - 85 * size)
        high = (x + 75 * size, y + 65 * size, z + 140 * size)
        box = canvas.box(low, high)
        if box is not None:
            bone = canvas.distance(box, hip_bone, femur, size)
            paint_bone(canvas, box, bone, anatomy, percent=anatomy.bmff_pelvis, marbling=6, cortex_mm=1.4)
    left, right = (femur.head for femur in anatomy.femora)
    middle = ((left[0] + right[0]) / 2, left[1] + 40.0, left[2] - 34 * size)
    box = canvas.around(middle, (7, 14, 22))
    if box is not None:
        symphysis = canvas.distance(box, ellipsoid, middle, (4.5, 10, 18))
        canvas.paint(box, symphysis, "annulus")


def hip_bone(x: Field, y: Field, z: Field, femur: Femur, size: float) -> Field:
    """Surface of one hip bone; the socket is open towards the head."""
    hx, hy, hz = femur.head
    side, hip, s = float(femur.side), femur.head_radius, size
    px, py, pz = (x - np.float32(hx)) * np.float32(side), y - np.float32(hy), z - np.float32(hz)
    # The wing is a thin bent plate that flares outward and turns forward.
    flare = np.float32(0.34) * (pz - 18 * s) - np.float32(0.0016 / s) * (py + 8) ** 2 - np.float32(14 * s) + 0.18 * py
    thick = np.float32(4.2) + np.clip((pz - 95 * s) / 8, 0, 4) + np.clip((45 * s - pz) / 5, 0, 6)
    plate = np.abs(px - flare) * np.float32(0.92) - thick
    outline = ellipsoid(px, py, pz, (0, -14 * s, 62 * s), (200, 66 * s, 66 * s))
    wing = intersection(plate, outline)
    cup = intersection(sphere(px, py, pz, (-3, 0, 3), hip + 7.5), px - np.float32(0.35 * hip) - 0.4 * pz)
    column = frustum(px, py, pz, (-16 * s, -6 * s, 18 * s), (-12 * s, -34 * s, 70 * s), (15 * s, 12 * s))
    ischium = frustum(px, py, pz, (-12 * s, -24 * s, -14 * s), (-24 * s, -36 * s, -58 * s), (13 * s, 13 * s))
    ramus = frustum(px, py, pz, (-26 * s, -32 * s, -62 * s), (-78 * s, 26 * s, -42 * s), (9 * s, 7 * s))
    pubis = frustum(px, py, pz, (-20 * s, 16 * s, -6 * s), (-78 * s, 40 * s, -26 * s), (9 * s, 10 * s))
    bone = union(wing, column, cup, ischium, ramus, pubis, blend=6)
    # The joint: cartilage and fluid keep head and socket apart.
    return intersection(bone, -sphere(px, py, pz, (0, 0, 0), hip + 3.2))
