"""What all painters of soft tissue share on one canvas, made once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.grid import Box
from bmx.simulation.painting.sections import contour_distance
from bmx.simulation.painting.skin import Outlines, outlines
from bmx.simulation.painting.solids import Field
from bmx.types import FloatVolume

_LEAST_WALL_MM = np.float32(4)


@dataclass(frozen=True, slots=True)
class Scene:
    """A canvas, a body, and fields over the whole canvas."""

    canvas: Canvas
    anatomy: Anatomy
    breath_mm: float
    """How far the diaphragm, and what hangs on it, lies above its place at rest."""
    lines: Outlines
    cavity: FloatVolume
    """Distance to the inside of rib cage, belly and pelvis, mm."""
    muscle_percent: FloatVolume
    """Two-point fat fraction that muscle shows: streaks along its fibres."""

    def muscle(self, box: Box, distance: Field) -> None:
        """Paint muscle."""
        self.canvas.paint(box, distance, "muscle", fat_percent=self.muscle_percent[box])

    def wobble(self, box: Box) -> FloatVolume:
        """Irregularity of shapes, SD about 1."""
        return self.canvas.texture(box, self.anatomy.build.mottle)


def set_scene(canvas: Canvas, anatomy: Anatomy, breath_mm: float) -> Scene:
    """Measure what painters share."""
    build = anatomy.build
    lines = outlines(canvas, anatomy)
    cavity = np.full(lines.skin.shape, 500, np.float32)
    box = canvas.box((-1e4, -1e4, -90 * anatomy.size), (1e4, 1e4, 1e4))
    if box is not None:
        x, y, z = canvas.coordinates(box)
        inside = np.maximum(contour_distance(x, y, z, build.cavity), np.float32(-74 * anatomy.size) - z)
        cavity[box] = np.maximum(inside, lines.fascia[box] + _LEAST_WALL_MM)
    percent = canvas.texture(canvas.everything, build.streaks)
    percent *= np.float32(0.55)
    np.exp(percent, out=percent)
    percent *= np.float32(build.muscle_fat)
    return Scene(canvas, anatomy, breath_mm, lines, cavity, percent)
