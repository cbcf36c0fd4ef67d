"""The smooth centre line of a curved column of bone, and what lies along it. Places are RAS+ millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from bmx.core.geometry import Points, to_world
from bmx.types import Affine, Mask

STEP_MM = 1.0
"""Distance of the points of a centre line."""

_SMOOTH_MM = 16.0
"""Half a vertebra: less would follow single vertebrae, more would cut the corners of a scoliosis."""
_BIN_MM = 3.0
_BEYOND_MM = 12.0
"""How far the line goes on, straight, beyond the mask: the end of a tilted vertebra lies beyond its middle."""


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """A smooth line from the lower to the upper end of a column."""

    points: Points
    """(n, 3) mm, `STEP_MM` apart, from Inferior to Superior."""
    tangents: Points
    """(n, 3) unit vectors, upwards."""

    def project(self, places: Points) -> tuple[Points, Points]:
        """Where places lie along the line, and how far from it.

        Parameters
        ----------
        places : (n, 3) float64, mm

        Returns
        -------
        along : (n,) float64, mm from the line's lower end
        aside : (n,) float64, mm from the line
        """
        aside, nearest = cKDTree(self.points).query(places)
        # To the tangent at the nearest point, so that places along the line aren't rounded to its points.
        rest = np.einsum("nk,nk->n", places - self.points[nearest], self.tangents[nearest])
        return nearest * STEP_MM + rest, np.asarray(aside, np.float64)

    def filled(self, mask: Mask, affine: Affine, radius_mm: float) -> Points:
        """How much of a disc across the line is inside a mask, at each of its points.

        Parameters
        ----------
        mask : (z, y, x) bool
        affine : (3, 4) float64
        radius_mm : float, radius of the disc

        Returns
        -------
        (n,) float64, 0-1; linear between voxels, 0 outside the array.
        """
        right = np.array([1.0, 0, 0]) - self.tangents[:, :1] * self.tangents
        right /= np.linalg.norm(right, axis=1, keepdims=True)
        front = np.cross(self.tangents, right)
        grid = np.arange(-radius_mm, radius_mm + 1, 2.0)
        u, v = (one.ravel() for one in np.meshgrid(grid, grid))
        inside = u**2 + v**2 <= radius_mm**2
        offsets = u[inside, None, None] * right + v[inside, None, None] * front  # (disc, n, 3)
        index = np.linalg.solve(affine[:, :3], (self.points + offsets - affine[:, 3]).reshape(-1, 3).T)[::-1]
        values = ndimage.map_coordinates(mask.astype(np.float32), index, order=1, mode="constant")
        return np.asarray(values.reshape(len(offsets), -1).mean(axis=0), np.float64)


def column_line(mask: Mask, affine: Affine) -> ColumnLine:
    """Draw a smooth line through the middle of a column that runs, roughly, from Inferior to Superior.

    Parameters
    ----------
    mask : (z, y, x) bool, not empty
    affine : (3, 4) float64

    Returns
    -------
    ColumnLine

    Examples
    --------
    >>> mask = np.zeros((40, 9, 9), bool)
    >>> mask[5:35, 3:6, 3:6] = True
    >>> line = column_line(mask, np.eye(3, 4))
    >>> line.points[[0, -1]].round(6).tolist()
    [[4.0, 4.0, -7.0], [4.0, 4.0, 46.0]]
    """
    places = to_world(affine, np.argwhere(mask))
    low, high = places[:, 2].min(), places[:, 2].max()
    heights = np.arange(low, high + STEP_MM, STEP_MM)
    line = _line(np.column_stack([_smooth(places[:, 2], places[:, axis], heights) for axis in (0, 1)] + [heights]))
    # Axial sections of a tilted column are not its cross sections; those across the first line are.
    along, _ = line.project(places)
    stations = np.arange(along.min(), along.max() + STEP_MM, STEP_MM)
    return _line(np.column_stack([_smooth(along, places[:, axis], stations) for axis in range(3)]))


def _smooth(along: Points, values: Points, at: Points) -> Points:
    """Local straight-line fits of values, weighted by a Gaussian of the distance along the column."""
    bins = np.floor((along - along.min()) / _BIN_MM).astype(np.int64)
    count = np.bincount(bins).astype(np.float64)
    used = count > 0
    where = np.bincount(bins, along)[used] / count[used]
    middle = np.bincount(bins, values)[used] / count[used]
    distance = where - at[:, None]
    # Each bin counts the same, whatever it holds: a disc space must not pull less than a body.
    weight = np.exp(-0.5 * (distance / _SMOOTH_MM) ** 2) * np.sqrt(count[used])
    s0, s1, s2 = (np.sum(weight * distance**power, axis=1) for power in range(3))
    t0, t1 = (np.sum(weight * distance**power * middle, axis=1) for power in range(2))
    spread = s0 * s2 - s1**2
    flat = spread <= 1e-9 * s0**2  # one bin only: no slope
    smooth: npt.NDArray[np.float64] = np.where(flat, t0 / s0, (s2 * t0 - s1 * t1) / np.where(flat, 1, spread))
    return smooth


def _line(points: Points) -> ColumnLine:
    """Points at equal steps along a path, which goes on straight beyond its ends."""
    if len(points) < 2:
        points = np.vstack([points[0] - [0, 0, 0.5], points[-1] + [0, 0, 0.5]])
    reach = min(len(points) - 1, round(_SMOOTH_MM / STEP_MM))
    down, up = points[0] - points[reach], points[-1] - points[-1 - reach]
    path = np.vstack([
        points[0] + down / np.linalg.norm(down) * _BEYOND_MM, points, points[-1] + up / np.linalg.norm(up) * _BEYOND_MM
    ])  # fmt: skip
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = np.arange(0, length[-1] + 1e-6, STEP_MM)
    even = np.column_stack([np.interp(at, length, path[:, axis]) for axis in range(3)])
    tangents = np.gradient(even, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    return ColumnLine(even, tangents)
