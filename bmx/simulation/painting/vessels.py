"""Great vessels of chest, belly and neck, the windpipe with its branches, and the gullet."""

from __future__ import annotations

from itertools import pairwise

from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.painting.scene import Scene
from bmx.simulation.painting.solids import Point, frustum

Line = tuple[list[Point], float, str, float]
"""Points, radius in mm at 170 cm, tissue, thickness of the wall in mm."""


def paint_great_vessels(scene: Scene) -> None:
    """Paint all tubes that follow the spine and the neck."""
    size = scene.anatomy.size
    for line, radius, tissue, wall in (*_along_spine(scene.anatomy), *_airways(scene.anatomy), *_neck(scene.anatomy)):
        for start, end in pairwise(line):
            where = scene.canvas.along(start, end, margin=radius * size + 5)
            if where is not None:
                inside = scene.canvas.distance(where, frustum, start, end, (radius * size, radius * size))
                if wall:
                    scene.canvas.paint(where, inside - wall, "muscle")
                scene.canvas.paint(where, inside, tissue)


def _beside(anatomy: Anatomy, index: int, out: float, ahead: float) -> Point:
    """A place in front of a vertebra, counted from T1: `out` to the right of its middle, `ahead` of its front."""
    vertebra, size = anatomy.spine.vertebrae[index], anatomy.size
    x, y, z = vertebra.centre
    return x + out * size, y + vertebra.radius_y + ahead * size, z


def _along_spine(anatomy: Anatomy) -> list[Line]:
    """Aorta on the left, with its arch; vena cava on the right; trunk of the lungs; gullet."""
    s = anatomy.size
    descending = [_beside(anatomy, i, -20 + 1.1 * max(i - 6, 0), 7 + 0.35 * i) for i in range(4, 16)]
    tx, ty, tz = _beside(anatomy, 4, -17, 22)
    arch: list[Point] = [
        descending[0], (tx, ty, tz + 20 * s), (-2 * s, ty + 18 * s, tz + 22 * s),
        (12 * s, ty + 28 * s, tz - 8 * s), (8 * s, ty + 26 * s, tz - 44 * s),
    ]  # fmt: skip
    dome = min(anatomy.build.organs.domes)
    lower = [(24 * s, 12 * s, dome + 10 * s), *(_beside(anatomy, i, 16, 8) for i in range(11, 16))]
    upper = [(26 * s, 14 * s, 400 * s), (24 * s, 16 * s, 470 * s), (20 * s, 20 * s, 500 * s)]
    trunk = [(-14 * s, 34 * s, 428 * s), (-8 * s, 12 * s, 444 * s)]
    gullet = [_beside(anatomy, i, -4 - 0.5 * i, 5) for i in range(11)]
    return [
        (gullet, 5.5, "muscle", 0), (lower, 10, "blood", 1), (upper, 8.5, "blood", 1), (trunk, 12, "blood", 1.5),
        *(([trunk[1], (side * 38 * s, -4 * s, 436 * s)], 8.0, "blood", 1.0) for side in (-1, 1)),
        (descending, 10.5, "blood", 1.5), (arch, 13, "blood", 1.5),
    ]  # fmt: skip


def _airways(anatomy: Anatomy) -> list[Line]:
    s = anatomy.size
    throat = _beside(anatomy, 0, 0, 20)
    windpipe: list[Point] = [
        (3 * s, _beside(anatomy, 4, 0, 16)[1], 446 * s), (2 * s, _beside(anatomy, 2, 0, 17)[1], 490 * s),
        (0.0, throat[1], throat[2]), (0.0, throat[1] + 12 * s, throat[2] + 70),
    ]  # fmt: skip
    left, right = (-34 * s, -8 * s, 418 * s), (34 * s, -8 * s, 424 * s)
    return [
        (windpipe, 8, "gas", 2), ([windpipe[0], left], 6, "gas", 1.5), ([windpipe[0], right], 6.5, "gas", 1.5),
    ]  # fmt: skip


def _neck(anatomy: Anatomy) -> list[Line]:
    """Carotid artery, jugular vein beside it, and the vessels of the arm, on both sides."""
    s = anatomy.size
    lines: list[Line] = []
    for side in (-1, 1):
        carotid = [
            (side * 16 * s, 24 * s, 482 * s), (side * 24 * s, _beside(anatomy, 0, 0, 14)[1], 530 * s),
            (side * 27 * s, _beside(anatomy, 0, 0, 18)[1], 600 * s),
        ]  # fmt: skip
        jugular = [(x + side * 11 * s, y + 2, z) for x, y, z in carotid]
        arm = [
            (side * 24 * s, 18 * s, 496 * s), (side * 90 * s, 8 * s, 492 * s), (side * 145 * s, -30 * s, 452 * s)
        ]  # fmt: skip
        lines += [(carotid, 3.6, "blood", 1), (jugular, 6, "blood", 0.8), (arm, 4.5, "blood", 1)]
    return lines
