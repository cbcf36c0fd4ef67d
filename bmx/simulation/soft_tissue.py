"""Skin to bone: subcutaneous fat, muscle, abdominal cavity, lungs, arms and legs."""

from __future__ import annotations

import numpy as np

from bmx.core.dixon_signal import smooth_field
from bmx.simulation.anatomy import Anatomy
from bmx.simulation.canvas import Canvas
from bmx.simulation.solids import Field, ellipse, ellipsoid, intersection, segment, union

MUSCLE_SIGNAL = 0.55
FAT_SIGNAL = 1.0


def paint_soft_tissue(canvas: Canvas, anatomy: Anatomy, rng: np.random.Generator) -> None:
    """Paint everything that is not bone."""
    outline = canvas.distance(canvas.everything, _outline, anatomy)
    canvas.paint(canvas.everything, outline, signal=FAT_SIGNAL, fat_percent=93)
    # The fat layer is thicker in front of the belly and behind the buttocks than at the flanks.
    shell = anatomy.shell * (1 + 0.25 * smooth_field(canvas.fat.shape, rng, (3, 4, 4)))
    streaks = anatomy.muscle_fat * (1 + 0.3 * smooth_field(canvas.fat.shape, rng, (10, 20, 24)))
    muscle = outline + shell
    canvas.paint(canvas.everything, muscle, signal=MUSCLE_SIGNAL, fat_percent=np.clip(streaks, 1, 30))
    _paint_arms(canvas, anatomy)
    _paint_cavity(canvas, anatomy, rng)
    _paint_lungs(canvas, anatomy)


def _outline(x: Field, y: Field, z: Field, anatomy: Anatomy) -> Field:
    """Torso and legs: a flattened trunk down to the groin, then one ellipse for each leg."""
    size = anatomy.size
    half_width, half_depth = anatomy.torso
    height = z / size
    hips = np.exp(-(((height + 20) / 90) ** 2)).astype(np.float32)
    shoulders = np.clip((height - 300) / 200, 0, 1).astype(np.float32)
    trunk = ellipse(x, y + 5, half_width * (1 + 0.22 * hips + 0.12 * shoulders), half_depth * (1 + 0.05 * hips))
    trunk = intersection(trunk, -45 * size - z)
    taper = np.clip(1 + (height + 150) / 900, 0.55, 1.25).astype(np.float32)
    legs = [
        intersection(ellipse(x - side * 88 * size, y + 5, anatomy.thigh * taper, anatomy.thigh * taper * 1.05), z)
        for side in (-1, 1)
    ]
    return union(trunk, *legs, blend=12)


def _paint_arms(canvas: Canvas, anatomy: Anatomy) -> None:
    """Arms along the trunk, partly outside the field of view."""
    for side in (-1, 1):
        start = (side * (anatomy.torso[0] + 62), -15.0, 480 * anatomy.size)
        end = (side * (anatomy.torso[0] * 1.17 + 66), 5.0, -140 * anatomy.size)
        middle = ((start[0] + end[0]) / 2, -5.0, (start[2] + end[2]) / 2)
        box = canvas.box(middle, (75, 75, 400))
        if box is None:
            continue
        axis = canvas.distance(box, segment, start, end)
        canvas.paint(box, axis - 44, signal=FAT_SIGNAL, fat_percent=93)
        canvas.paint(box, axis - 36, signal=MUSCLE_SIGNAL, fat_percent=anatomy.muscle_fat)
        canvas.paint(box, axis - 11, signal=0.05, fat_percent=30)
        canvas.paint(box, axis - 6, signal=0.8, fat_percent=88)


def _paint_cavity(canvas: Canvas, anatomy: Anatomy, rng: np.random.Generator) -> None:
    """Visceral fat with organs in it: liver on the right, spleen on the left, kidneys, bowel with gas, bladder."""
    size = anatomy.size
    width, depth = anatomy.torso[0] - anatomy.shell - 14, anatomy.torso[1] - anatomy.shell - 14
    centre = (0.0, 18.0, 190 * size)
    half = (width, depth - 22, 215 * size)
    box = canvas.box(centre, half)
    if box is None:
        return
    cavity = canvas.distance(box, ellipsoid, centre, half)
    canvas.paint(box, cavity, signal=0.9, fat_percent=85)

    def organ(at: tuple[float, float, float], radii: tuple[float, float, float], signal: float, fat: float) -> None:
        where = canvas.box(at, radii)
        if where is not None:
            solid = canvas.distance(where, ellipsoid, at, radii)
            inside = canvas.distance(where, ellipsoid, centre, half)
            canvas.paint(where, intersection(solid, inside), signal=signal, fat_percent=fat)

    organ((68 * size, 20, 330 * size), (82, 62, 75), 0.6, rng.uniform(2, 12))
    organ((-85 * size, -15, 340 * size), (34, 30, 50), 0.6, 3)
    for side in (-1, 1):
        organ((side * 62 * size, -38, 245 * size), (28, 24, 52), 0.65, 4)
    organ((0.0, 32.0, 5 * size), (38, 34, 34), 0.45, 1)
    for _ in range(int(60 * (1 - anatomy.visceral_fat))):
        at = (rng.uniform(-0.8, 0.8) * width, rng.uniform(5, depth - 20), rng.uniform(30, 300) * size)
        radius = rng.uniform(9, 20)
        organ(at, (radius, radius, radius * rng.uniform(0.8, 2)), rng.uniform(0.4, 0.7), rng.uniform(2, 10))
        if rng.random() < 0.15:
            organ(at, (radius * 0.5, radius * 0.5, radius * 0.6), 0.02, 10)


def _paint_lungs(canvas: Canvas, anatomy: Anatomy) -> None:
    size = anatomy.size
    width, depth = anatomy.torso
    for side in (-1, 1):
        centre = (side * width * 0.47, 2.0, 480 * size)
        half = (width * 0.36, depth * 0.66, 130 * size)
        box = canvas.box(centre, half)
        if box is not None:
            lung = canvas.distance(box, ellipsoid, centre, half)
            canvas.paint(box, lung, signal=0.06, fat_percent=20)
