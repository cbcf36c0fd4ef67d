"""Outlines of the body: skin, the border of subcutaneous fat, and the cavity inside."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.anatomy.contours import Contour
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.grid import Box, Grid
from bmx.simulation.painting.solids import Field, ellipsoid, intersection, union

_SKIN_MM = np.float32(1.6)
_GROIN_MM = -72.0
_LEG_TOP_MM = 45.0
_SEAM_MM = 30.0


class Outlines(NamedTuple):
    """Signed distances over the whole grid, mm; negative inside."""

    skin: Field
    fascia: Field
    """Outer surface of the muscles."""


def contour_distance(x: Field, y: Field, z: Field, contour: Contour) -> Field:
    """Distance to a stack of superellipses, good near the surface; x and y as the contour counts them."""
    section = contour.at(z)
    tiny = np.float32(1e-4)
    half = np.where(x < 0, section.left, section.right)
    across = np.abs(x) / half
    behind = y < section.middle
    depth = np.where(behind, section.middle - section.back, section.front - section.middle)
    power = np.where(behind, section.power_back, section.power)
    # Powers on planes, not on the volume: x and y enter by one factor each.
    in_front, at_back = across**section.power, across**section.power_back
    along = (np.abs(y - section.middle) / depth) ** power
    total = np.where(behind, at_back, in_front) + along
    near = np.exp(np.log(total + tiny) / power)
    reach = np.sqrt(x * x + (y - section.middle) ** 2)
    distance: Field = reach * (1 - 1 / np.maximum(near, np.float32(0.05)))
    return distance


def leg_axis(anatomy: Anatomy, side: int, z: Field) -> tuple[Field, Field]:
    """Middle of a leg at each height: from the hip to the knee, and straight on below."""
    femur = anatomy.femora[0 if side < 0 else 1]
    along = (np.float32(femur.head[2]) - z) / np.float32(femur.head[2] - femur.knee[2])
    along = np.clip(along, 0, 1.4)
    return (
        np.float32(femur.head[0]) + np.float32(femur.knee[0] - femur.head[0]) * along,
        np.float32(femur.head[1] - 8) + np.float32(femur.knee[1] - femur.head[1] + 2) * along,
    )


def leg_box(grid: Grid, anatomy: Anatomy, side: int) -> Box | None:
    """Points of one half of the body below the groin."""
    # The seam is felt beyond the top of the leg itself.
    top = _LEG_TOP_MM * anatomy.size + 2 * _SEAM_MM
    return grid.box((-260.0, -260.0, -900.0) if side < 0 else (0.0, -260.0, -900.0),
                    (0.0, 260.0, top) if side < 0 else (260.0, 260.0, top))  # fmt: skip


def outlines(canvas: Canvas, anatomy: Anatomy) -> Outlines:
    """Skin and fascia of trunk and legs, with the unevenness of both."""
    build, size = anatomy.build, anatomy.size
    x, y, z = canvas.coordinates(canvas.everything)
    shape = canvas.painted.shape[1:]
    skin = np.full(shape, 1e3, np.float32)
    fascia = np.full(shape, 1e3, np.float32)
    above = np.flatnonzero(canvas.z > (_GROIN_MM - _SEAM_MM) * size)
    if above.size:
        part = slice(int(above[0]), int(above[-1]) + 1)
        floor = np.float32(_GROIN_MM * size) - z[part]
        skin[part] = intersection(contour_distance(x, y, z[part], build.skin), floor)
        fascia[part] = intersection(contour_distance(x, y, z[part], build.fascia), floor + np.float32(4))
    _add_breasts(canvas, anatomy, skin)
    for side in (-1, 1):
        box = leg_box(canvas, anatomy, side)
        if box is None:
            continue
        lx, ly, lz = canvas.coordinates(box)
        cx, cy = leg_axis(anatomy, side, lz)
        # A thigh ends in a slope: on its outside the trunk takes over lower down.
        outward = np.maximum((lx - cx) * np.float32(side), 0)
        top = (lz - np.float32(_LEG_TOP_MM * size) + outward) * np.float32(0.75)
        which = 0 if side < 0 else 1
        for field, contour in ((skin, build.leg_skin[which]), (fascia, build.leg_fascia[which])):
            leg = intersection(contour_distance(lx - cx, ly - cy, lz, contour), top)
            field[box] = union(field[box], leg, blend=_SEAM_MM)
    skin += np.float32(1.2) * canvas.texture(canvas.everything, build.skin_waves)
    fascia += np.float32(1.0 + 0.8 * build.fat) * canvas.texture(canvas.everything, build.fascia_waves)
    return Outlines(skin, np.maximum(fascia, skin + np.float32(2.6)))


def _add_breasts(canvas: Canvas, anatomy: Anatomy, skin: Field) -> None:
    """Widen the skin in front of the chest, in place; who lies on the back has them flat and to the side."""
    size, build = anatomy.size, anatomy.build
    height = 385 * size
    front = float(np.interp(height, build.skin.z, build.skin.front))
    for side, radius in zip((-1, 1), build.breasts, strict=True):
        centre = (side * 82 * size, front - 22 * size, height)
        box = canvas.around(centre, 2 * radius + 30) if radius else None
        if box is not None:
            breast = canvas.distance(box, ellipsoid, centre, (1.2 * radius, 0.75 * radius, 1.15 * radius))
            skin[box] = union(skin[box], breast, blend=24)


def paint_skin(canvas: Canvas, anatomy: Anatomy) -> Outlines:
    """Paint skin, subcutaneous fat and, for now, muscle in all the rest of trunk and legs."""
    lines = outlines(canvas, anatomy)
    canvas.paint(canvas.everything, lines.skin, "skin")
    canvas.paint(canvas.everything, lines.skin + _SKIN_MM, "fat")
    streaks = canvas.texture(canvas.everything, anatomy.build.streaks)
    infiltrated = anatomy.build.muscle_fat * np.exp(np.float32(0.55) * streaks)
    canvas.paint(canvas.everything, lines.fascia, "muscle", fat_percent=infiltrated)
    return lines
