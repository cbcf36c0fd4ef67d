"""Smoothing of the fat and water images before their ratio."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmx.types import FloatVolume, Mask


def neighbour_mean(image: npt.NDArray[Any], *, radius: int = 1) -> FloatVolume:
    """Mean of each voxel and its nearest neighbours, the box of (2·radius + 1)³ voxels.

    The paper (2.8) says only "nearest-neighbour smoothing … to minimise the influence of any noise
    spikes". The mean over the 27 voxels that touch a voxel is **our reading** of it; the authors'
    released code does something else again (an in-plane Gaussian).

    Neighbours outside the array don't exist: they are left out of the mean, not counted as zero.

    Parameters
    ----------
    image : (z, y, x) any real dtype
    radius : int, voxels; 0 gives the image back

    Returns
    -------
    (z, y, x) float32, units of the image. For uint16 input each sum is exact, so that the result in a
    crop equals the result over the whole slab, wherever the crop holds `radius` voxels around.

    Examples
    --------
    >>> spike = np.zeros((3, 3, 3), np.uint16)
    >>> spike[1, 1, 1] = 54
    >>> float(neighbour_mean(spike)[1, 1, 1]), float(neighbour_mean(spike)[0, 0, 0])
    (2.0, 6.75)
    """
    if radius == 0:
        return image.astype(np.float32)
    return (_box_sum(image.astype(np.float64), radius) / _box_sum(np.ones(image.shape), radius)).astype(np.float32)


def mean_inside(image: npt.NDArray[Any], mask: Mask, *, radius: int = 1) -> FloatVolume:
    """Mean of each voxel of a mask and those of its nearest neighbours that lie in the mask too.

    Nothing is averaged across the border: a voxel of marrow never meets cortex or muscle.

    Parameters
    ----------
    image : (z, y, x) any real dtype
    mask : (z, y, x) bool
    radius : int, voxels

    Returns
    -------
    (z, y, x) float32, units of the image; NaN outside the mask.

    Examples
    --------
    >>> image, mask = np.float32([[[80, 80, 0]]]), np.array([[[True, True, False]]])
    >>> mean_inside(image, mask)
    array([[[80., 80., nan]]], dtype=float32)
    """
    weight = _box_sum(mask.astype(np.float64), radius)
    total = _box_sum(np.where(mask, image, 0).astype(np.float64), radius)
    mean = np.full(image.shape, np.nan, np.float32)
    np.divide(total, weight, out=mean, where=mask, casting="same_kind")
    return mean


def gaussian_in_plane(image: npt.NDArray[Any], *, sigma: float) -> FloatVolume:
    """Gaussian smoothing of every slice by itself, as in the authors' released code.

    Parameters
    ----------
    image : (z, y, x) any real dtype
    sigma : voxels

    Returns
    -------
    (z, y, x) float32, units of the image.
    """
    return np.asarray(ndimage.gaussian_filter(image.astype(np.float32), (0, sigma, sigma)), dtype=np.float32)


def _box_sum(image: npt.NDArray[np.float64], radius: int) -> npt.NDArray[np.float64]:
    """Sum over the box, zero beyond the array.

    Not `ndimage.uniform_filter`: its running sum is divided after each axis, and then rounds
    differently in a crop and in the whole slab.
    """
    for axis in range(image.ndim):
        image = ndimage.correlate1d(image, np.ones(2 * radius + 1), axis=axis, mode="constant", cval=0.0)
    return image
