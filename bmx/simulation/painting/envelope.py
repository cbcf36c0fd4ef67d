"""How far each point of a slab lies from skin, from muscle and from the cavity: what later painters share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.anatomy.contours import Contour
from bmx.simulation.anatomy.femur import Femur
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.grid import Box
from bmx.simulation.painting.solids import Field, union
from bmx.types import FloatVolume

FAR = np.float32(500)
"""Distance where an outline isn't: farther than anything reaches."""

_GROIN_MM = -84.0
_FOLD_MM = -106.0
"""Where the trunk ends in front, and behind below the buttocks."""
_CONTACT_MM = np.float32(0.4)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Signed distances (mm, negative inside) over a whole canvas."""

    skin: FloatVolume
    """Surface of trunk and legs."""
    fascia: FloatVolume
    """Outer surface of their muscles."""
    cavity: FloatVolume
    """Inside of rib cage, belly and pelvis."""


def find_envelope(canvas: Canvas, anatomy: Anatomy) -> Envelope:
    """Measure all outlines of a body on a canvas; the costliest fields, so they are made once."""
    build, size = anatomy.build, anatomy.size
    shape = (len(canvas.z), len(canvas.y), len(canvas.x))
    skin, fascia, cavity = (np.full(shape, FAR, np.float32) for _ in range(3))
    trunk = _heights(canvas, -125 * size, np.inf)
    if trunk is not None:
        x, y, z = canvas.coordinates(trunk)
        floor = _floor(y, size) - z
        skin[trunk] = _smooth_max(contour_distance(x, y, z, build.skin), floor, 14.0)
        fascia[trunk] = np.maximum(contour_distance(x, y, z, build.fascia), floor + np.float32(8))
    inside = _heights(canvas, -85 * size, np.inf)
    if inside is not None:
        x, y, z = canvas.coordinates(inside)
        cavity[inside] = np.maximum(contour_distance(x, y, z, build.cavity), np.float32(-72 * size) - z)
    legs = _heights(canvas, -np.inf, 40 * size)
    if legs is not None:
        _add_legs(canvas, legs, anatomy, skin, fascia)
    skin += np.float32(1.6) * canvas.texture(canvas.everything, build.skin_waves)
    fascia += np.float32(1.3) * canvas.texture(canvas.everything, build.fascia_waves)
    np.maximum(fascia, skin + np.float32(2.5), out=fascia)
    np.maximum(cavity, fascia + np.float32(3.5), out=cavity)
    return Envelope(skin, fascia, cavity)


def leg_axis(femur: Femur, z: Field, size: float) -> tuple[Field, Field]:
    """Place x, y (mm) of the axis of a leg at some heights: near the femur, straight on below the knee."""
    knots = np.array([-560, -500, -406, -200, -100, 20]) * size
    across = [femur.knee[0] * 0.96, femur.knee[0] * 0.98, femur.knee[0], femur.side * 87 * size, femur.side * 92 * size, femur.side * 90 * size]
    deep = [femur.knee[1] - 8, femur.knee[1] - 8, femur.knee[1] - 4, 0.0, 0.0, -2.0]
    flat = z.ravel()
    columns = (np.interp(flat, knots, values).astype(np.float32).reshape(z.shape) for values in (across, deep))
    return next(columns), next(columns)


def contour_distance(x: Field, y: Field, z: Field, contour: Contour) -> Field:
    """Distance in the plane to a contour; x and y may differ from height to height."""
    at = contour.at(z)
    one = np.float32(1)
    py = y - at.middle
    wide = np.where(x < 0, at.left, at.right)
    deep = np.where(py < 0, at.middle - at.back, at.front - at.middle)
    across, along = at.power, np.where(py < 0, at.power_back, at.power)
    u, v = np.abs(x) / wide, np.abs(py) / deep
    # Everything but these few sums varies along two axes only, and costs next to nothing.
    steep_u, steep_v = u ** (across - one), v ** (along - one)
    level: Field = u * steep_u + v * steep_v
    slope = (across * steep_u / wide) ** 2 + (along * steep_v / deep) ** 2
    np.sqrt(slope, out=slope)
    # Its root is linear in the distance, as the level itself isn't.
    root = level ** (one / across)
    slope *= root
    slope += np.float32(1e-9)
    root -= one
    root *= level
    root *= across
    root /= slope
    return root


def _heights(canvas: Canvas, low: float, high: float) -> Box | None:
    big = 1e6
    return canvas.box((-big, -big, max(low, -big)), (big, big, min(high, big)))


def _floor(y: Field, size: float) -> Field:
    """Height at which the trunk ends: the fold of the groin in front, that below the buttock behind."""
    behind = np.clip((np.float32(10) - y) / np.float32(70), 0, 1)
    return np.float32(_GROIN_MM * size) + np.float32((_FOLD_MM - _GROIN_MM) * size) * behind


def _add_legs(canvas: Canvas, box: Box, anatomy: Anatomy, skin: FloatVolume, fascia: FloatVolume) -> None:
    """Join both legs to the trunk; where thighs touch, skin lies on skin."""
    x, y, z = canvas.coordinates(box)
    build, size = anatomy.build, anatomy.size
    joined, muscles = skin[box], fascia[box]
    both: Field | None = None
    top = z - np.float32(15 * size)
    for index, femur in enumerate(anatomy.femora):
        axis_x, axis_y = leg_axis(femur, z, size)
        px, py = x - axis_x, y - axis_y
        apart = _CONTACT_MM - np.float32(femur.side) * x
        leg = contour_distance(px, py, z, build.leg_skin[index])
        np.maximum(leg, apart, out=leg)
        np.maximum(leg, top, out=leg)
        both = leg if both is None else np.minimum(both, leg)
        muscle = contour_distance(px, py, z, build.leg_fascia[index])
        np.maximum(muscle, apart + np.float32(3), out=muscle)
        np.maximum(muscle, top, out=muscle)
        np.minimum(muscles, muscle, out=muscles)
    assert both is not None
    near = _heights(canvas, -130 * size, 40 * size)
    if near is not None:
        part = slice(near[0].start - box[0].start, near[0].stop - box[0].start)
        both[part] = union(both[part], joined[part], blend=16.0)
    joined[...] = both


def _smooth_max(a: Field, b: Field, blend: float) -> Field:
    return -union(-a, -b, blend=blend)
