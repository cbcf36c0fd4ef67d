"""Spine, pelvis and femora with cortex and marrow, and the truth masks of the four regions.

The masks hold the inner marrow as the paper drew it: bone keeps its true size, and each mask is the
bone shrunk by the depth in `MASK_DEPTH_MM`.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bmx.core.dixon_signal import smooth_field
from bmx.simulation.anatomy import Anatomy, Femur, Vertebra
from bmx.simulation.canvas import Canvas
from bmx.simulation.solids import (
    Field,
    axis_distance,
    cylinder,
    ellipse,
    ellipsoid,
    intersection,
    segment,
    sphere,
    union,
)
from bmx.types import Mask

CORTEX_SIGNAL = 0.045
"""About 5 % of marrow."""
MARROW_SIGNAL = 0.8
"""Trabecular marrow decays faster than subcutaneous fat."""

MASK_DEPTH_MM = {"spine": 3.5, "femoral_head": 4.5, "total_hip": 4.0, "femoral_diaphysis": 0.8}
"""How far inside the bone surface (diaphysis: inside the medullary canal) a mask begins."""

DIAPHYSIS_LENGTH_MM = 35.0
"""Length of the diaphysis mask, centred on the narrowest part of the canal."""


def paint_spine(canvas: Canvas, anatomy: Anatomy, rng: np.random.Generator) -> Mask:
    """Paint discs, canal and vertebrae; give the mask of the marrow of all vertebral bodies."""
    mask = np.zeros(canvas.shape, bool)
    _paint_column(canvas, anatomy)
    for vertebra in anatomy.vertebrae:
        x, y, z = vertebra.centre
        box = canvas.box(vertebra.centre, (vertebra.radius_x + 6, vertebra.radius_y + 6, vertebra.height / 2 + 10))
        back = canvas.box((x, y - vertebra.radius_y - 30, z - 5), (30, 24, 16))
        if back is not None:
            _paint_posterior_elements(canvas, back, vertebra)
        if box is None:
            continue
        body = canvas.distance(box, _vertebral_body, vertebra)
        canvas.paint(box, body, signal=CORTEX_SIGNAL, fat_percent=40)
        texture = vertebra.bmff + 2 * smooth_field(body.shape, rng)
        canvas.paint(box, body + 1.2, signal=MARROW_SIGNAL, fat_percent=np.clip(texture, 2, 98))
        mask |= canvas.mask(box, body + np.float32(MASK_DEPTH_MM["spine"]))
    return mask


def _vertebral_body(x: Field, y: Field, z: Field, vertebra: Vertebra) -> Field:
    cx, cy, cz = vertebra.centre
    # Tilted with the spine: height is counted along its axis, position in the plane from the axis.
    up = (z - cz) - vertebra.tilt * (cy - y)
    forward = (y - cy) - vertebra.tilt * (z - cz)
    waist = 1 - 0.12 * np.clip(1 - (2 * up / vertebra.height) ** 2, 0, 1)
    side = ellipse(x - cx, forward, vertebra.radius_x * waist, vertebra.radius_y * waist)
    return intersection(side, np.abs(up) - vertebra.height / 2)


def _paint_column(canvas: Canvas, anatomy: Anatomy) -> None:
    """The discs as one column under the vertebrae, and the spinal canal behind them."""
    for lower, upper in pairwise(anatomy.vertebrae):
        start, end = lower.centre, upper.centre
        middle = (start[0], start[1], (start[2] + end[2]) / 2)
        box = canvas.box(middle, (lower.radius_x + 4, lower.radius_y + 8, (end[2] - start[2]) / 2))
        if box is not None:
            disc = canvas.distance(box, cylinder, middle, lower.radius_x * 1.02, lower.radius_y * 1.02)
            canvas.paint(box, disc, signal=0.35, fat_percent=4)
        behind = (start[0], start[1] - lower.radius_y - 10, middle[2])
        box = canvas.box(behind, (14, 14, (end[2] - start[2]) / 2))
        if box is not None:
            canal = canvas.distance(box, cylinder, behind, 10.0, 8.5)
            canvas.paint(box, canal, signal=0.5, fat_percent=8)


def _paint_posterior_elements(canvas: Canvas, box: tuple[slice, slice, slice], vertebra: Vertebra) -> None:
    solid = canvas.distance(box, _posterior_elements, vertebra)
    canvas.paint(box, solid, signal=CORTEX_SIGNAL, fat_percent=40)
    canvas.paint(box, solid + 1.5, signal=MARROW_SIGNAL, fat_percent=vertebra.bmff + 8)


def _posterior_elements(x: Field, y: Field, z: Field, vertebra: Vertebra) -> Field:
    """The arch on both sides of the canal, and the spinous process behind it."""
    cx, cy, cz = vertebra.centre
    arch = [ellipsoid(x, y, z, (cx + side * 16, cy - vertebra.radius_y - 16, cz - 2), (7, 10, 10)) for side in (-1, 1)]
    return union(ellipsoid(x, y, z, (cx, cy - vertebra.radius_y - 34, cz - 6), (4.5, 15, 9)), *arch)


def paint_pelvis(canvas: Canvas, anatomy: Anatomy) -> None:
    """Ilium, acetabulum, ischium and pubis on each side, and the sacrum."""
    size = anatomy.size
    for femur in anatomy.femora:
        box = canvas.box((femur.head[0], 0.0, 40 * size), (110, 95, 130 * size))
        if box is not None:
            bone = canvas.distance(box, _hip_bone, femur, size)
            canvas.paint(box, bone, signal=CORTEX_SIGNAL, fat_percent=40)
            canvas.paint(box, bone + 1.6, signal=MARROW_SIGNAL, fat_percent=58)
    centre, half = (0.0, -52.0, 75 * size), (46.0, 20.0, 45 * size)
    box = canvas.box(centre, half)
    if box is not None:
        sacrum = canvas.distance(box, ellipsoid, centre, half)
        canvas.paint(box, sacrum, signal=CORTEX_SIGNAL, fat_percent=40)
        canvas.paint(box, sacrum + 1.5, signal=MARROW_SIGNAL, fat_percent=52)


def _hip_bone(x: Field, y: Field, z: Field, femur: Femur, size: float) -> Field:
    """The wing of the ilium, the socket around a femoral head, ischium and pubis."""
    hx, hip = femur.head[0], femur.head_radius
    side = float(np.sign(hx))
    along_wing = segment(x, y, z, (hx - side * 4, -8, 25 * size), (hx + side * 22 * size, -20, 118 * size))
    wing = intersection(ellipsoid(x, y, z, (hx + side * 8, -10, 78 * size), (26, 62, 62 * size)), along_wing - 40)
    blade = np.abs((x - hx) - side * (0.28 * (z - 20) - 0.15 * np.abs(y))) - (6 + 3 * (z < 40))
    socket = ellipsoid(x, y, z, (hx - side * 14, 0, 8), (hip + 5, hip + 9, hip + 12))
    ischium = ellipsoid(x, y, z, (hx - side * 26, -30, -46 * size), (14, 18, 36))
    pubis = segment(x, y, z, (hx - side * 26, 18, -10), (side * 6, 38, -40 * size)) - 9
    return union(intersection(wing, blade), socket, ischium, pubis, blend=4)


def paint_femur(canvas: Canvas, femur: Femur, rng: np.random.Generator) -> dict[str, Mask]:
    """Paint one femur; give the masks of its three regions."""
    names = ("femoral_head", "total_hip", "femoral_diaphysis")
    top, bottom = femur.head[2] + 45, femur.knee[2] - 20
    middle = ((femur.head[0] + femur.neck_end[0]) / 2, 0.0, (top + bottom) / 2)
    box = canvas.box(middle, (75, 60, (top - bottom) / 2))
    if box is None:
        return {name: np.zeros(canvas.shape, bool) for name in names}

    head = canvas.distance(box, sphere, femur.head, femur.head_radius)
    bone = canvas.distance(box, _femur_surface, femur)
    z = canvas.z[box[0]][:, None, None]
    cortex = _cortex_mm(femur, z)
    marrow = bone + cortex

    # Cartilage and joint fluid separate the head from the pelvis.
    canvas.paint(box, head - 2.5, signal=0.4, fat_percent=4)
    canvas.paint(box, bone, signal=CORTEX_SIGNAL, fat_percent=40)
    texture = _marrow_percent(femur, head, z) + 1.5 * smooth_field(bone.shape, rng)
    canvas.paint(box, marrow, signal=MARROW_SIGNAL, fat_percent=np.clip(texture, 2, 98))

    lesser_trochanter = femur.neck_end[2] - 1.2 * femur.head_radius
    depth = {name: np.float32(MASK_DEPTH_MM[name]) for name in names}
    in_hip = intersection(bone + depth["total_hip"], 2 - head, lesser_trochanter - z)
    in_shaft = intersection(marrow + depth["femoral_diaphysis"], np.abs(z - femur.isthmus_z) - DIAPHYSIS_LENGTH_MM / 2)
    return {
        "femoral_head": canvas.mask(box, intersection(head, bone) + depth["femoral_head"]),
        "total_hip": canvas.mask(box, in_hip),
        "femoral_diaphysis": canvas.mask(box, np.broadcast_to(in_shaft, bone.shape)),
    }


def _femur_surface(x: Field, y: Field, z: Field, femur: Femur) -> Field:
    """Outer surface of the bone: head, neck, both trochanters, a shaft that widens at both ends."""
    side = np.sign(femur.head[0])
    nx, ny, nz = femur.neck_end
    scale = femur.head_radius / 24
    neck = segment(x, y, z, femur.head, femur.neck_end) - femur.neck_radius
    greater = ellipsoid(x, y, z, (nx + side * 9 * scale, ny - 6, nz + 14 * scale), (15 * scale, 19 * scale, 26 * scale))
    lesser = ellipsoid(x, y, z, (nx - side * 13 * scale, ny - 10, nz - 24 * scale), (9 * scale, 9 * scale, 13 * scale))
    distance, along = axis_distance(x, y, z, femur.neck_end, femur.knee)
    ends = np.clip(1 - along / 0.16, 0, 1) ** 2 * 7 + np.clip((along - 0.72) / 0.28, 0, 1) ** 2 * 24
    shaft = distance - (femur.shaft_radius + ends)
    return union(sphere(x, y, z, femur.head, femur.head_radius), union(neck, greater, lesser, shaft, blend=8), blend=3)


def _cortex_mm(femur: Femur, z: Field) -> Field:
    """Thickness of the cortex: thin at the hip and knee, thickest at the isthmus, where the canal is narrowest."""
    from_isthmus = np.sqrt((z - np.float32(femur.isthmus_z)) ** 2 + 12.0**2) - 12.0
    canal = femur.canal_radius + 0.055 * from_isthmus
    thickness: Field = np.clip(femur.shaft_radius - canal, 1.5, None).astype(np.float32)
    return thickness


def _marrow_percent(femur: Femur, head: Field, z: Field) -> Field:
    """Fat fraction of the marrow: head, then hip, then shaft, blending over about a centimetre."""
    in_head = np.clip(0.5 - head / 8, 0, 1)
    shaft_begins = femur.neck_end[2] - 1.6 * femur.head_radius
    in_shaft = np.clip(0.5 + (shaft_begins - z) / 25, 0, 1)
    hip = femur.bmff["total_hip"] * (1 - in_shaft) + femur.bmff["femoral_diaphysis"] * in_shaft
    return hip + in_head * (femur.bmff["femoral_head"] - hip)
