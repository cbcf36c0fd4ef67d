"""The femora: head, neck, trochanters, a shaft with its canal, condyles."""

from __future__ import annotations

import numpy as np

from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.anatomy.femur import Femur
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.grid import Box, Grid
from bmx.simulation.painting.marrow import paint_bone
from bmx.simulation.painting.solids import Field, ellipsoid, frustum, intersection, sphere, tube, union

_CAPSULE_MM = 2.2
"""Cartilage and joint fluid around the head."""
_THIN_MM = 1.5
"""Cortex where the canal is wide."""


def femur_box(grid: Grid, femur: Femur) -> Box | None:
    """Points around a femur, from head to condyles."""
    return grid.along(femur.head, femur.neck_end, femur.knee, margin=2.0 * femur.head_radius)


def paint_femur(canvas: Canvas, femur: Femur, anatomy: Anatomy) -> None:
    """Paint one femur with its joint, and what disease or surgery did to it."""
    box = femur_box(canvas, femur)
    if box is None:
        return
    head = canvas.distance(box, sphere, femur.head, femur.head_radius)
    bone = canvas.distance(box, femur_surface, femur)
    z = canvas.z[box[0]][:, None, None]
    canvas.paint(box, intersection(head - np.float32(_CAPSULE_MM), -bone), "cartilage")
    paint_bone(
        canvas, box, bone, anatomy,
        percent=_marrow_percent(femur, head, z), marbling=femur.marbling, cortex_mm=cortex_mm(femur, z),
    )  # fmt: skip
    for point, normal, half in femur.dark_lines:
        x, y, zz = canvas.coordinates(box)
        wave = np.float32(2.5) * np.sin((x + 2 * y) / np.float32(9))
        sheet = np.abs(
            (x - np.float32(point[0])) * np.float32(normal[0])
            + (y - np.float32(point[1])) * np.float32(normal[1])
            + (zz - np.float32(point[2])) * np.float32(normal[2])
            + wave
        )
        canvas.paint(box, intersection(bone + np.float32(1), sheet - np.float32(half)), "sclerosis")
    if femur.implant:
        canvas.paint(box, canvas.distance(box, implant_void, femur), "metal")


def femur_surface(x: Field, y: Field, z: Field, femur: Femur, lesser_trochanter: bool = True) -> Field:
    """Outer surface of the bone: head, neck, both trochanters, a bowed shaft, condyles at the knee."""
    side, scale = femur.side, femur.head_radius / 24
    nx, ny, nz = femur.neck_end
    waist = tuple(0.42 * a + 0.58 * b for a, b in zip(femur.head, femur.neck_end, strict=True))
    neck = tube(
        x, y, z, [femur.head, (waist[0], waist[1], waist[2]), femur.neck_end],
        (femur.neck_radius * 1.15, femur.neck_radius, femur.neck_radius * 1.25),
    )  # fmt: skip
    greater = ellipsoid(x, y, z, (nx + side * 9 * scale, ny - 7, nz + 12 * scale), (14 * scale, 19 * scale, 25 * scale))
    lesser = ellipsoid(x, y, z, (nx - side * 14 * scale, ny - 11, nz - 26 * scale), (9 * scale, 9 * scale, 13 * scale))
    bumps = (greater, lesser) if lesser_trochanter else (greater,)
    upper = union(neck, *bumps, shaft_surface(x, y, z, femur), blend=8)
    kx, ky, kz = femur.knee
    condyles = [
        ellipsoid(x, y, z, (kx + sign * 20 * scale, ky - 6, kz + 19 * scale), (17.5 * scale, 29 * scale, 21 * scale))
        for sign in (-1, 1)
    ]
    return union(sphere(x, y, z, femur.head, femur.head_radius), union(upper, *condyles, blend=7), blend=3)


def shaft_surface(x: Field, y: Field, z: Field, femur: Femur) -> Field:
    """The shaft between the trochanters and the knee: bowed forward, not quite round, wider at both ends."""
    (nx, ny, nz), (kx, ky, kz) = femur.neck_end, femur.knee
    along = np.clip((np.float32(nz) - z) / np.float32(nz - kz), 0, 1)
    centre_x = np.float32(nx) + np.float32(kx - nx) * along
    centre_y = np.float32(ny) + np.float32(ky - ny) * along + np.float32(femur.bow) * np.sin(np.float32(np.pi) * along)
    upper = np.clip(1 - along / np.float32(0.17), 0, 1) ** 2 * np.float32(8)
    lower = np.clip((along - np.float32(0.66)) / np.float32(0.34), 0, 1) ** np.float32(1.8)
    px, py = x - centre_x, y - centre_y
    radius = np.float32(femur.shaft_radius) + upper
    # Its back is drawn out to a ridge, to which muscles hold.
    ridge = np.float32(1.8) * np.exp(-((px / np.float32(4.5)) ** 2)) * (py < 0)
    wide = radius + lower * np.float32(22)
    deep = radius * np.float32(1.02) + ridge + lower * np.float32(13)
    near = np.sqrt((px / wide) ** 2 + (py / deep) ** 2)
    return intersection((near - 1) * np.minimum(wide, deep), z - np.float32(nz + 12), np.float32(kz + 6) - z)


def cortex_mm(femur: Femur, z: Field) -> Field:
    """Thickness of the cortex: thin at hip and knee, thickest at the isthmus, where the canal is narrowest."""
    from_isthmus = np.sqrt((z - np.float32(femur.isthmus_z)) ** 2 + np.float32(12.0**2)) - np.float32(12.0)
    canal = np.float32(femur.canal_radius) + np.float32(0.055) * from_isthmus
    thickness: Field = np.clip(np.float32(femur.shaft_radius) - canal, _THIN_MM, None)
    return thickness


def implant_void(x: Field, y: Field, z: Field, femur: Femur) -> Field:
    """Where a hip prosthesis takes the signal away: ball, cup and stem, with the blooming around metal."""
    nx, ny, nz = femur.neck_end
    tip = (nx - 2.0 * femur.side, ny + 3.0, nz - 130.0)
    ball = ellipsoid(x, y, z, femur.head, tuple(femur.head_radius * f for f in (1.55, 1.4, 1.6)))  # type: ignore[arg-type]  # three radii
    neck = frustum(x, y, z, femur.head, femur.neck_end, (20.0, 19.0))
    return union(ball, neck, frustum(x, y, z, femur.neck_end, tip, (19.0, 13.0)), blend=8)


def _marrow_percent(femur: Femur, head: Field, z: Field) -> Field:
    """Fat fraction of the marrow: head, then hip, then shaft, blending over about a centimetre."""
    in_head = np.clip(np.float32(0.5) - head / np.float32(8), 0, 1)
    shaft_begins = np.float32(femur.neck_end[2] - 1.6 * femur.head_radius)
    in_shaft = np.clip(np.float32(0.5) + (shaft_begins - z) / np.float32(25), 0, 1)
    hip, shaft = np.float32(femur.bmff["total_hip"]), np.float32(femur.bmff["femoral_diaphysis"])
    below = hip + (shaft - hip) * in_shaft
    percent: Field = below + in_head * (np.float32(femur.bmff["femoral_head"]) - below)
    return percent
