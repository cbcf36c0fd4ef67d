"""Boxes, erosion and repair of masks. All masks are (z, y, x) bool."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmx.types import Mask

_IN_PLANE = ndimage.generate_binary_structure(2, 1)[np.newaxis]  # the four face neighbours of one slice
_TOUCHING = ndimage.generate_binary_structure(3, 3)  # all 26 neighbours


def bounding_box(mask: Mask, *, margin: int = 0) -> tuple[slice, slice, slice] | None:
    """The smallest box that holds the mask, widened by `margin` voxels as far as the array goes.

    Returns
    -------
    Slices along z, y, x; None if the mask is empty.

    Examples
    --------
    >>> mask = np.zeros((9, 9, 9), bool)
    >>> mask[4, 5:7, 8] = True
    >>> bounding_box(mask, margin=1)
    (slice(3, 6, None), slice(4, 8, None), slice(7, 9, None))
    """
    sides: list[slice] = []
    for axis, length in enumerate(mask.shape):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        (filled,) = np.nonzero(mask.any(axis=others))
        if not len(filled):
            return None
        sides.append(slice(max(int(filled[0]) - margin, 0), min(int(filled[-1]) + 1 + margin, length)))
    z, y, x = sides
    return z, y, x


def erode_in_plane(mask: Mask, *, voxels: int) -> Mask:
    """Take `voxels` layers off the mask's border within each axial slice (paper 2.8).

    A voxel is at the border if one of its four face neighbours in the slice lies outside the mask
    or outside the array.

    Parameters
    ----------
    mask : (z, y, x) bool
    voxels : int, 0 gives the mask back

    Returns
    -------
    (z, y, x) bool

    Examples
    --------
    >>> disc = np.array([[[0, 1, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 1, 1, 0]]], bool)
    >>> erode_in_plane(disc, voxels=1).astype(int)
    array([[[0, 0, 0, 0, 0],
            [0, 1, 1, 1, 0],
            [0, 0, 0, 0, 0]]])
    """
    if voxels == 0:
        return mask
    return np.asarray(ndimage.binary_erosion(mask, _IN_PLANE, iterations=voxels), dtype=np.bool_)


def touches_slab_edge(mask: Mask, native_slices: int, *, first_slice: int = 0) -> bool:
    """Whether the mask reaches the first or the last slice that was acquired.

    Parameters
    ----------
    mask : (z, y, x) bool, a slab or a crop of it
    native_slices : int, slices that were acquired; what lies beyond them is fill
    first_slice : int, slice of the slab at which a crop starts

    Examples
    --------
    >>> mask = np.zeros((6, 2, 2), bool)
    >>> mask[2:4] = True
    >>> touches_slab_edge(mask, 6), touches_slab_edge(mask, 4)
    (False, True)
    """
    filled = np.flatnonzero(mask.any(axis=(1, 2))) + first_slice
    return bool(filled.size) and bool(filled[0] == 0 or filled[-1] >= native_slices - 1)


@dataclass(frozen=True, slots=True)
class Repaired:
    """A mask after the paper's repair, and what was done to it."""

    mask: Mask
    """(z, y, x) bool"""
    singles_removed: int
    """Parts of a single voxel that were taken away."""
    parts_joined: int
    """How many parts fewer there are since gaps were filled."""
    parts: int
    """Parts that are left: 1 is a whole mask, 0 an empty one."""


def repair(mask: Mask, *, one_piece: bool) -> Repaired:
    """Remove single voxels and, in a region that is one piece, fill the gaps between its parts (paper 2.6).

    A part is a set of voxels that touch at a face, an edge or a corner. A gap is filled where it is one
    voxel wide: where a voxel lies, along any axis, directly between two different parts. Parts
    further away from each other than that stay as they are, and are counted.

    Parameters
    ----------
    mask : (z, y, x) bool
    one_piece : bool
        False for the spine: its vertebrae are apart by nature, and what lies between them is disc.

    Returns
    -------
    Repaired

    Examples
    --------
    >>> mask = np.zeros((7, 3, 3), bool)
    >>> mask[0:2, 1, 1] = mask[3:5, 1, 1] = mask[6, 0, 2] = True
    >>> done = repair(mask, one_piece=True)
    >>> done.singles_removed, done.parts_joined, done.parts
    (1, 1, 1)
    >>> done.mask[:, 1, 1].astype(int)
    array([1, 1, 1, 1, 1, 0, 0])
    """
    box = bounding_box(mask, margin=0)
    if box is None:
        return Repaired(mask, 0, 0, 0)
    parts, found = ndimage.label(mask[box], _TOUCHING)
    single = np.bincount(parts.ravel(), minlength=found + 1) == 1
    single[0] = False  # 0 is the background
    parts[single[parts]] = 0
    removed = int(single.sum())
    before = after = found - removed
    inside = parts > 0
    if one_piece and before > 1:
        for axis in range(3):
            inside |= _bridges(parts, axis)
        after = int(ndimage.label(inside, _TOUCHING)[1])
    whole = np.zeros_like(mask)
    whole[box] = inside
    return Repaired(whole, removed, before - after, after)


def _bridges(parts: npt.NDArray[np.int32], axis: int) -> Mask:
    """Background voxels whose two neighbours along `axis` belong to two different parts."""
    along = np.moveaxis(parts, axis, 0)
    bridges = np.zeros(along.shape, dtype=np.bool_)
    before, here, after = along[:-2], along[1:-1], along[2:]
    bridges[1:-1] = (here == 0) & (before > 0) & (after > 0) & (before != after)
    return np.moveaxis(bridges, 0, axis)
