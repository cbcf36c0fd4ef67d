"""Bone marrow fat fraction of one region of one participant (paper 2.6 and 2.8)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bmx.core.fat_fraction import fat_fraction
from bmx.core.geometry import centroid, crop_affine, voxel_volume
from bmx.core.morphology import bounding_box, erode_in_plane, repair, touches_slab_edge
from bmx.core.smoothing import neighbour_mean
from bmx.core.summary import ratio_of_sums, summarise
from bmx.types import Affine, IntVolume
from bmx.variables import RESULT_FLAGS


class Measurement(NamedTuple):
    """All numbers that one mask gives, in an order that fits into one array."""

    bmff: float = np.nan
    """Mean fat fraction over the eroded mask, percent."""
    bmff_median: float = np.nan
    bmff_sd: float = np.nan
    """NaN also where a single voxel was left."""
    bmff_iqr: float = np.nan
    bmff_ratio: float = np.nan
    voxels: float = 0
    """Voxels of the repaired mask, before erosion."""
    volume: float = 0
    """The same in mL."""
    centroid_x: float = np.nan
    """Centre of mass before erosion, RAS+ mm."""
    centroid_y: float = np.nan
    centroid_z: float = np.nan
    eroded_voxels: float = 0
    """Voxels that were left after erosion."""
    flags: float = 0
    """Bits of `RESULT_FLAGS`."""


def measure_mask(
    fat: IntVolume,
    water: IntVolume,
    mask: npt.NDArray[np.uint8],
    affine: Affine,
    native_slices: int,
    *,
    smoothing: int,
    erosion: int,
    one_piece: bool,
) -> Measurement:
    """Fat fraction, size and place of one mask, worked out in its bounding box.

    Repairs the mask, smooths fat and water, takes their ratio, erodes the mask in plane and
    summarises what is inside. The box is wide enough for the numbers to equal those over the
    whole slab.

    Parameters
    ----------
    fat, water : (z, y, x) uint16, arbitrary scanner units
    mask : (z, y, x) uint8, 1 inside
    affine : (3, 4) float64, voxel index (x, y, z, 1) to RAS+ mm
    native_slices : int, slices that were acquired; the others at the end of z are fill
    smoothing : int, radius of the neighbour mean in voxels; 0 for none
    erosion : int, in-plane erosion in voxels
    one_piece : bool, whether parts one voxel apart are joined

    Returns
    -------
    Measurement; an empty mask gives 0 voxels and NaN.

    Examples
    --------
    >>> fat, water = np.full((4, 9, 9), 900, np.uint16), np.full((4, 9, 9), 100, np.uint16)
    >>> mask = np.zeros((4, 9, 9), np.uint8)
    >>> mask[1:3, 2:7, 2:7] = 1
    >>> found = measure_mask(fat, water, mask, np.eye(3, 4), 4, smoothing=1, erosion=1, one_piece=True)
    >>> found.bmff, found.voxels, found.eroded_voxels, found.centroid_z
    (90.0, 50, 18, 1.5)
    """
    box = bounding_box(mask.astype(np.bool_), margin=smoothing)
    if box is None:
        return Measurement()
    repaired = repair(mask[box].astype(np.bool_), one_piece=one_piece)
    flags = 0
    if repaired.singles_removed:
        flags |= RESULT_FLAGS["single_voxels_removed"]
    if repaired.parts == 0:
        return Measurement(flags=flags)
    if repaired.parts_joined:
        flags |= RESULT_FLAGS["parts_joined"]
    if one_piece and repaired.parts > 1:
        flags |= RESULT_FLAGS["parts_apart"]

    inside = repaired.mask
    if touches_slab_edge(inside, native_slices, first_slice=box[0].start):
        flags |= RESULT_FLAGS["touches_slab_edge"]
    eroded = erode_in_plane(inside, voxels=erosion)
    if not eroded.any():
        flags |= RESULT_FLAGS["nothing_left_after_erosion"]

    fat_near = neighbour_mean(fat[box], radius=smoothing)[eroded]
    water_near = neighbour_mean(water[box], radius=smoothing)[eroded]
    summary = summarise(fat_fraction(fat_near, water_near))
    voxels = int(np.count_nonzero(inside))
    x, y, z = centroid(inside, crop_affine(affine, box)).tolist()
    return Measurement(
        bmff=summary.mean,
        bmff_median=summary.median,
        bmff_sd=summary.sd,
        bmff_iqr=summary.iqr,
        bmff_ratio=ratio_of_sums(fat_near, water_near),
        voxels=voxels,
        volume=voxels * voxel_volume(affine),
        centroid_x=x,
        centroid_y=y,
        centroid_z=z,
        eroded_voxels=int(np.count_nonzero(eroded)),
        flags=flags,
    )
