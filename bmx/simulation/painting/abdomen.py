"""Belly: visceral fat and the organs in it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bmx.simulation.anatomy.organs import Loop
from bmx.simulation.painting.grid import Box
from bmx.simulation.painting.scene import Scene
from bmx.simulation.painting.solids import Field, Point, ellipsoid, frustum, intersection, union
from bmx.simulation.painting.thorax import diaphragm


def paint_abdomen(scene: Scene) -> None:
    """Paint the cavity below the diaphragm; organs under it move with the breath."""
    canvas, anatomy, breath_mm = scene.canvas, scene.anatomy, scene.breath_mm
    size, organs = anatomy.size, anatomy.build.organs
    box = canvas.box((-190 * size, -120 * size, -75 * size), (190 * size, 160 * size, 372 * size))
    if box is None:
        return
    x, y, z = canvas.coordinates(box)
    belly = intersection(
        scene.cavity[box],
        diaphragm(x, y, z, anatomy, breath_mm),
        np.float32(-72 * size) - z + (x * x + (y + 15) ** 2) / np.float32(130 * size),
    )
    mottle = canvas.texture(box, anatomy.build.mottle)
    streaks = canvas.texture(box, anatomy.build.streaks)
    fat = np.clip(84 + 4 * mottle - 9 * np.maximum(np.abs(streaks) - 1.3, 0), 30, 95)
    canvas.paint(box, belly, "visceral_fat", fat_percent=fat)
    inside = _Cavity(scene, box, belly, mottle)
    for loop in (*organs.small_bowel, *organs.colon):
        inside.loop(loop, breath_mm)
    move = (organs.shift[0], organs.shift[1], organs.shift[2] + breath_mm)
    big = organs.liver * size
    inside.organ(
        "liver", move, 4.0,
        ((76, -2, 292), (78 * big, 72 * big, 66 * big)), ((20, 30, 312), (66 * big, 40 * big, 34 * big)),
        fat=organs.liver_fat,
    )  # fmt: skip
    inside.organ("urine", move, 1.0, ((52, 36, 262), (13 * size, 14 * size, 26 * size)))
    inside.organ("spleen", move, 3.0, ((-100, -34, 302), tuple(organs.spleen * size * r for r in (27, 34, 50))))
    full = organs.stomach[0] * size
    inside.organ("stomach", move, 3.0, ((-62, 22, 302), (36 * full, 34 * full, 42 * full)),
                 ((-26, 40, 268), (40 * full, 24 * full, 22 * full)))  # fmt: skip
    inside.gas((-60 * size, 44 * size, 306 * size + breath_mm), 26 * full, organs.stomach[1])
    for place, scale in zip(organs.kidney_places, organs.kidneys, strict=True):
        _paint_kidney(inside, place, scale * size, 0.8 * breath_mm)
    inside.organ("muscle", (0, 0, 0), 2.0, ((0, -2, -2), (24 * size, 17 * size, 22 * size)))
    bladder = organs.bladder * size
    inside.organ("urine", (0, 0, 0), 1.5, ((0, 22, -8), (bladder * 1.15, bladder * 0.85, bladder * 0.8)))


class _Cavity:
    """The cavity of one canvas, to which everything painted into it is cut."""

    def __init__(self, scene: Scene, box: Box, belly: Field, mottle: Field) -> None:
        self.canvas, self.anatomy = scene.canvas, scene.anatomy
        self.box, self.belly, self.mottle = box, belly, mottle

    def cut(self, box: Box) -> tuple[Box, tuple[slice, slice, slice]] | None:
        """Part of a box that lies in the cavity's box: there, and counted from the cavity's own corner."""
        inner = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(box, self.box, strict=True)]
        if any(one.start >= one.stop for one in inner):
            return None
        own = [slice(one.start - b.start, one.stop - b.start) for one, b in zip(inner, self.box, strict=True)]
        return (inner[0], inner[1], inner[2]), (own[0], own[1], own[2])

    def organ(
        self,
        tissue: str,
        move: Point,
        wobble_mm: float,
        *lobes: tuple[Point, tuple[float, ...]],
        fat: float | None = None,
    ) -> None:
        """An organ of blended lobes; places are those of a person of 170 cm."""
        size = self.anatomy.size
        placed = [tuple(size * c + m for c, m in zip(centre, move, strict=True)) for centre, _ in lobes]
        low = np.min([np.subtract(c, r) for c, (_, r) in zip(placed, lobes, strict=True)], axis=0) - 6
        high = np.max([np.add(c, r) for c, (_, r) in zip(placed, lobes, strict=True)], axis=0) + 6
        where = self.canvas.box(tuple(low), tuple(high))
        found = None if where is None else self.cut(where)
        if found is None:
            return
        box, own = found
        x, y, z = self.canvas.coordinates(box)
        solid = union(*(ellipsoid(x, y, z, c, r) for c, (_, r) in zip(placed, lobes, strict=True)), blend=12)  # type: ignore[arg-type]  # triples
        solid = intersection(solid + np.float32(wobble_mm) * self.mottle[own], self.belly[own] + np.float32(2))
        self.canvas.paint(box, solid, tissue, fat_percent=fat)

    def gas(self, centre: Point, radius: float, share: float) -> None:
        """A bubble at the front of an organ: gas rises in who lies on the back."""
        where = self.canvas.around(centre, radius + 3)
        found = None if where is None else self.cut(where)
        if found is not None:
            box, own = found
            bubble = self.canvas.distance(box, ellipsoid, centre, (radius, radius * share, radius))
            self.canvas.paint(box, intersection(bubble, self.belly[own] + np.float32(6)), "gas")

    def loop(self, loop: Loop, breath_mm: float) -> None:
        """A piece of bowel with a wall, contents and perhaps gas."""
        # The lower bowel hardly moves with the breath.
        share = float(np.clip(loop.points[0][2] / (300 * self.anatomy.size), 0, 1))
        points = [(px, py, pz + share * breath_mm) for px, py, pz in loop.points]
        where = self.canvas.along(*points, margin=loop.radius + 4)
        found = None if where is None else self.cut(where)
        if found is None:
            return
        box, own = found
        x, y, z = self.canvas.coordinates(box)
        wall = union(*(frustum(x, y, z, a, b, (loop.radius, loop.radius)) for a, b in pairwise(points)), blend=3)
        wall = intersection(wall + np.float32(1.5) * self.mottle[own], self.belly[own] + np.float32(2))
        self.canvas.paint(box, wall, "muscle", fat_percent=8)
        self.canvas.paint(box, wall + np.float32(2.2), "bowel", fat_percent=loop.fat_percent)
        if loop.gas:
            level = np.float32(points[0][1] + loop.radius * (1 - 2 * loop.gas)) - y
            self.canvas.paint(box, intersection(wall + np.float32(2.2), level), "gas")


def _paint_kidney(inside: _Cavity, place: Point, scale: float, moved: float) -> None:
    """Cortex around a sinus of fat, in its own fat."""
    x0, y0, z0 = place[0], place[1], place[2] + moved
    where = inside.canvas.around((x0, y0, z0), 70 * scale)
    found = None if where is None else inside.cut(where)
    if found is None:
        return
    box, own = found
    x, y, z = inside.canvas.coordinates(box)
    side = float(np.sign(x0))
    # It leans: the upper pole is nearer to the spine.
    tilted = x + np.float32(0.25 * side) * (z - np.float32(z0))
    bean = ellipsoid(tilted, y, z, (x0, y0, z0), (27 * scale, 24 * scale, 53 * scale))
    bean = intersection(bean + np.float32(1.5) * inside.mottle[own], inside.belly[own] + np.float32(2))
    sinus = ellipsoid(tilted, y, z, (x0 - side * 13 * scale, y0 + 3, z0), (15 * scale, 9 * scale, 25 * scale))
    inside.canvas.paint(
        box, intersection(bean - np.float32(9), inside.belly[own] + np.float32(1)), "visceral_fat", fat_percent=90
    )
    inside.canvas.paint(box, bean, "kidney")
    inside.canvas.paint(box, sinus, "fat", fat_percent=75)
