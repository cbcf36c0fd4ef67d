"""Chest: lungs and heart above a diaphragm that moves with the breath."""

from __future__ import annotations

import numpy as np

from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.painting.grid import Box
from bmx.simulation.painting.scene import Scene
from bmx.simulation.painting.solids import Field, Point, ellipsoid, frustum, in_frame, union
from bmx.simulation.painting.vessels import paint_great_vessels

_TILT = np.array([[0.82, 0.42, 0.39], [-0.50, 0.86, 0.12], [-0.29, -0.29, 0.91]])
"""Axes of the heart: its long axis points to the left, forward and down."""


def diaphragm(x: Field, y: Field, z: Field, anatomy: Anatomy, breath_mm: float) -> Field:
    """Height above the diaphragm, mm: positive in the chest. Two domes, deepest behind and at the sides."""
    size, organs = anatomy.size, anatomy.build.organs
    domes = [
        np.float32(top + breath_mm)
        - (x - np.float32(side * 62 * size)) ** 2 / np.float32(120 * size)
        - np.maximum(y - np.float32(14), np.float32(0)) ** 2 / np.float32(170 * size)
        - np.minimum(y - np.float32(14), np.float32(0)) ** 2 / np.float32(120 * size)
        for side, top in zip((-1, 1), organs.domes, strict=True)
    ]
    saddle = np.float32(min(organs.domes) - 16 * size + breath_mm) - ((x * x) + (y - 30) ** 2) / np.float32(140 * size)
    height = z + union(*(-dome for dome in (*domes, saddle)), blend=14.0)
    above: Field = np.minimum(height, z - np.float32(212 * size + breath_mm))
    return above


def paint_thorax(scene: Scene) -> None:
    """Paint what lies above the diaphragm, inside the cage."""
    anatomy, size = scene.anatomy, scene.anatomy.size
    box = scene.canvas.box((-170 * size, -125 * size, 212 * size), (170 * size, 130 * size, 548 * size))
    if box is None:
        return
    x, y, z = scene.canvas.coordinates(box)
    chest = np.maximum(scene.cavity[box], -diaphragm(x, y, z, anatomy, scene.breath_mm))
    scene.canvas.paint(box, chest, "visceral_fat", fat_percent=80)
    middle = _mediastinum(scene, x, y, z)
    middle += np.float32(1.5) * scene.wobble(box)
    lungs = np.maximum(chest + np.float32(1.2), np.float32(1) - middle)
    scene.canvas.paint(box, lungs, "lung")
    _paint_lung_vessels(scene, box, lungs)
    _paint_heart(scene)
    paint_great_vessels(scene)


def heart_place(anatomy: Anatomy, breath_mm: float) -> Point:
    """Middle of the heart: it rides on the diaphragm."""
    size = anatomy.size
    return -20 * size, 26 * size, min(anatomy.build.organs.domes) + 44 * size + 0.7 * breath_mm


def _mediastinum(scene: Scene, x: Field, y: Field, z: Field) -> Field:
    """Distance to what parts the lungs: spine, heart and vessels in their fat, and a thin sheet in front."""
    anatomy, size = scene.anatomy, scene.anatomy.size
    spine = anatomy.spine.vertebrae[:13][::-1]
    heights = z.ravel()
    places = np.array([one.centre for one in spine])
    cx, cy = (np.interp(heights, places[:, 2], places[:, i]).astype(np.float32)[:, None, None] for i in (0, 1))
    up = np.clip((z / np.float32(size) - 400) / np.float32(90), 0, 1)

    def column(x0: Field, y0: Field, wide: Field, deep: Field) -> Field:
        near: Field = np.sqrt(((x - x0) / wide) ** 2 + ((y - y0) / deep) ** 2)
        near -= np.float32(1)
        near *= np.sqrt(wide * deep)
        return near

    s = np.float32(size)
    behind = column(cx, cy - 22 * s, 21 * s + 0 * up, 44 * s + 0 * up)
    aorta = column(cx - 20 * s, cy + 16 * s, 17 * s + 0 * up, 17 * s + 0 * up)
    vessels = column(0 * up, cy + (46 - 8 * up) * s, (22 + 11 * up) * s, (33 - 4 * up) * s)
    mx, my, mz = heart_place(anatomy, scene.breath_mm)
    h = anatomy.build.organs.heart * size
    u, v, w = in_frame(x, y, z, (mx, my, mz), _TILT)
    heart = ellipsoid(u, v, w, (0, 0, 0), (66 * h, 47 * h, 50 * h))
    # Fat on the diaphragm beside the heart.
    pad = ellipsoid(x, y, z, (mx - 8 * size, my + 26 * size, mz - 40 * size), (60 * size, 26 * size, 20 * size))
    sheet = np.maximum(np.abs(x + np.float32(4)) - np.float32(2), -y)
    joined = union(behind, aorta, blend=8.0)
    joined = union(joined, vessels, blend=14.0)
    joined = union(joined, heart, pad, blend=10.0)
    apart: Field = np.minimum(joined, sheet)
    return apart


def _paint_lung_vessels(scene: Scene, box: Box, lungs: Field) -> None:
    """Vessels run from the root of each lung outward, thinner and thinner."""
    anatomy, size = scene.anatomy, scene.anatomy.size
    for side, ends in zip((-1, 1), anatomy.build.organs.lung_vessels, strict=True):
        root = (side * 34 * size, -6 * size, 432 * size + 0.3 * scene.breath_mm)
        for share_x, y0, height in ends:
            far = (side * share_x * size, y0 * size, height * size)
            bent = [
                0.5 * (a + b) + 5 * np.sin(11 * share_x + i) for i, (a, b) in enumerate(zip(root, far, strict=True))
            ]
            half = (float(bent[0]), float(bent[1]), float(bent[2]))
            for start, end, radii in (
                (root, half, (4.6 * size, 2.8 * size)), (half, far, (2.8 * size, 1.2 * size)),
            ):  # fmt: skip
                where = scene.canvas.along(start, end, margin=6)
                cut = None if where is None else _common(where, box)
                if cut is not None:
                    inner, own = cut
                    tube = scene.canvas.distance(inner, frustum, start, end, radii)
                    scene.canvas.paint(inner, np.maximum(tube, lungs[own] + np.float32(2)), "blood")


def _common(box: Box, within: Box) -> tuple[Box, Box] | None:
    """What two boxes share, and the same counted from the corner of the second."""
    shared = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(box, within, strict=True)]
    if any(one.start >= one.stop for one in shared):
        return None
    own = [slice(one.start - b.start, one.stop - b.start) for one, b in zip(shared, within, strict=True)]
    return (shared[0], shared[1], shared[2]), (own[0], own[1], own[2])


def _paint_heart(scene: Scene) -> None:
    """Chambers with their walls, and fat in the groove between them."""
    scale = scene.anatomy.build.organs.heart * scene.anatomy.size
    centre = heart_place(scene.anatomy, scene.breath_mm)
    box = scene.canvas.around(centre, 78 * scale)
    if box is None:
        return
    u, v, w = in_frame(*scene.canvas.coordinates(box), centre, _TILT)
    u, v, w = u / np.float32(scale), v / np.float32(scale), w / np.float32(scale)
    wobble = scene.wobble(box)
    # u grows towards the base (right and back), so the tip of the heart is at negative u.
    left = ellipsoid(u, v, w, (-14, -12, 0), (44, 27, 29))
    right = ellipsoid(u, v, w, (-8, 20, -4), (42, 20, 30))
    atria = [ellipsoid(u, v, w, (34, 12, 4), (23, 25, 31)), ellipsoid(u, v, w, (30, -22, 12), (24, 19, 27))]
    muscle = union(left, right, blend=5.0) + wobble
    scene.canvas.paint(box, union(*atria, blend=3.0) * np.float32(scale), "blood")
    scene.canvas.paint(box, muscle * np.float32(scale), "heart")
    scene.canvas.paint(box, (left + np.float32(11) + 2 * wobble) * np.float32(scale), "blood")
    scene.canvas.paint(box, (np.maximum(right, -left) + np.float32(4) + wobble) * np.float32(scale), "blood")
