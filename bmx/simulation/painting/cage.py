"""The cage of the chest: ribs, their cartilage, breastbone, collar bones and shoulder blades."""

from __future__ import annotations

import numpy as np

from bmx.simulation.painting.marrow import paint_bone
from bmx.simulation.painting.scene import Scene
from bmx.simulation.painting.solids import Field, Point, superellipse, tube, union

_RIBS = 12
_MIDDLE_MM = np.float32(4.6)
"""Distance of a rib's middle from the inside of the cage."""
_HALF_THICK_MM = np.float32(3.4)
_HALF_TALL_MM = np.float32(6.6)
_SLOPE = np.float32(0.42)
"""How much a rib drops on its way forward, mm a mm."""


def paint_cage(scene: Scene) -> None:
    """Paint all bones of the chest but the spine."""
    _paint_ribs(scene)
    _paint_breastbone(scene)
    _paint_shoulders(scene)


def _paint_ribs(scene: Scene) -> None:
    """Ribs lie on the inside of the chest like hoops of a tilted barrel; fat and thin muscles lie between them."""
    anatomy, size = scene.anatomy, scene.anatomy.size
    vertebrae = anatomy.spine.vertebrae[:_RIBS]
    box = scene.canvas.box((-185 * size, -150 * size, 205 * size), (185 * size, 150 * size, 560 * size))
    if box is None:
        return
    x, y, z = scene.canvas.coordinates(box)
    # Undoing the slope, each rib has a height of its own, that of the joint with its vertebra.
    back = vertebrae[6].centre[1] - 25
    lift = np.abs(x) * np.float32(-0.10)
    level: Field = z + _SLOPE * (y - np.float32(back)) + lift + np.float32(0.015) * x
    joints = np.array([one.centre[2] + 6 for one in vertebrae])[::-1]
    index = np.arange(_RIBS - 1, -1, -1, dtype=np.float64)
    place = np.interp(level.ravel(), joints, index).reshape(level.shape).astype(np.float32)
    place = np.where(level > joints[-1], (np.float32(joints[-1]) - level) / np.float32(20), place)
    place = np.where(level < joints[0], np.float32(_RIBS - 1) + (np.float32(joints[0]) - level) / np.float32(26), place)
    number = np.clip(np.round(place), 0, _RIBS - 1)
    pitch = np.float32(np.mean(np.diff(joints)))
    aside = np.abs(place - number) * pitch * np.float32(0.92) / _HALF_TALL_MM
    depth = (scene.cavity[box] - _MIDDLE_MM) / _HALF_THICK_MM
    rib: Field = np.sqrt(depth * depth + aside * aside)
    rib -= np.float32(1)
    rib *= _HALF_THICK_MM
    # The lowest two end in the flank; in front all others turn into cartilage.
    ahead = y - np.float32(np.interp(380 * size, anatomy.build.cavity.z, anatomy.build.cavity.front) * 0.45)
    ends = np.where(number > 9.5, y - np.float32(back + 42) - (np.float32(11) - number) * 22, np.float32(-50))
    np.maximum(rib, ends, out=rib)
    # They leave out the spine and, in front, the breastbone.
    np.maximum(rib, np.where(y > 0, np.float32(10), np.float32(18)) - np.abs(x), out=rib)
    between = np.maximum(np.abs(scene.cavity[box] - np.float32(3.4)) - np.float32(3.8), np.float32(joints[0]) - level)
    scene.muscle(box, between)
    soft = np.clip(ahead / np.float32(8), -1, 1) * np.float32(3)
    percent = np.float32(vertebrae[6].bmff + 8)
    scene.canvas.paint(box, np.maximum(rib, -soft), "cartilage", fat_percent=9)
    paint_bone(scene.canvas, box, np.maximum(rib, soft), anatomy, percent=float(percent), marbling=5, cortex_mm=1.0)


def _paint_breastbone(scene: Scene) -> None:
    anatomy, size = scene.anatomy, scene.anatomy.size
    cavity = anatomy.build.cavity
    rows = [
        (z * size, float(np.interp(z * size, cavity.z, cavity.front)) + 6, wide * size)
        for z, wide in ((355, 9), (372, 16), (400, 19), (430, 17), (452, 15), (464, 22), (488, 30), (500, 24))
    ]
    box = scene.canvas.box(
        (-40 * size, rows[-1][1] - 20, rows[0][0] - 6), (40 * size, rows[0][1] + 25, rows[-1][0] + 6)
    )
    if box is None:
        return
    x, y, z = scene.canvas.coordinates(box)
    heights, fronts, widths = (np.array(column) for column in zip(*rows, strict=True))
    middle = np.interp(z, heights, fronts).astype(np.float32)
    wide = np.interp(z, heights, widths).astype(np.float32)
    plate = superellipse(x, y - middle, wide, 5.6, 2.6)
    bone = np.maximum(plate, np.maximum(z - np.float32(heights[-1]), np.float32(heights[0]) - z))
    paint_bone(scene.canvas, box, bone, anatomy, percent=anatomy.spine.vertebrae[5].bmff + 6, marbling=5, cortex_mm=1.1)


def _paint_shoulders(scene: Scene) -> None:
    """Collar bones, and shoulder blades as plates that lie on the cage."""
    anatomy, size = scene.anatomy, scene.anatomy.size
    percent = anatomy.spine.vertebrae[5].bmff + 15
    for arm in anatomy.build.arms:
        side, (sx, sy, sz) = arm.side, arm.shoulder
        collar: list[Point] = [
            (side * 18 * size, 36 * size, 496 * size), (sx * 0.40, 38 * size, 500 * size),
            (sx * 0.70, sy + 42 * size, sz + 36 * size), (sx * 0.93, sy + 12, sz + 36 * size),
        ]  # fmt: skip
        spine: list[Point] = [
            (sx * 0.97, sy + 2, sz + 33 * size), (sx * 0.80, sy - 34 * size, sz + 14 * size),
            (sx * 0.45, sy - 58 * size, sz - 22 * size),
        ]  # fmt: skip
        border: list[Point] = [
            (sx * 0.84, sy - 8, sz - 2 * size), (sx * 0.72, sy - 34 * size, sz - 60 * size),
            (sx * 0.60, sy - 56 * size, sz - 118 * size),
        ]  # fmt: skip
        for line, radii in ((collar, (8, 6, 5.5, 6)), (spine, (7, 5, 3.5)), (border, (9, 5, 5))):
            box = scene.canvas.along(*line, margin=12 * size)
            if box is not None:
                bone = scene.canvas.distance(box, tube, line, [one * size for one in radii])
                paint_bone(scene.canvas, box, bone, anatomy, percent=percent, marbling=5, cortex_mm=1.4)
        _paint_blade(scene, spine, border, percent)


def _paint_blade(scene: Scene, spine: list[Point], border: list[Point], percent: float) -> None:
    """The thin plate between the ridge and the outer border of a shoulder blade."""
    inner = spine[-1]
    tip, joint = border[-1], border[0]
    box = scene.canvas.along(inner, tip, joint, margin=8)
    if box is None:
        return
    x, y, z = scene.canvas.coordinates(box)
    a, b, c = (np.asarray(point) for point in (joint, inner, tip))
    normal = np.cross(b - a, c - a)
    normal /= np.linalg.norm(normal)
    plate = np.abs(_height(x, y, z, a, normal)) - np.float32(2.4)
    edges = []
    for start, end, third in ((a, b, c), (b, c, a), (c, a, b)):
        out = np.cross(end - start, normal)
        out /= np.linalg.norm(out)
        out *= -np.sign(out @ (third - start))
        edges.append(_height(x, y, z, start, out))
    bone = -union(-plate, *(-edge for edge in edges), blend=2.0)
    paint_bone(scene.canvas, box, bone, scene.anatomy, percent=percent, marbling=5, cortex_mm=1.2)


def _height(x: Field, y: Field, z: Field, point: np.ndarray, normal: np.ndarray) -> Field:
    """Distance from the plane through a point, positive where its normal points to."""
    parts = zip((x, y, z), point, normal, strict=True)
    across, along, up = (np.float32(n) * (one - np.float32(p)) for one, p, n in parts)
    height: Field = across + along + up
    return height
