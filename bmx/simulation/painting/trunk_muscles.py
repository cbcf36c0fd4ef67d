"""Muscles of the trunk: the layers around belly and chest, the back, buttocks and hips, and psoas."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bmx.simulation.painting.bellies import Frame, Row, packed
from bmx.simulation.painting.grid import Box
from bmx.simulation.painting.scene import Scene
from bmx.simulation.painting.solids import Field, Point, frustum

_RIBS_MM = np.float32(9.5)
"""Thickness of the cage around the chest."""

GLUTEUS_MAXIMUS: list[Row] = [
    (-150, 112, -40, 8, 12, 0), (-110, 104, -60, 26, 22, -20), (-75, 92, -72, 54, 30, 18), (-30, 84, -76, 62, 32, 22),
    (20, 76, -78, 60, 28, 24), (60, 68, -76, 46, 20, 24), (100, 56, -70, 20, 9, 20),
]  # fmt: skip
GLUTEUS_MEDIUS: list[Row] = [
    (-25, 140, -14, 7, 14, 0), (0, 140, -16, 13, 27, 12), (30, 134, -12, 18, 42, 14), (70, 127, -4, 15, 50, 14),
    (112, 112, 0, 8, 30, 10),
]  # fmt: skip
GLUTEUS_MINIMUS: list[Row] = [
    (-10, 130, 6, 6, 12, 0), (10, 123, 2, 10, 22, 10), (40, 115, 6, 12, 31, 14), (80, 110, 8, 6, 26, 10),
]  # fmt: skip
TENSOR_FASCIAE: list[Row] = [
    (-115, 148, 14, 4, 12, 0), (-50, 146, 34, 8, 19, 10), (10, 140, 46, 11, 18, 15), (66, 130, 44, 6, 12, 10),
]  # fmt: skip
ILIACUS: list[Row] = [
    (10, 92, 30, 12, 12, 0), (35, 88, 22, 12, 20, 20), (65, 92, 10, 10, 28, 18), (98, 98, 2, 5, 24, 14),
]  # fmt: skip
OBTURATOR_INTERNUS: list[Row] = [
    (-60, 56, -14, 6, 18, 0), (-20, 60, -18, 8, 28, 6), (22, 63, -24, 6, 22, 8),
]  # fmt: skip
OBTURATOR_EXTERNUS: list[Row] = [(-75, 62, 6, 12, 6, 0), (-50, 72, -2, 26, 10, -15), (-25, 84, -14, 12, 7, -20)]
PIRIFORMIS: list[Row] = [(-5, 108, -34, 18, 7, 25), (18, 78, -46, 34, 10, 22), (45, 48, -58, 26, 9, 12)]
QUADRATUS_FEMORIS: list[Row] = [(-65, 98, -26, 18, 7, 0), (-42, 96, -28, 28, 10, 5), (-18, 96, -30, 18, 7, 8)]
HIP = (
    GLUTEUS_MAXIMUS, GLUTEUS_MEDIUS, GLUTEUS_MINIMUS, TENSOR_FASCIAE, ILIACUS, OBTURATOR_INTERNUS, OBTURATOR_EXTERNUS,
    PIRIFORMIS, QUADRATUS_FEMORIS,
)  # fmt: skip
"""Of the right side of a person of 170 cm, mm from the middle of the hip joints."""

MULTIFIDUS: list[Row] = [
    (-5, 10, 22, 5, 5, 0), (30, 14, 22, 10, 8, 0), (62, 16, 22, 13, 11, 0),
    (100, 16, 24, 13, 15, 0), (150, 17, 24, 13, 16, 0), (250, 13, 18, 10, 13, 0),
    (400, 11, 15, 9, 9, 0), (560, 14, 20, 11, 12, 0),
]  # fmt: skip
LONGISSIMUS: list[Row] = [
    (70, 30, 12, 12, 6, 0), (110, 40, 20, 17, 14, -10), (170, 42, 22, 20, 17, -8), (250, 38, 18, 19, 13, -5),
    (400, 28, 15, 14, 8, 0), (540, 26, 22, 10, 10, 0),
]  # fmt: skip
ILIOCOSTALIS: list[Row] = [
    (95, 56, 18, 10, 8, -20), (150, 66, 22, 14, 15, -20), (220, 66, 20, 15, 12, -15), (320, 58, 17, 14, 6, -8),
    (460, 44, 16, 8, 4, 0),
]  # fmt: skip
QUADRATUS_LUMBORUM: list[Row] = [(100, 74, 44, 16, 8, -30), (170, 66, 42, 18, 9, -25), (275, 46, 36, 12, 5, -10)]
_LOIN_MM = 26.0
BACK = (MULTIFIDUS, LONGISSIMUS, ILIOCOSTALIS, QUADRATUS_LUMBORUM)
"""Forward is counted from the fascia of the back."""


def paint_trunk_muscles(scene: Scene) -> None:
    """Paint the muscles of the trunk, from the wall inwards."""
    _paint_wall(scene)
    _paint_back(scene)
    _paint_hips(scene)
    for side in (-1.0, 1.0):
        _paint_psoas(scene, side)


def _paint_wall(scene: Scene) -> None:
    """Layers between fascia and cavity, with fat between them; around the chest they lie on the cage."""
    size, build = scene.anatomy.size, scene.anatomy.build
    box = scene.canvas.box((-1e4, -1e4, -60 * size), (1e4, 1e4, 1e4))
    if box is None:
        return
    x, y, z = scene.canvas.coordinates(box)
    fascia, cavity = scene.lines.fascia[box], scene.cavity[box]
    heights = z / np.float32(size)
    chest = np.clip((heights - 285) / np.float32(40), 0, 1)
    inner = np.float32(0.8) + _RIBS_MM * chest - cavity
    # Below, it holds to the crest of the hip bone and, in front, to the ligament of the groin.
    ahead = np.clip((y - 5) / np.float32(45), 0, 1)
    rim = np.float32(96 * size) - ahead * np.maximum(np.float32(140 * size) - np.abs(x), 0)
    muscle = np.maximum(fascia + np.float32(0.4), inner)
    np.maximum(muscle, (rim - z) * np.float32(0.7), out=muscle)
    # Layers part where the wall is thick, as shares of its thickness.
    fat = np.float32(build.fat_between * 0.5)
    thick = np.maximum(-fascia - inner, 0)
    wobble = scene.wobble(box)
    # Here and there they lie on each other without fat.
    gap = fat * (1 + wobble * np.float32(0.8))
    wobble *= np.float32(0.04)
    for share, where in ((0.36, 1 - chest), (0.70, 1 - chest), (0.5, chest)):
        plane = np.abs(fascia + (np.float32(share) + wobble) * thick)
        np.maximum(muscle, gap * where - plane, out=muscle)
    # The seam between the straight muscles in front.
    seam = (
        np.float32(min(0.5 + 0.4 * build.fat_between, 1.5))
        - np.abs(x + np.float32(1.5) * wobble)
        - (y < 0) * np.float32(50)
    )
    np.maximum(muscle, seam - np.float32(60) * chest, out=muscle)
    scene.muscle(box, muscle)


def _paint_back(scene: Scene) -> None:
    """Columns of muscle on both sides of the spine, in fat."""
    size, build = scene.anatomy.size, scene.anatomy.build
    spine = scene.anatomy.spine.vertebrae
    for side in (-1.0, 1.0):
        box = scene.canvas.box(
            (min(side * 100, 0) * size, -200.0, -6 * size), (max(side * 100, 0) * size, 0.0, 570 * size)
        )
        if box is None:
            continue
        x, y, z = scene.canvas.coordinates(box)
        flat = z.ravel()
        centres = np.array([one.centre for one in spine])[::-1]
        axis = np.interp(flat, centres[:, 2], centres[:, 0]).astype(np.float32)[:, None, None]
        hind = build.fascia.at(flat).back
        # Square outlines are deepest in the middle; the wavering of the fascia is cut away below.
        unit = np.float32(size * build.bulk**0.5)
        frame = Frame(axis, hind, np.full_like(hind, side * unit), np.full_like(hind, unit), size)
        wobble = scene.wobble(box)
        columns = packed(x, y, z, BACK, frame, gap_mm=0.15 * build.fat_between, bulge_mm=3, wobble=wobble)
        # Between ribs and pelvis they reach forward to the transverse processes, deeper than the wall beside them.
        loin = np.exp(-(((z / np.float32(size) - 155) / np.float32(110)) ** 4))
        near = np.clip((np.float32(92 * size) - np.abs(x - axis)) / np.float32(26 * size), 0, 1)
        open_to = np.float32(_LOIN_MM * size) * loin * near
        limits = np.maximum(scene.lines.fascia[box] + np.float32(0.6), np.float32(1.0) - scene.cavity[box] - open_to)
        np.maximum(columns, limits, out=columns)
        # They lie in a bed of fat that parts them from the wall.
        bed = np.maximum(limits + np.float32(1.2), columns - np.float32(0.4 + 0.9 * build.fat_between))
        scene.canvas.paint(box, bed, "fat", fat_percent=86)
        scene.muscle(box, columns)


def _paint_hips(scene: Scene) -> None:
    size, build = scene.anatomy.size, scene.anatomy.build
    for side in (-1.0, 1.0):
        box = scene.canvas.box(
            (min(side * 200, 0) * size, -190.0, -152 * size), (max(side * 200, 0) * size, 120.0, 114 * size)
        )
        if box is None:
            continue
        x, y, z = scene.canvas.coordinates(box)
        unit = np.float32(size * build.bulk**0.6)
        column = np.ones_like(z)
        frame = Frame(column * 0, column * 0, column * np.float32(side) * unit, column * unit, size)
        hips = packed(x, y, z, HIP, frame, gap_mm=1.4 * build.fat_between, bulge_mm=3.5, wobble=scene.wobble(box))
        np.maximum(hips, scene.lines.fascia[box] + np.float32(0.6), out=hips)
        scene.canvas.paint(
            box, np.maximum(hips - np.float32(1.5), scene.lines.fascia[box] + np.float32(0.6)), "fat", fat_percent=88
        )
        scene.muscle(box, hips)


def _paint_psoas(scene: Scene, side: float) -> None:
    """From the first lumbar vertebra along the spine, over the rim of the pelvis, to the lesser trochanter."""
    anatomy, size = scene.anatomy, scene.anatomy.size
    lumbar = anatomy.spine.vertebrae[12:]
    femur = anatomy.femora[0 if side < 0 else 1]
    bulk = anatomy.build.bulk * (1.0 if anatomy.male else 0.88)
    line: list[tuple[Point, float, float]] = [
        ((one.centre[0] + side * (one.radius_x + out), one.centre[1] + back, one.centre[2]), wide * bulk, deep * bulk)
        for one, out, back, wide, deep in zip(
            lumbar, (2, 6, 11, 15, 18), (-10, -8, -5, 1, 8), (5, 9, 13, 16, 16), (7, 12, 17, 20, 18), strict=True
        )
    ]
    nx, ny, nz = femur.neck_end
    line += [
        ((side * 62 * size, 14 * size, 60 * size), 15 * bulk, 16 * bulk),
        ((side * 78 * size, 34 * size, 12 * size), 17 * bulk, 13 * bulk),
        ((side * 88 * size, 30 * size, -22 * size), 14 * bulk, 11 * bulk),
        ((nx - side * 16 * size, ny - 4, nz - 28 * size), 6.0, 7.0),
    ]
    for (start, wide, deep), (end, wide_end, deep_end) in pairwise(line):
        box = scene.canvas.along(start, end, margin=max(wide, deep, wide_end, deep_end) + 5)
        if box is None:
            continue
        belly = _strand(scene, box, start, end, (deep, deep_end), wide / deep)
        scene.canvas.paint(box, belly - np.float32(1.5), "fat", fat_percent=88)
    for (start, wide, deep), (end, wide_end, deep_end) in pairwise(line):
        box = scene.canvas.along(start, end, margin=max(wide, deep, wide_end, deep_end) + 5)
        if box is not None:
            scene.muscle(box, _strand(scene, box, start, end, (deep, deep_end), wide / deep))


def _strand(scene: Scene, box: Box, start: Point, end: Point, radii: tuple[float, float], slim: float) -> Field:
    """Piece of a muscle whose width is `slim` times its depth."""
    x, y, z = scene.canvas.coordinates(box)
    scale = np.float32(1 / slim)
    strand = frustum(x * scale, y, z, (start[0] / slim, start[1], start[2]), (end[0] / slim, end[1], end[2]), radii)
    return strand + np.float32(1.6) * scene.wobble(box)
