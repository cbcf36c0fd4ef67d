"""Muscles side by side: bellies that press on each other, with fat where they don't meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from bmx.simulation.painting.solids import Field

Row = tuple[float, float, float, float, float, float]
"""z, middle (outward, forward), half axes, turn of the first half axis from outward to forward in degrees."""


_TAPER_MM = 28.0


class Frame(NamedTuple):
    """Where bellies are counted from: outward and forward in units of `wide` and `deep`, all (z, 1, 1)."""

    x: Field
    y: Field
    wide: Field
    """mm per unit outward, with the sign of the side."""
    deep: Field
    """mm per unit forward."""
    size: float
    """mm per unit of the rows' z."""


def packed(
    x: Field,
    y: Field,
    z: Field,
    bellies: Sequence[Sequence[Row]],
    frame: Frame,
    *,
    gap_mm: float,
    bulge_mm: float,
    wobble: Field,
) -> Field:
    """Distance to bellies that fill the space between them up to a gap.

    Parameters
    ----------
    x, y, z : positions (mm) that broadcast to (z, y, x); z rises
    bellies : rows of each, at some heights, rising
    gap_mm : width of the fat between two bellies that meet
    bulge_mm : how far a belly may swell beyond its half axes to meet another
    wobble : (z, y, x), irregularity, SD about 1
    """
    shape = np.broadcast_shapes(x.shape, y.shape, z.shape)
    nearest = np.full(shape, bulge_mm + 60, np.float32)
    second = nearest.copy()
    heights = z.ravel() / np.float32(frame.size)
    out, front = (x - frame.x) / frame.wide, (y - frame.y) / frame.deep
    unit = np.sqrt(np.abs(frame.wide) * frame.deep)
    for index, rows in enumerate(bellies):
        table = np.asarray(rows, float)
        inside = np.flatnonzero((heights >= table[0, 0]) & (heights <= table[-1, 0]))
        if inside.size == 0:
            continue
        part = slice(int(inside[0]), int(inside[-1]) + 1)
        u0, v0, a, b, turn = _columns(table, heights[part])
        du, dv = _part(out, part) - u0, _part(front, part) - v0
        cos, sin = np.cos(turn), np.sin(turn)
        first, last = 1 / a**2, 1 / b**2
        near = du * (2 * sin * cos * (first - last)) * dv
        near += (cos**2 * first + sin**2 * last) * du**2
        near += (sin**2 * first + cos**2 * last) * dv**2
        np.maximum(near, 0, out=near)
        np.sqrt(near, out=near)
        near -= np.float32(1)
        near *= np.sqrt(a * b) * _part(unit, part)
        # Towards its ends a belly thins out and no longer swells.
        left = np.minimum(heights[part] - np.float32(table[0, 0]), np.float32(table[-1, 0]) - heights[part])
        near += np.float32(1.6 * bulge_mm + 2) * np.clip(1 - left / np.float32(_TAPER_MM), 0, 1)[:, None, None]
        # Neighbours bend each other's border: one gives where the other swells.
        near += np.float32(2.2 if index % 2 else -2.2) * wobble[part]
        np.minimum(second[part], np.maximum(nearest[part], near), out=second[part])
        np.minimum(nearest[part], near, out=nearest[part])
    meeting = np.float32(gap_mm / 2) - (second - nearest) * np.float32(0.5)
    nearest -= np.float32(bulge_mm)
    np.maximum(nearest, meeting, out=nearest)
    return nearest


def _columns(table: npt.NDArray[np.float64], heights: Field) -> tuple[Field, Field, Field, Field, Field]:
    at = np.clip(heights.astype(np.float64), table[0, 0], table[-1, 0])
    values = PchipInterpolator(table[:, 0], table[:, 1:], axis=0)(at).astype(np.float32)
    u, v, a, b, turn = (values[:, column, None, None] for column in range(5))
    return u, v, np.maximum(a, np.float32(0.02)), np.maximum(b, np.float32(0.02)), np.deg2rad(turn)


def _part(values: Field, part: slice) -> Field:
    return values[part] if values.shape[0] > 1 else values
