"""Skin to bone, in the order in which tissues cover each other."""

from __future__ import annotations

from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.painting.abdomen import paint_abdomen
from bmx.simulation.painting.cage import paint_cage
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.knees import paint_kneecaps, paint_knees
from bmx.simulation.painting.leg_muscles import paint_leg_muscles
from bmx.simulation.painting.limbs import paint_arm_insides, paint_arms
from bmx.simulation.painting.scene import set_scene
from bmx.simulation.painting.skin import paint_skin
from bmx.simulation.painting.thorax import paint_thorax
from bmx.simulation.painting.trunk_muscles import paint_trunk_muscles


def paint_soft_tissue(canvas: Canvas, anatomy: Anatomy, breath_mm: float) -> None:
    """Paint everything that spine, pelvis and femora cover.

    Parameters
    ----------
    breath_mm : how far the diaphragm, and the organs below it, lie above their place at rest
    """
    scene = set_scene(canvas, anatomy, breath_mm)
    paint_arms(scene)
    paint_skin(canvas, anatomy, scene.lines)
    paint_leg_muscles(scene)
    paint_abdomen(scene)
    paint_thorax(scene)
    paint_trunk_muscles(scene)
    paint_cage(scene)
    paint_arm_insides(scene)
    paint_knees(canvas, anatomy)


def paint_over_bones(canvas: Canvas, anatomy: Anatomy) -> None:
    """Paint what lies in front of the femora."""
    paint_kneecaps(canvas, anatomy)
