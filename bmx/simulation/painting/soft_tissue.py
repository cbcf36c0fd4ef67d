"""Skin to bone, in the order in which tissues cover each other."""

from __future__ import annotations

from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.painting.abdomen import paint_abdomen
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.limbs import paint_arms, paint_kneecaps, paint_knees
from bmx.simulation.painting.muscles import paint_back, paint_fat_planes
from bmx.simulation.painting.skin import paint_skin
from bmx.simulation.painting.thorax import paint_thorax


def paint_soft_tissue(canvas: Canvas, anatomy: Anatomy, breath_mm: float) -> None:
    """Paint everything that spine, pelvis and femora cover.

    Parameters
    ----------
    breath_mm : how far the diaphragm, and the organs below it, lie above their place at rest
    """
    paint_arms(canvas, anatomy)
    lines = paint_skin(canvas, anatomy)
    paint_fat_planes(canvas, anatomy, lines)
    paint_abdomen(canvas, anatomy, breath_mm)
    paint_thorax(canvas, anatomy, breath_mm)
    paint_back(canvas, anatomy)
    paint_knees(canvas, anatomy)


def paint_over_bones(canvas: Canvas, anatomy: Anatomy) -> None:
    """Paint what lies in front of the femora."""
    paint_kneecaps(canvas, anatomy)
