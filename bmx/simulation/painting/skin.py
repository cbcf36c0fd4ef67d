"""Outlines of the body: skin, the border of subcutaneous fat, and the cavity inside."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.anatomy.femur import Femur
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.grid import Box, Grid
from bmx.simulation.painting.sections import add_upper_arms, contour_distance
from bmx.simulation.painting.solids import Field, ellipsoid, union
from bmx.types import FloatVolume

SKIN_MM = np.float32(1.6)
_FAR = np.float32(500)
_GROIN_MM = -84.0
_FOLD_MM = -104.0
"""Where the trunk ends in front, and behind below the buttocks."""
_LEG_TOP_MM = 45.0
_SEAM_MM = 24.0
_LEAST_FAT_MM = np.float32(2.5)


class Outlines(NamedTuple):
    """Signed distances over the whole grid, mm; negative inside."""

    skin: FloatVolume
    fascia: FloatVolume
    """Outer surface of the muscles."""


def outlines(canvas: Canvas, anatomy: Anatomy) -> Outlines:
    """Skin and fascia of trunk and legs, with the unevenness of both; the costliest fields, so they are made once."""
    build = anatomy.build
    shape = canvas.painted.shape[1:]
    skin, fascia = (np.full(shape, _FAR, np.float32) for _ in range(2))
    _add_trunk(canvas, anatomy, skin, fascia)
    _add_breasts(canvas, anatomy, skin)
    _add_legs(canvas, anatomy, skin, fascia)
    skin += np.float32(1.5) * canvas.texture(canvas.everything, build.skin_waves)
    fascia += np.float32(0.9 + 0.8 * build.fat**0.5) * canvas.texture(canvas.everything, build.fascia_waves)
    np.maximum(fascia, skin + _LEAST_FAT_MM, out=fascia)
    return Outlines(skin, fascia)


def paint_skin(canvas: Canvas, anatomy: Anatomy, lines: Outlines) -> None:
    """Paint the skin of trunk and legs, and fill all inside with fat; other tissues come over it."""
    canvas.paint(canvas.everything, lines.skin, "skin")
    # Thin walls of connective tissue run through fat.
    walls = np.abs(canvas.texture(canvas.everything, anatomy.build.mottle))
    np.minimum(walls, np.float32(0.09), out=walls)
    walls *= np.float32(60)
    walls += np.float32(88.6)
    canvas.paint(canvas.everything, lines.skin + SKIN_MM, "fat", fat_percent=walls)


def leg_axis(femur: Femur, z: npt.NDArray[np.float32], size: float) -> tuple[Field, Field]:
    """Place x, y (mm) of the middle of a leg at some heights: near the femur, straight on below the knee."""
    knots = np.array([-560, -406, -200, -100, 20]) * size
    (kx, ky, _), side = femur.knee, femur.side
    across = np.interp(z, knots, [0.96 * kx, kx, side * 87 * size, side * 91 * size, side * 89 * size])
    deep = np.interp(z, knots, [ky - 6, ky - 4, 0, 0, -2])
    return across.astype(np.float32), deep.astype(np.float32)


def leg_box(grid: Grid, side: int, low: float = -1e4, high: float = 1e4) -> Box | None:
    """Points of one half of the body between two heights, mm."""
    wide = 500.0
    return grid.box((min(side, 0) * wide, -wide, low), (max(side, 0) * wide, wide, high))


def _add_trunk(canvas: Canvas, anatomy: Anatomy, skin: FloatVolume, fascia: FloatVolume) -> None:
    build, size = anatomy.build, anatomy.size
    box = canvas.box((-1e4, -1e4, -125 * size), (1e4, 1e4, 1e4))
    if box is None:
        return
    x, y, z = canvas.coordinates(box)
    behind = np.clip((np.float32(10) - y) / np.float32(70), 0, 1)
    floor = np.float32(_GROIN_MM * size) + np.float32((_FOLD_MM - _GROIN_MM) * size) * behind - z
    # The furrow over the spine; the more fat beside it, the deeper.
    furrow = np.exp(-((x / np.float32(24 * size)) ** 2)) * (np.clip(-y / np.float32(60), 0, 1) ** 2)
    furrow = furrow * np.exp(-(((z / np.float32(size) - 190) / np.float32(210)) ** 4))
    trunk = contour_distance(x, y, z, build.skin) + np.float32(4 + 3 * min(build.fat, 2.5)) * furrow
    skin[box] = -union(-trunk, floor * np.float32(-1), blend=14.0)
    muscle = contour_distance(x, y, z, build.fascia) + np.float32(10) * furrow
    fascia[box] = np.maximum(muscle, floor + np.float32(9))
    add_upper_arms(canvas, anatomy, skin, fascia)


def _add_breasts(canvas: Canvas, anatomy: Anatomy, skin: FloatVolume) -> None:
    """Widen the outline of a woman by her breasts; lying on the back they sink to the sides."""
    size = anatomy.size
    for side, radius in zip((-1, 1), anatomy.build.breasts, strict=True):
        centre = (side * (72 * size + 0.35 * radius), 44 * size + 0.15 * radius, 398 * size)
        radii = (radius * 1.25, radius * 1.05, radius * 1.25)
        box = canvas.around(centre, (radii[0] + 30, radii[1] + 30, radii[2] + 30)) if radius > 0 else None
        if box is not None:
            breast = canvas.distance(box, ellipsoid, centre, radii)
            skin[box] = union(skin[box], breast, blend=24.0)


def _add_legs(canvas: Canvas, anatomy: Anatomy, skin: FloatVolume, fascia: FloatVolume) -> None:
    """Join both legs to the trunk; where thighs touch, skin lies on skin."""
    build, size = anatomy.build, anatomy.size
    seam = 130 * size
    for which, femur in enumerate(anatomy.femora):
        box = leg_box(canvas, femur.side, high=(_LEG_TOP_MM + 3 * _SEAM_MM) * size)
        if box is None:
            continue
        x, y, z = canvas.coordinates(box)
        cx, cy = leg_axis(femur, z, size)
        apart = np.float32(0.4) - np.float32(femur.side) * x
        # A thigh ends in a slope: on its outside the trunk takes over lower down.
        outward = np.maximum((x - cx) * np.float32(femur.side) + np.float32(30 * size), 0)
        top = (z - np.float32(_LEG_TOP_MM * size) + np.float32(0.5) * outward) * np.float32(0.8)
        cut = np.maximum(apart, top)
        leg = np.maximum(contour_distance(x - cx, y - cy, z, build.leg_skin[which]), cut)
        near = int(np.searchsorted(canvas.z[box[0]], -seam))
        upper = (slice(box[0].start + near, box[0].stop), box[1], box[2])
        leg[near:] = union(leg[near:], skin[upper], blend=_SEAM_MM)
        skin[box] = leg
        muscle = contour_distance(x - cx, y - cy, z, build.leg_fascia[which])
        np.maximum(muscle, cut + np.float32(3), out=muscle)
        fascia[box] = np.minimum(fascia[box], muscle)
