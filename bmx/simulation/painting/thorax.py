"""Chest: ribs, breastbone, collar bones, shoulder blades, lungs, heart and the great vessels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.marrow import paint_bone
from bmx.simulation.painting.skin import contour_distance
from bmx.simulation.painting.solids import Field, Point, ellipsoid, frustum, intersection, tube

_RIBS = 12
_SEGMENTS = 9


def diaphragm(x: Field, y: Field, z: Field, anatomy: Anatomy, breath_mm: float) -> Field:
    """Height above the diaphragm, mm: positive in the chest. Two domes that move with the breath."""
    size, organs = anatomy.size, anatomy.build.organs
    domes = [
        np.float32(top + breath_mm)
        - ((x - np.float32(side * 68 * size)) ** 2 / np.float32(150 * size) + (y + 5) ** 2 / np.float32(170 * size))
        for side, top in zip((-1, 1), organs.domes, strict=True)
    ]
    height: Field = z - np.maximum(np.maximum(*domes), np.float32(215 * size + breath_mm))
    return height


def paint_thorax(canvas: Canvas, anatomy: Anatomy, breath_mm: float) -> None:
    """Paint lungs and mediastinum, then the cage around them."""
    size = anatomy.size
    box = canvas.box((-190 * size, -140 * size, 215 * size), (190 * size, 140 * size, 545 * size))
    if box is None:
        return
    x, y, z = canvas.coordinates(box)
    cavity = contour_distance(x, y, z, anatomy.build.cavity)
    chest = intersection(cavity, -diaphragm(x, y, z, anatomy, breath_mm))
    canvas.paint(box, chest, "visceral_fat", fat_percent=82)
    middle = np.abs(x + 6) - np.float32(26 * size) - np.float32(14 * size) * np.exp(-(((z - 395 * size) / 60) ** 2))
    spine = intersection(np.abs(x) - np.float32(12 * size), y + np.float32(15))
    middle = middle + np.float32(5) * canvas.texture(box, anatomy.build.mottle)
    lungs = intersection(chest + np.float32(2.5), -middle, -spine)
    vessels = np.clip(6 + 3 * canvas.texture(box, anatomy.build.streaks), 0, 30)
    canvas.paint(box, lungs, "lung", fat_percent=vessels)
    _paint_heart(canvas, anatomy, breath_mm)
    _paint_vessels(canvas, anatomy, breath_mm)
    _paint_cage(canvas, anatomy)


def _paint_heart(canvas: Canvas, anatomy: Anatomy, breath_mm: float) -> None:
    size, scale = anatomy.size, anatomy.build.organs.heart * anatomy.size
    centre = (-24 * size, 34 * size, 388 * size + 0.6 * breath_mm)
    box = canvas.around(centre, 72 * scale)
    if box is None:
        return
    x, y, z = canvas.coordinates(box)
    wobble = np.float32(2.5) * canvas.texture(box, anatomy.build.mottle)
    tilted = x + np.float32(0.45) * (z - np.float32(centre[2]))
    wall = ellipsoid(tilted, y, z, centre, (52 * scale, 40 * scale, 50 * scale)) + wobble
    canvas.paint(box, wall - np.float32(4), "fat", fat_percent=78)
    canvas.paint(box, wall, "heart")
    for dx, dy, dz, radius in ((-16, 4, -10, 22), (18, 6, -4, 20), (6, -16, 24, 19)):
        room = (centre[0] + dx * scale, centre[1] + dy * scale, centre[2] + dz * scale)
        canvas.paint(
            box, ellipsoid(tilted, y, z, room, (radius * scale, radius * scale * 0.8, radius * scale)), "blood"
        )


def _paint_vessels(canvas: Canvas, anatomy: Anatomy, breath_mm: float) -> None:
    """Aorta along the left front of the spine, vena cava on its right, windpipe and gullet."""
    size, vertebrae = anatomy.size, anatomy.spine.vertebrae
    aorta = [
        (v.centre[0] - (20 if i < 8 else 12) * size, v.centre[1] + v.radius_y + 10 * size, v.centre[2])
        for i, v in enumerate(vertebrae[4:16])
    ]
    cava = [(v.centre[0] + 17 * size, v.centre[1] + v.radius_y + 9 * size, v.centre[2]) for v in vertebrae[8:16]]
    arch = [aorta[0], (-16 * size, 4.0, 470 * size), (4 * size, 26.0, 462 * size), (6 * size, 34.0, 430 * size)]
    windpipe = [
        (2.0, 6 * size, 436 * size),
        (0.0, 12 * size, 480 * size),
        (0.0, 20 * size, 530 * size),
        (0.0, 22 * size, 600 * size),
    ]
    bronchi = [[windpipe[0], (side * 40 * size, -4.0, 412 * size)] for side in (-1, 1)]
    for line, radius, tissue in (
        (aorta, 10.5, "blood"), (cava, 10.0, "blood"), (arch, 13.0, "blood"), (windpipe, 8.5, "gas"),
        *((line, 6.0, "gas") for line in bronchi),
    ):  # fmt: skip
        for start, end in pairwise(line):
            box = canvas.along(start, end, margin=radius * size + 5)
            if box is not None:
                wall = canvas.distance(box, frustum, start, end, (radius * size, radius * size))
                canvas.paint(box, wall - np.float32(1.5), "muscle")
                canvas.paint(box, wall, tissue)


def _paint_cage(canvas: Canvas, anatomy: Anatomy) -> None:
    """Ribs slope down to the front; ten of them reach the breastbone by cartilage."""
    size, spine = anatomy.size, anatomy.spine
    for index in range(_RIBS):
        vertebra = spine.vertebrae[index]
        for side in (-1, 1):
            line = _rib_line(anatomy, index, side)
            for start, end in pairwise(line):
                box = canvas.along(start, end, margin=8)
                if box is not None:
                    bone = canvas.distance(box, frustum, start, end, (4.6 * size, 4.6 * size))
                    paint_bone(canvas, box, bone, anatomy, percent=vertebra.bmff + 5, marbling=5, cortex_mm=1.2)
    front = float(np.interp(400 * size, anatomy.build.cavity.z, anatomy.build.cavity.front))
    sternum = [(0.0, front - 22 * size, 476 * size), (0.0, front + 2, 425 * size), (0.0, front + 6, 350 * size)]
    _paint_flat_bone(canvas, anatomy, sternum, (10.0, 8.5, 7.5), squeeze=(0.55, 1.0, 1.0))
    for arm in anatomy.build.arms:
        x, y, z = arm.shoulder
        collar = [
            (arm.side * 14 * size, 34 * size, 484 * size),
            (x * 0.55, 16 * size, 500 * size),
            (x * 0.88, y + 22, z + 26 * size),
        ]
        _paint_flat_bone(canvas, anatomy, collar, (7.0, 5.5, 5.5), squeeze=(1.0, 1.0, 1.0))
        blade = [
            (x * 0.85, y - 14, z + 8 * size),
            (x * 0.55, y - 44 * size, z - 50 * size),
            (x * 0.52, y - 46 * size, z - 120 * size),
        ]
        _paint_flat_bone(canvas, anatomy, blade, (14.0, 22.0, 8.0), squeeze=(1.0, 4.0, 1.0))


def _rib_line(anatomy: Anatomy, index: int, side: int) -> list[Point]:
    vertebra, cavity, size = anatomy.spine.vertebrae[index], anatomy.build.cavity, anatomy.size
    x0, y0, z0 = vertebra.centre
    # The lowest two are short; the first is nearly level.
    reach = 1.0 if index < 10 else (0.55, 0.35)[index - 10]
    drop = (25 + 8.5 * min(index, 8)) * size
    points: list[Point] = [(x0 + side * (vertebra.radius_x + 2), y0 - vertebra.radius_y - 6, z0)]
    for step in range(1, _SEGMENTS + 1):
        turn = np.pi * (0.12 + 0.82 * reach * step / _SEGMENTS)
        z = z0 - drop * (1 - np.cos(turn)) / 2
        wide = float(np.interp(z, cavity.z, cavity.left if side < 0 else cavity.right)) + 4
        front, back = (float(np.interp(z, cavity.z, edge)) for edge in (cavity.front, cavity.back))
        middle = (front + back) / 2
        points.append(
            (side * wide * float(np.sin(turn)), middle - (front - back + 8) / 2 * float(np.cos(turn)), float(z))
        )
    return points


def _paint_flat_bone(
    canvas: Canvas,
    anatomy: Anatomy,
    line: list[Point],
    radii: tuple[float, ...],
    *,
    squeeze: tuple[float, float, float],
) -> None:
    """A bone along a line, flattened: distances along an axis count `squeeze` times."""
    size = anatomy.size
    box = canvas.along(*line, margin=max(radii) * size / min(squeeze) + 4)
    if box is None:
        return
    centre = np.mean(line, axis=0)
    scaled = [tuple(float(c + (p - c) * s) for p, c, s in zip(point, centre, squeeze, strict=True)) for point in line]
    x, y, z = (np.float32(c) + (one - np.float32(c)) * np.float32(s)
               for one, c, s in zip(canvas.coordinates(box), centre, squeeze, strict=True))  # fmt: skip
    bone = tube(x, y, z, scaled, [radius * size for radius in radii])  # type: ignore[arg-type]  # triples
    paint_bone(
        canvas,
        box,
        bone / np.float32(max(squeeze)),
        anatomy,
        percent=anatomy.spine.vertebrae[5].bmff + 6,
        marbling=5,
        cortex_mm=1.2,
    )
