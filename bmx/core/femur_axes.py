"""Head, shaft and neck of a femur, found in a mask of the whole bone. Places are RAS+ millimetres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from bmx.core.geometry import Points, to_world, voxel_size, voxel_volume
from bmx.types import Affine, Mask

Side = Literal["left", "right"]

_BLUR_MM = 1.5
"""Standard deviation; less than a voxel is wide, and a sphere of 20 mm shrinks by a tenth of a millimetre."""
_WINDOW_MM = 25.0
"""Length of shaft that must be seen; an end of the bone is never that thin for that long."""
_STEADY = 1.2
"""How much the sections of that stretch may differ; where the bone flares they do more."""
_WIDER = 1.5
"""Sections up to so much larger than the thinnest stretch's still belong to the shaft."""
_PROXIMAL_MM = 110.0
"""A third of a short femur, or less: the head lies within it."""
_HEAD_RADIUS_MM = (16.0, 33.0)
"""Of adults, with room to spare."""
_HEAD_TO_SHAFT = 1.25
"""A head's radius is at least so many times the shaft's; in adults 1.5 to 1.8."""


@dataclass(frozen=True, slots=True)
class Sphere:
    """The head of a femur."""

    centre: Points
    """(3,) mm"""
    radius: float
    """mm"""


@dataclass(frozen=True, slots=True)
class Shaft:
    """The part of a femur whose sections are small and alike."""

    low: float
    """Height (mm towards Superior) where it ends below, or where the image does."""
    high: float
    """Height where it ends above, or where the image does."""
    radius: float
    """Of a circle as large as its sections, mm; their median."""
    slices: npt.NDArray[np.int64]
    """(n,) index along z of its axial sections, in the order of their heights."""
    heights: Points
    """(n,) mm, of those sections, ascending."""
    middles: Points
    """(n, 3) mm, of those sections."""
    areas: Points
    """(n,) mm², of those sections."""

    def axis(self, *, within_mm: float = 80.0) -> tuple[Points, Points]:
        """A point of the axis of the upper end of the shaft, and its direction upwards, (3,) each.

        The bow of the whole shaft would turn a line through all of it away from the neck.
        """
        upper = self.middles[self.heights >= self.heights[-1] - within_mm]
        x, y = (np.polyfit(upper[:, 2], upper[:, axis], 1) for axis in (0, 1))
        top = float(upper[-1, 2])
        direction = np.array([x[0], y[0], 1.0])
        return np.array([np.polyval(x, top), np.polyval(y, top), top]), direction / np.linalg.norm(direction)


def bone_surface(mask: Mask, affine: Affine) -> Points:
    """Points of the surface of a mask, finer than its voxels, (n, 3) mm.

    A mask is a staircase, and the nearest of its steps is always too near. Blurred by less than a voxel's width, it is
    a slope; its surface lies where that crosses one half. The end of the image isn't a surface.
    """
    blurred = _blurred(mask, affine)
    found = []
    for axis in range(3):
        here, there = np.moveaxis(blurred, axis, 0)[:-1], np.moveaxis(blurred, axis, 0)[1:]
        crossing = (here > 0.5) != (there > 0.5)
        index = np.argwhere(crossing).astype(np.float64)
        index[:, 0] += (0.5 - here[crossing]) / (there[crossing] - here[crossing])
        order = [0, 1, 2]
        order.insert(axis, order.pop(0))
        found.append(index[:, order])
    return to_world(affine, np.vstack(found))


def depth_inside(mask: Mask, affine: Affine) -> npt.NDArray[np.float32]:
    """How deep the voxels of a mask lie under its surface, to half a voxel.

    Returns
    -------
    (z, y, x) float32, mm; 0 outside.
    """
    depth = np.zeros(mask.shape, np.float32)
    surface = bone_surface(mask, affine)
    inside = mask & (_blurred(mask, affine) > 0.5)
    if len(surface):
        depth[inside] = cKDTree(surface).query(to_world(affine, np.argwhere(inside)))[0]
    return depth


def _blurred(mask: Mask, affine: Affine) -> npt.NDArray[np.float32]:
    x, y, z = voxel_size(affine)
    sigma = [_BLUR_MM / one for one in (z, y, x)]
    return np.asarray(ndimage.gaussian_filter(mask.astype(np.float32), sigma, mode="nearest"), np.float32)


def find_shaft(mask: Mask, affine: Affine) -> Shaft | None:
    """Find the shaft: the longest stretch around the thinnest 25 mm whose sections are small and alike.

    Parameters
    ----------
    mask : (z, y, x) bool, one femur or a part of one; z runs, roughly, along the body
    affine : (3, 4) float64

    Returns
    -------
    Shaft; None where no 25 mm of it can be seen, or the bone is in pieces along z.
    """
    area = mask.sum(axis=(1, 2)) * 1000 * voxel_volume(affine) / voxel_size(affine)[2]
    (filled,) = np.nonzero(area)
    length = round(_WINDOW_MM / voxel_size(affine)[2])
    if len(filled) < length or filled[-1] - filled[0] + 1 != len(filled):
        return None
    area = area[filled]
    windows = np.lib.stride_tricks.sliding_window_view(area, length)
    start = int(np.argmin(windows.max(axis=1)))
    if windows[start].min() < windows[start].max() / _STEADY:
        return None
    limit = _WIDER * float(np.median(windows[start]))
    low, high = start, start + length
    while low > 0 and limit / _WIDER**2 < area[low - 1] <= limit:
        low -= 1
    while high < len(area) and limit / _WIDER**2 < area[high] <= limit:
        high += 1
    slices = filled[low:high]
    middles = np.array([to_world(affine, np.argwhere(mask[one : one + 1])).mean(axis=0) for one in slices])
    middles += slices[:, None] * affine[:, 2]
    order = np.argsort(middles[:, 2])
    middles = middles[order]
    half = abs(affine[2, 2]) / 2
    return Shaft(
        low=float(middles[0, 2] - half),
        high=float(middles[-1, 2] + half),
        radius=float(np.sqrt(np.median(area[low:high]) / np.pi)),
        slices=slices[order],
        heights=middles[:, 2],
        middles=middles,
        areas=area[low:high][order],
    )


def find_head(
    mask: Mask, affine: Affine, depth: npt.NDArray[np.float32], side: Side, shaft: Shaft | None
) -> Sphere | None:
    """Find the head: the largest sphere inside the medial end of the proximal third, fitted to the bone's surface.

    The mass between the trochanters holds spheres as large, but lies a head's diameter further out.

    Returns
    -------
    Sphere; None where the image ends within the head, or there is none (a shaft, a stump, a prosthesis).
    """
    indices = np.argwhere(mask)
    places = to_world(affine, indices)
    ends = image_ends(mask.shape, affine)
    top = places[:, 2].max()
    if top + voxel_size(affine)[2] > ends[1]:
        return None  # the head is what reaches highest: it is cut
    medial = places[:, 0] * (1 if side == "left" else -1)
    near = places[:, 2] > top - _PROXIMAL_MM
    near &= medial > medial[near].max() - _HEAD_RADIUS_MM[1]
    chosen = int(np.argmax(np.where(near, depth[mask], 0)))
    sphere = _fitted(mask, affine, Sphere(places[chosen], float(depth[mask][chosen])), places)
    if not _HEAD_RADIUS_MM[0] <= sphere.radius <= _HEAD_RADIUS_MM[1] or sphere.centre[2] - sphere.radius < ends[0]:
        return None
    if shaft is not None:
        at, direction = shaft.axis()
        out = at + direction * (sphere.centre[2] - at[2]) / direction[2] - sphere.centre
        beside = -float(out[0]) * (1 if side == "left" else -1)
        if sphere.radius < _HEAD_TO_SHAFT * shaft.radius or beside < 0.5 * sphere.radius:
            return None
    return sphere


def neck_end(mask: Mask, affine: Affine, head: Sphere, shaft: Shaft) -> Points:
    """Where the axes of neck and shaft meet: the point of the shaft's axis that is nearest to the neck's.

    The neck's axis runs from the centre of the head through the bone that leaves it.

    Returns
    -------
    (3,) float64, mm
    """
    places = to_world(affine, np.argwhere(mask))
    along = _leaving(places, head)
    at, direction = shaft.axis()
    # Two lines: head.centre + s · along and at + t · direction; t where they are nearest to each other.
    between, cosine = at - head.centre, float(along @ direction)
    t = (cosine * float(between @ along) - float(between @ direction)) / (1 - cosine**2)
    return np.asarray(at + t * direction, np.float64)


def _leaving(places: Points, head: Sphere) -> Points:
    """Direction, (3,), from the centre of the head into the neck: the middle of the bone just outside the head."""
    offset = places - head.centre
    distance = np.linalg.norm(offset, axis=1)
    shell = offset[(distance > 1.15 * head.radius) & (distance < 1.4 * head.radius)]
    middle = shell.mean(axis=0) if len(shell) else np.array([0.0, 0.0, -1.0])
    return np.asarray(middle / np.linalg.norm(middle), np.float64)


def _fitted(mask: Mask, affine: Affine, sphere: Sphere, places: Points) -> Sphere:
    """Fit a sphere to the surface of the bone around a first one, leaving out the neck's side, by least squares."""
    surface = bone_surface(mask, affine)
    for _ in range(3):
        offset = surface - sphere.centre
        distance = np.linalg.norm(offset, axis=1)
        away = offset @ _leaving(places, sphere) < 0.35 * distance
        used = surface[away & (np.abs(distance - sphere.radius) < 0.15 * sphere.radius)]
        if len(used) < 50:
            return sphere
        # |p|² = 2 p·c + (r² − |c|²), linear in c and the bracket; about the first centre, for its digits' sake.
        rows = np.column_stack([2 * (used - sphere.centre), np.ones(len(used))])
        solved = np.linalg.lstsq(rows, ((used - sphere.centre) ** 2).sum(axis=1), rcond=None)[0]
        radius = float(np.sqrt(solved[3] + solved[:3] @ solved[:3]))
        sphere = Sphere(sphere.centre + solved[:3], radius)
    return sphere


def image_ends(shape: tuple[int, ...], affine: Affine) -> tuple[float, float]:
    """Height (mm) of the lower and the upper border of the image, along the middle of its z axis."""
    _, y, x = shape
    middle = to_world(affine, np.array([[-0.5, (y - 1) / 2, (x - 1) / 2], [shape[0] - 0.5, (y - 1) / 2, (x - 1) / 2]]))
    return float(middle[:, 2].min()), float(middle[:, 2].max())
