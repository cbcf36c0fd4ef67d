"""Several slabs of one exam as one body, on the grid of one of them.

Neighbouring slabs overlap by some 37 mm. Every voxel of the stitched body is a weighted mean of the slabs that cover
it, with the very same weights for fat and for water, so that a fat fraction stays one. A slab's weight falls towards
its ends, and is next to nothing in the outermost slices, onto which the other end of the slab is folded (DOMAIN 2):
those count only where no other slab was acquired.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmx.acquisition import OVERLAP_MM
from bmx.core.geometry import to_world, voxel_size
from bmx.types import Affine, FloatVolume, IntVolume, Mask

GHOST_SLICES = 4
"""Slices at each end of a slab that can hold what lies at its other end: two to four are seen."""

_NEGLIGIBLE = 1e-4
"""Weight of such slices beside others: above zero, so that they serve where there is nothing else."""

_TISSUE = 0.1
"""Share of the brightest tissue above which brightness is compared; air has none."""

_LARGEST_STEP = 4.0
"""Brightness of two slabs of one exam differs by less than this; more means that they don't show the same."""


class SlabPair(NamedTuple):
    """Fat and water of one slab as acquired, without the fill of a store."""

    fat: IntVolume
    """(z, y, x) uint16, arbitrary scanner units."""
    water: IntVolume
    affine: Affine
    """(3, 4) float64, voxel index (x, y, z, 1) to RAS+ mm."""


class Stitched(NamedTuple):
    """A body made of several slabs."""

    fat: IntVolume
    """(z, y, x) uint16, in the units of the slab whose grid it has; 0 where no slab lies."""
    water: IntVolume
    affine: Affine
    first: int
    """Slice at which the slab begins whose grid this is."""
    covered: npt.NDArray[np.bool_]
    """(z,) whether any slab reaches this slice."""


def stitch(slabs: Sequence[SlabPair], *, like: int) -> Stitched:
    """Join slabs on the grid of one of them, continued up and down by whole slices as far as any slab reaches.

    Rows, columns and spacing are those of slab `like`, and so is the brightness: every other slab is scaled
    by one factor, the same for fat and water, so that F + W agree where it overlaps what is there already.

    Parameters
    ----------
    slabs : of one exam, in any order; they may be slightly oblique to each other
    like : position in `slabs` of the one whose grid is wanted

    Returns
    -------
    Stitched

    Examples
    --------
    >>> low = SlabPair(np.full((12, 3, 3), 80, np.uint16), np.full((12, 3, 3), 20, np.uint16), np.eye(3, 4))
    >>> high = SlabPair(low.fat // 2, low.water // 2, np.eye(3, 4) + [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 4]])
    >>> body = stitch([low, high], like=0)
    >>> body.fat[:, 0, 0], body.first
    (array([80, 80, 80, 80, 80, 80, 80, 80, 80, 80, 80, 80, 80, 80, 80, 80],
          dtype=uint16), 0)
    """
    own = slabs[like]
    low, high = _reach(slabs, own)
    shape = (high - low, *own.fat.shape[1:])
    affine = np.column_stack([own.affine[:, :3], to_world(own.affine, np.array([low, 0, 0]))])
    fat, water, weight = (np.zeros(shape, np.float32) for _ in range(3))
    for slab in _outwards(slabs, like):
        there, part = _resample(slab, affine, shape)
        before = weight[there]
        scale = np.float32(1)
        if before.any():
            seen = np.divide(fat[there] + water[there], np.maximum(before, _NEGLIGIBLE**2), dtype=np.float32)
            scale = _brightness(seen, part.fat + part.water, np.minimum(before, part.weight))
        fat[there] += part.weight * scale * part.fat
        water[there] += part.weight * scale * part.water
        weight[there] += part.weight
    reached = np.asarray(weight > 0)
    for image in (fat, water):
        np.divide(image, weight, out=image, where=reached)
    return Stitched(_stored(fat), _stored(water), affine, -low, np.asarray(reached.any(axis=(1, 2))))


def bring_back(mask: Mask, affine: Affine, onto: Affine, shape: tuple[int, int, int]) -> Mask:
    """Put a mask on another grid: each voxel there takes the nearest one of `mask`.

    Parameters
    ----------
    mask : (z, y, x) bool, on the grid of `affine`
    onto, shape : the other grid

    Returns
    -------
    (z, y, x) bool of shape `shape`; False where `mask` doesn't reach.

    Examples
    --------
    >>> mask = np.zeros((6, 1, 1), bool)
    >>> mask[2:4] = True
    >>> finer = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0.5, 1]])
    >>> bring_back(mask, np.eye(3, 4), finer, (6, 1, 1))[:, 0, 0].astype(int)
    array([0, 1, 1, 1, 1, 0])
    """
    matrix, offset = index_map(onto, affine)
    found = ndimage.affine_transform(mask.astype(np.uint8), _if_diagonal(matrix), offset, output_shape=shape, order=0)
    return np.asarray(found > 0, np.bool_)


def slice_weights(slices: int, slice_mm: float) -> npt.NDArray[np.float32]:
    """How much each slice of a slab counts where another slab overlaps it, (slices,), above 0 and at most 1.

    Examples
    --------
    >>> slice_weights(11, 18.5) > 0.01
    array([False, False, False, False,  True,  True,  True, False, False,
           False, False])
    >>> slice_weights(11, 18.5).max()
    np.float32(1.0)
    """
    from_end = np.minimum(np.arange(slices), np.arange(slices)[::-1]).astype(np.float64)
    clean_mm = (from_end - (GHOST_SLICES - 1)) * slice_mm
    least = _NEGLIGIBLE * (from_end + 1) / GHOST_SLICES  # among ghosts, inner ones are fainter
    return np.clip(clean_mm / OVERLAP_MM, least, 1.0).astype(np.float32)


def index_map(source: Affine, target: Affine) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """From voxel indices of one grid to those of another.

    Returns
    -------
    matrix (3, 3), offset (3,), both in array order z, y, x: `target_index = matrix @ source_index + offset`.
    """
    to_voxel = np.linalg.inv(target[:, :3])
    matrix = (to_voxel @ source[:, :3])[::-1, ::-1]
    offset = (to_voxel @ (source[:, 3] - target[:, 3]))[::-1]
    return np.ascontiguousarray(matrix), np.ascontiguousarray(offset)


class _Part(NamedTuple):
    """What one slab gives to a run of slices of the stitched body, (z, y, x) float32."""

    fat: FloatVolume
    water: FloatVolume
    weight: FloatVolume


def _resample(slab: SlabPair, affine: Affine, shape: tuple[int, int, int]) -> tuple[slice, _Part]:
    """The slices of a grid that a slab reaches, and the slab on them."""
    matrix, offset = index_map(affine, slab.affine)
    corners = _corner_slices(slab, affine)
    there = slice(max(int(np.ceil(corners[0])), 0), min(int(np.floor(corners[1])) + 1, shape[0]))
    offset = offset + matrix[:, 0] * there.start
    size = (there.stop - there.start, *shape[1:])
    fat, water = (
        ndimage.affine_transform(
            image.astype(np.float32), _if_diagonal(matrix), offset, output_shape=size, order=1, mode="nearest"
        )
        for image in (slab.fat, slab.water)
    )
    # Where each voxel lies in the slab, counted in its slices, rows and columns.
    steps = np.ogrid[: size[0], : size[1], : size[2]]
    z, y, x = (
        sum((matrix[axis, i] * steps[i] for i in range(3) if matrix[axis, i]), start=np.full((1, 1, 1), offset[axis]))
        for axis in range(3)
    )
    slices, rows, columns = slab.fat.shape
    by_slice = slice_weights(slices, float(voxel_size(slab.affine)[2]))
    weight = np.interp(z, np.arange(slices), by_slice)
    inside = (np.abs(z - (slices - 1) / 2) <= slices / 2) & _within(y, rows) & _within(x, columns)
    return there, _Part(fat, water, np.where(inside, weight, 0).astype(np.float32))


def _within(index: npt.NDArray[np.float64], length: int) -> npt.NDArray[np.bool_]:
    return np.asarray((index > -0.5) & (index < length - 0.5))


def _brightness(seen: FloatVolume, other: FloatVolume, weight: FloatVolume) -> np.float32:
    """Factor that makes `other` as bright as `seen` where both are trusted most; 1 if they share no tissue."""
    tissue = (weight > 0) & (seen > _TISSUE * seen.max(initial=0)) & (other > _TISSUE * other.max(initial=0))
    if not tissue.any():
        return np.float32(1)
    trust = weight[tissue].astype(np.float64)
    factor = float((trust * seen[tissue]).sum() / (trust * other[tissue]).sum())
    return np.float32(factor if 1 / _LARGEST_STEP < factor < _LARGEST_STEP else 1.0)


def _outwards(slabs: Sequence[SlabPair], like: int) -> list[SlabPair]:
    """The slab whose grid is kept first, then its neighbours, then theirs: each overlaps one before it."""
    middle = [float(to_world(one.affine, (np.array(one.fat.shape) - 1) / 2)[2]) for one in slabs]
    return [slabs[index] for index in sorted(range(len(slabs)), key=lambda index: abs(middle[index] - middle[like]))]


def _reach(slabs: Sequence[SlabPair], own: SlabPair) -> tuple[int, int]:
    """First slice, and the one after the last, that any slab reaches, counted in slices of `own`."""
    low, high = 0, len(own.fat)
    for slab in slabs:
        first, last = _corner_slices(slab, own.affine)
        low, high = min(low, int(np.ceil(first))), max(high, int(np.floor(last)) + 1)
    return low, high


def _corner_slices(slab: SlabPair, affine: Affine) -> tuple[float, float]:
    """Lowest and highest slice of a grid whose middle a slab's centre line still holds."""
    matrix, offset = index_map(slab.affine, affine)
    middle = (np.array(slab.fat.shape) - 1) / 2
    z = [float((matrix @ np.array([end, middle[1], middle[2]]) + offset)[0]) for end in (-0.5, len(slab.fat) - 0.5)]
    return min(z) + 1e-6, max(z) - 1e-6


def _if_diagonal(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The diagonal of a matrix that has nothing else: SciPy then works along one axis after the other."""
    diagonal = np.diag(matrix)
    return diagonal if np.allclose(matrix, np.diag(diagonal), atol=1e-6) else matrix


def _stored(image: FloatVolume) -> IntVolume:
    return np.clip(np.rint(image), 0, np.iinfo(np.uint16).max).astype(np.uint16)
