"""Vertebrae, discs, the spinal canal and the sacrum."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.anatomy.spine import LEVELS, Spine, Vertebra
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.grid import Box, Grid
from bmx.simulation.painting.marrow import paint_bone
from bmx.simulation.painting.solids import (
    Field,
    Point,
    ellipsoid,
    frustum,
    in_frame,
    intersection,
    sphere,
    superellipse,
    tube,
    union,
)

_CORTEX_MM = 0.9
_CORD_ENDS = LEVELS.index("L1")


def paint_spine(canvas: Canvas, anatomy: Anatomy) -> None:
    """Paint discs and canal, then each vertebra over them, then the sacrum."""
    spine = anatomy.spine
    _paint_discs(canvas, spine)
    _paint_canal(canvas, spine)
    for vertebra in spine.vertebrae:
        behind = _seen_from(vertebra, (0, -vertebra.radius_y - 24, -8))
        box = canvas.around(behind, (vertebra.radius_x + 30, 38, 34))
        if box is not None:
            arch = canvas.distance(box, posterior_elements, vertebra)
            paint_bone(canvas, box, arch, anatomy, percent=vertebra.bmff + 8, marbling=4, cortex_mm=1.5)
    for vertebra in spine.vertebrae:
        box = canvas.around(vertebra.centre, vertebra_reach(vertebra))
        if box is not None:
            body = canvas.distance(box, vertebral_body, vertebra)
            paint_bone(
                canvas, box, body, anatomy,
                percent=vertebra.bmff, marbling=vertebra.marbling, cortex_mm=_CORTEX_MM,
            )  # fmt: skip
    _paint_sacrum(canvas, anatomy)


def vertebra_reach(vertebra: Vertebra) -> Point:
    """Half extent (mm, x y z) of a box around a vertebral body, whichever way it leans."""
    reach = vertebra.radius_x + 4
    return reach, vertebra.radius_y + vertebra.height * 0.25 + 4, vertebra.height / 2 + vertebra.radius_x * 0.45 + 2


def vertebral_body(x: Field, y: Field, z: Field, vertebra: Vertebra) -> Field:
    """A column with a waist, a flat back, hollow endplates and rounded rims."""
    u, v, w = in_frame(x, y, z, vertebra.centre, vertebra.axes)
    half = np.float32(vertebra.height / 2)
    rx, ry = np.float32(vertebra.radius_x), np.float32(vertebra.radius_y)
    waist = 1 - np.float32(0.11) * np.clip(1 - (w / half) ** 2, 0, 1)
    side = superellipse(u, v, rx * waist, ry * waist, 2.3)
    side = intersection(side, -(v + np.float32(0.86) * ry * waist))
    # The back keeps its height in a wedge fracture; the front loses it.
    top = half * (1 + np.float32(vertebra.front - 1) * (np.float32(0.5) + v / (2 * ry)))
    hollow = np.clip(1 - (u / (np.float32(0.85) * rx)) ** 2 - (v / (np.float32(0.85) * ry)) ** 2, 0, 1)
    ends = np.maximum(w - top, -w - half) + np.float32(1.9) * hollow
    return -union(-side, -ends, blend=3.0)


def posterior_elements(x: Field, y: Field, z: Field, vertebra: Vertebra) -> Field:
    """Pedicles, arch, joints, transverse processes and the spinous process."""
    u, v, w = in_frame(x, y, z, vertebra.centre, vertebra.axes)
    lumbar = vertebra.name.startswith("L")
    back, rx = -vertebra.radius_y, vertebra.radius_x
    tip = (0.0, back - 50.0, -12.0) if lumbar else (0.0, back - 46.0, -24.0)
    flat = 0.32 if lumbar else 0.55  # a plate, taller than it is wide
    spinous = frustum(u, v, w * np.float32(flat), (0, back - 24, -4 * flat), (0, tip[1], tip[2] * flat), (3.4, 3.6))
    parts = [spinous]
    for side in (-1.0, 1.0):
        end = (side * (rx + (19 if lumbar else 9)), back - (11 if lumbar else 22), 3.0 if lumbar else 6.0)
        parts += [
            frustum(u, v, w, (side * rx * 0.62, back + 4, 5), (side * 15, back - 15, 2), (4.8, 4.8)),
            frustum(u, v, w, (side * 15, back - 15, 0), (0, back - 24, -6), (4.0, 4.0)),
            frustum(u, v, w, (side * 15, back - 13, 2), end, (4.0, 3.2)),
            ellipsoid(u, v, w, (side * 15, back - 17, 0), (5.5, 5.0, vertebra.height * 0.72)),
        ]
    return union(*parts)


def _seen_from(vertebra: Vertebra, place: Point) -> Point:
    """World position of a place given in the vertebra's own axes."""
    x, y, z = np.asarray(vertebra.centre) + np.asarray(place) @ vertebra.axes
    return float(x), float(y), float(z)


def _paint_discs(canvas: Canvas, spine: Spine) -> None:
    below = [*spine.vertebrae[1:], None]
    for upper, lower, height, moist in zip(spine.vertebrae, below, spine.disc_heights, spine.disc_signal, strict=True):
        centre = _seen_from(upper, (0, 0, -upper.height / 2 - height / 2))
        axes = upper.axes if lower is None else _between(upper.axes, lower.axes)
        radii = (upper.radius_x * 1.03, upper.radius_y * 1.03)
        half = height / 2 + 3.5
        box = canvas.around(centre, (radii[0] + 3, radii[1] + 6, half + radii[0] * 0.45))
        if box is None:
            continue
        u, v, w = in_frame(*canvas.coordinates(box), centre, axes)
        rim = superellipse(u, v, *radii, 2.3)
        ends = np.abs(w) - np.float32(half)
        canvas.paint(box, intersection(rim, -(v + np.float32(radii[1] * 0.86)), ends), "annulus")
        core = superellipse(u, v + np.float32(2), radii[0] * 0.72, radii[1] * 0.66, 2.0)
        canvas.paint(box, intersection(core, ends), "disc" if moist > 0.45 else "annulus")


def _between(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    middle = upper + lower
    axes: np.ndarray = middle / np.linalg.norm(middle, axis=1, keepdims=True)
    return axes


def _paint_canal(canvas: Canvas, spine: Spine) -> None:
    """Epidural fat, the sac of cerebrospinal fluid, and the cord as far as L1."""
    line = [_seen_from(one, (0, -one.radius_y - 9.5, 0)) for one in spine.vertebrae]
    last = spine.vertebrae[-1]
    line.append(_seen_from(last, (0, -last.radius_y - 8, -last.height - 6)))
    for index, (upper, lower) in enumerate(pairwise(line)):
        box = canvas.along(upper, lower, margin=13)
        if box is None:
            continue
        x, y, z = canvas.coordinates(box)
        sac = frustum(x, y, z, upper, lower, (7.6, 7.6))
        canvas.paint(box, sac - np.float32(2.2), "fat", fat_percent=88)
        canvas.paint(box, sac, "csf")
        if index < _CORD_ENDS:
            canvas.paint(box, sac + np.float32(3.2), "cord")
        else:
            roots = frustum(x, y - np.float32(-2.5), z, upper, lower, (3.2, 3.2))
            canvas.paint(box, roots, "cord", fat_percent=6)


def _paint_sacrum(canvas: Canvas, anatomy: Anatomy) -> None:
    spine = anatomy.spine
    box = sacrum_box(canvas, anatomy)
    if box is None:
        return
    x, y, z = canvas.coordinates(box)
    bone = sacrum(x, y, z, anatomy)
    paint_bone(canvas, box, bone, anatomy, percent=spine.bmff_sacrum, marbling=5, cortex_mm=1.2)
    line = _sacral_line(anatomy)
    for index, radius in ((1, 13.0), (2, 9.0), (3, 6.0)):
        # What is left of the discs between its five vertebrae.
        axis = np.subtract(line[index - 1], line[index + 1])
        axis /= np.linalg.norm(axis)
        along = sum(
            np.float32(a) * (one - np.float32(c)) for a, one, c in zip(axis, (x, y, z), line[index], strict=True)
        )
        rest = intersection(sphere(x, y, z, line[index], radius), np.abs(along) - np.float32(1.6))
        canvas.paint(box, intersection(rest, bone + np.float32(1)), "annulus")


def sacrum_box(grid: Grid, anatomy: Anatomy) -> Box | None:
    """Points around the sacrum."""
    x, y, z = anatomy.spine.promontory
    size = anatomy.size
    return grid.box((x - 64 * size, y - 95 * size, z - 125 * size), (x + 64 * size, y + 25, z + 12))


def _sacral_line(anatomy: Anatomy) -> list[Point]:
    """Middles of the five sacral vertebrae and the coccyx."""
    lean = anatomy.spine.sacrum_lean
    down = np.array([0.0, -np.sin(lean), -np.cos(lean)])
    points = [np.asarray(anatomy.spine.promontory) + down * 9 * anatomy.size]
    for turn in (0.12, 0.27, 0.25, 0.1, -0.17):
        lean += turn
        down = np.array([0.0, -np.sin(lean), -np.cos(lean)])
        points.append(points[-1] + down * 19 * anatomy.size)
    return [(float(p[0]), float(p[1]), float(p[2])) for p in points]


def sacrum(x: Field, y: Field, z: Field, anatomy: Anatomy) -> Field:
    """Body of the sacrum, bent backward, narrowing to the coccyx, with a wing on either side."""
    spine, size = anatomy.spine, anatomy.size
    top, line = spine.promontory, _sacral_line(anatomy)
    # Flattened front to back: distances across count less than distances forward.
    middle = tube(
        (x - np.float32(top[0])) * np.float32(0.62) + np.float32(top[0]), y, z, line, (16.0, 15.0, 12.0, 9.0, 6.5, 4.5)
    )
    wings = [
        frustum(x, y, z, line[0], (top[0] + side * 44 * size, top[1] - 26, top[2] - 14 * size), (13.0, 15.0))
        for side in (-1, 1)
    ]
    lower = [
        frustum(x, y, z, (top[0] + side * 40 * size, top[1] - 28, top[2] - 20 * size), line[3], (13.0, 7.0))
        for side in (-1, 1)
    ]
    flat = np.float32(0.93) * (z - np.float32(top[2])) + np.float32(np.sin(spine.sacrum_lean)) * (
        y - np.float32(top[1])
    )
    return intersection(union(middle, *wings, *lower, blend=6), flat)
