"""Muscles and the fat between them: compartments of the thigh, the layers of the trunk's wall, the back, psoas."""

from __future__ import annotations

import numpy as np

from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.grid import Box
from bmx.simulation.painting.skin import Outlines, leg_axis, leg_box
from bmx.simulation.painting.solids import Field, Point, intersection, tube

_THIGH: tuple[tuple[float, float, float], ...] = (
    (0.05, 0.72, 0.32),  # rectus femoris
    (0.55, 0.35, 0.42),  # vastus lateralis
    (-0.35, 0.42, 0.34),  # vastus medialis
    (0.12, 0.18, 0.34),  # vastus intermedius, around the bone
    (-0.60, 0.05, 0.18),  # sartorius
    (-0.62, -0.25, 0.36),  # adductors
    (-0.78, -0.45, 0.16),  # gracilis
    (-0.25, -0.62, 0.30),  # semitendinosus, semimembranosus
    (0.32, -0.58, 0.34),  # biceps femoris
)
"""Middle (outward, forward, relative to the thigh's half axes) and size of each belly."""


def paint_fat_planes(canvas: Canvas, anatomy: Anatomy, lines: Outlines) -> None:
    """Lay fat between the muscles of thighs, buttocks and the wall of the belly."""
    for side in (-1, 1):
        _paint_thigh(canvas, anatomy, lines, side)
    _paint_layers(canvas, anatomy, lines)


def _paint_thigh(canvas: Canvas, anatomy: Anatomy, lines: Outlines, side: int) -> None:
    box = leg_box(canvas, anatomy, side)
    if box is None:
        return
    x, y, z = canvas.coordinates(box)
    cx, cy = leg_axis(anatomy, side, z)
    size = np.float32(anatomy.size * 62 * anatomy.build.bulk)
    out, front = (x - cx) * np.float32(side) / size, (y - cy) / size
    # Bellies wind around the bone: the pattern turns a little from hip to knee.
    turn = (z / np.float32(400 * anatomy.size)) * np.float32(0.35)
    out, front = out * np.cos(turn) - front * np.sin(turn), out * np.sin(turn) + front * np.cos(turn)
    nearest = np.full(np.broadcast_shapes(out.shape, z.shape), 9, np.float32)
    second = nearest.copy()
    for a, b, radius in _THIGH:
        distance = np.sqrt((out - np.float32(a)) ** 2 + (front - np.float32(b)) ** 2) - np.float32(radius)
        second = np.minimum(second, np.maximum(distance, nearest))
        nearest = np.minimum(nearest, distance)
    wobble = canvas.texture(box, anatomy.build.mottle)
    gap = (second - nearest) * size * np.float32(0.5) + np.float32(0.9) * wobble
    width = np.float32(anatomy.build.fat_between) * (1 + np.float32(0.35) * wobble)
    # Where all bellies end, above the knee and towards the groin, fat fills what they leave.
    width = width + np.float32(2.5) * np.clip(1 - (z + np.float32(380 * anatomy.size)) / 60, 0, 1)
    plane = intersection(gap - width * np.float32(0.55), lines.fascia[box] + np.float32(1))
    canvas.paint(box, plane, "fat", fat_percent=86)


def _paint_layers(canvas: Canvas, anatomy: Anatomy, lines: Outlines) -> None:
    """Sheets of fat at some depths below the fascia: between the muscles of the wall and of the buttocks."""
    size, mottle = anatomy.size, anatomy.build.mottle
    box = canvas.box((-260, -260, 45 * size), (260, 260, 300 * size))
    if box is not None:
        x, y, _ = canvas.coordinates(box)
        wobble = canvas.texture(box, mottle)
        flank = np.abs(x) - np.float32(45 * size)
        for depth in (7.0, 12.5):
            sheet = np.abs(lines.fascia[box] + np.float32(depth) + np.float32(1.2) * wobble)
            sheet = sheet - np.float32(0.35 * anatomy.build.fat_between)
            canvas.paint(box, intersection(sheet, -flank, -y - 50), "fat", fat_percent=70)
    box = canvas.box((-260, -260, -90 * size), (260, -15, 135 * size))
    if box is not None:
        wobble = canvas.texture(box, mottle)
        for depth in (26.0, 46.0):
            sheet = np.abs(lines.fascia[box] + np.float32(depth * size) + np.float32(4) * wobble)
            canvas.paint(box, sheet - np.float32(0.8 * anatomy.build.fat_between), "fat", fat_percent=82)
        # Strands of the large gluteal muscle.
        strands = np.abs(canvas.texture(box, anatomy.build.streaks)) - np.float32(0.07)
        deep = intersection(strands * 6, lines.fascia[box] + np.float32(2), -lines.fascia[box] - np.float32(26 * size))
        canvas.paint(box, deep, "fat", fat_percent=60)


def paint_back(canvas: Canvas, anatomy: Anatomy) -> None:
    """Paint the long muscles beside the spine, each in its sheath of fat, and psoas in front of it."""
    size, vertebrae = anatomy.size, anatomy.spine.vertebrae
    plump = anatomy.build.bulk * size
    for side in (-1.0, 1.0):
        back: list[Point] = []
        for index, vertebra in enumerate(vertebrae):
            x, y, z = vertebra.centre
            out = 27 - 0.25 * abs(index - 13)
            back.append((x + side * out * plump, y - vertebra.radius_y - 27 * plump, z))
        x, y, z = anatomy.spine.promontory
        back.append((x + side * 22 * plump, y - 58 * plump, z - 35 * size))
        thick = [(13 + 0.62 * index) * plump for index in range(len(vertebrae))] + [13 * plump]
        _paint_strand(canvas, anatomy, back, thick, sheath_mm=0.8 * anatomy.build.fat_between)
        femur = anatomy.femora[0 if side < 0 else 1]
        front: list[Point] = []
        for vertebra in vertebrae[12:]:
            x, y, z = vertebra.centre
            front.append((x + side * (vertebra.radius_x + 11 * plump), y - 4, z))
        front.append((side * 62 * size, 6.0, 62 * size))
        front.append((femur.head[0] - side * 8, femur.head[1] + 34 * size, femur.head[2] + 22 * size))
        front.append((femur.neck_end[0] - side * 16, femur.neck_end[1] + 6, femur.neck_end[2] - 22 * size))
        girth = [plump * r for r in (6, 11, 15, 18, 19, 19, 16, 8)]
        _paint_strand(canvas, anatomy, front, girth, sheath_mm=1.0 * anatomy.build.fat_between)


def _paint_strand(
    canvas: Canvas, anatomy: Anatomy, points: list[Point], radii: list[float], *, sheath_mm: float
) -> None:
    """A muscle along a line, in a sheath of fat."""
    box = canvas.along(*points, margin=max(radii) + 4)
    if box is None:
        return
    belly = canvas.distance(box, tube, points, radii) + np.float32(3) * canvas.texture(box, anatomy.build.mottle)
    canvas.paint(box, belly - np.float32(sheath_mm), "fat", fat_percent=80)
    canvas.paint(box, belly, "muscle", fat_percent=infiltration(canvas, anatomy, box))


def infiltration(canvas: Canvas, anatomy: Anatomy, box: Box, factor: float = 1.3) -> Field:
    """Fat fraction of muscle, percent: streaks along its fibres."""
    streaks = canvas.texture(box, anatomy.build.streaks)
    percent: Field = np.float32(factor * anatomy.build.muscle_fat) * np.exp(np.float32(0.6) * streaks)
    return percent
