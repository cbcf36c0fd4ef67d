"""The marrow of vertebral bodies, cut out of a mask of whole vertebrae by its geometry."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from bmx.core.femur_axes import depth_inside
from bmx.core.geometry import check_placed, crop_affine, voxel_size
from bmx.core.morphology import bounding_box
from bmx.types import Affine, Mask

MARROW_DEPTH_MM = 2.6
"""From the surface of the bone to the region: the depth at which the paper's volumes come out (DOMAIN 4)."""

_DISC_MM = 8.0
"""Radius of the disc that rolls through a section of a body and fits into no pedicle, lamina or process."""


def vertebral_marrow(bones: Mask, affine: Affine, *, arches: bool = True, depth_mm: float = MARROW_DEPTH_MM) -> Mask:
    """Inner marrow of vertebral bodies, from a mask of vertebrae with or without their arches.

    The body is what a disc of 8 mm can reach within each axial section; pedicles, laminae and processes are thinner.
    Depth is measured in the whole bone, so that nothing is taken off where a pedicle leaves the body.

    On 4 simulated spines (2.2 × 2.2 × 4.5 mm; healthy, large, scoliosis, fracture) Dice with the known marrow is 0.90
    to 0.92 from whole vertebrae and 0.91 to 0.94 from bodies alone.

    Parameters
    ----------
    bones : (z, y, x) bool, z along the body
    affine : (3, 4) float64, voxel index (x, y, z, 1) to RAS+ millimetres
    arches : whether the mask holds arches and processes as well; False if it holds bodies alone
    depth_mm : from the surface of the bone to the region

    Returns
    -------
    (z, y, x) bool

    Raises
    ------
    ValueError
        The mask isn't a volume, or the affine isn't finite.

    Examples
    --------
    >>> bones = np.zeros((9, 40, 40), bool)
    >>> bones[1:8, 5:29, 8:32] = bones[3:6, 29:38, 18:22] = True
    >>> marrow = vertebral_marrow(bones, np.diag([1.0, 1, 1, 1])[:3], depth_mm=1.0)
    >>> bool(marrow[4, 15, 20]), bool(marrow[4, 36, 20])
    (True, False)
    """
    check_placed(bones, affine, "vertebrae")
    marrow = np.zeros(bones.shape, np.bool_)
    box = bounding_box(bones, margin=2)
    if box is not None:
        inside, here = bones[box], crop_affine(affine, box)
        bodies = _without_arches(inside, here) if arches else inside
        marrow[box] = bodies & (depth_inside(inside, here) > depth_mm)
    return marrow


def _without_arches(bones: Mask, affine: Affine) -> Mask:
    """What a disc can reach within each section: an opening by distances, the same in millimetres along x and y."""
    x, y, _ = voxel_size(affine)
    kept = np.zeros(bones.shape, np.bool_)
    for section, opened in zip(bones, kept, strict=True):
        centres = ndimage.distance_transform_edt(np.pad(section, 1), sampling=(y, x))[1:-1, 1:-1] >= _DISC_MM
        if centres.any():
            to_centre = ndimage.distance_transform_edt(~centres, sampling=(y, x))
            opened[...] = section & (to_centre <= _DISC_MM + 0.25 * (x + y))
    return kept
