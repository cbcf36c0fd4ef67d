"""From voxel indices to millimetres. Arrays are (z, y, x); an affine takes (x, y, z, 1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bmx.types import Affine, Mask

Points = npt.NDArray[np.float64]


def check_placed(mask: npt.NDArray[Any], affine: Affine, what: str) -> None:
    """Refuse what isn't one volume with a place in space.

    Parameters
    ----------
    mask : what must be (z, y, x)
    affine : what must be (3, 4) and finite
    what : what it shows, for the message

    Raises
    ------
    ValueError
        Either is wrong.

    Examples
    --------
    >>> check_placed(np.zeros((2, 3)), np.eye(3, 4), "a spine")
    Traceback (most recent call last):
    ...
    ValueError: a mask of a spine must be (z, y, x), found shape (2, 3); give one participant at a time
    """
    if mask.ndim != 3:
        raise ValueError(
            f"a mask of {what} must be (z, y, x), found shape {mask.shape}; give one participant at a time"
        )
    check_affine(affine)


def check_affine(affine: Affine) -> None:
    """Refuse an affine of another shape, or of a slab that has none (NaN), with a ValueError."""
    if affine.shape != (3, 4) or not np.isfinite(affine).all():
        raise ValueError(
            f"an affine must be (3, 4) and finite, found {affine.tolist()}; a volume without one lies nowhere"
        )


def voxel_size(affine: Affine) -> Points:
    """Spacing along x, y and z.

    Parameters
    ----------
    affine : (3, 4) float64, voxel index (x, y, z, 1) to RAS+ mm

    Returns
    -------
    (3,) float64, mm, in the order x, y, z; always positive.

    Examples
    --------
    >>> voxel_size(np.array([[-2.0, 0, 0, 250], [0, -2, 0, 190], [0, 0, 4.5, 0]]))
    array([2. , 2. , 4.5])
    """
    return np.asarray(np.linalg.norm(affine[:, :3], axis=0), dtype=np.float64)


def voxel_volume(affine: Affine) -> float:
    """Volume of one voxel, mL; NaN if the affine is.

    Examples
    --------
    >>> voxel_volume(np.array([[-2.0, 0, 0, 250], [0, -2, 0, 190], [0, 0, 4.5, 0]]))
    0.018
    """
    # A triple product, not np.linalg.det: pivoting would round 2 · 2 · 4.5 away from 18.
    x, y, z = affine[:, :3].T
    return float(abs(np.dot(x, np.cross(y, z)))) / 1000


def to_world(affine: Affine, indices: npt.NDArray[Any]) -> Points:
    """Positions of voxel indices.

    Parameters
    ----------
    affine : (3, 4) float64
    indices : (..., 3) voxel indices in array order z, y, x; fractions are allowed

    Returns
    -------
    (..., 3) float64, RAS+ mm.

    Examples
    --------
    >>> to_world(np.array([[-2.0, 0, 0, 250], [0, -2, 0, 190], [0, 0, 4.5, 0]]), np.array([10, 0, 5]))
    array([240., 190.,  45.])
    """
    xyz = np.asarray(indices, dtype=np.float64)[..., ::-1]
    return np.asarray(xyz @ affine[:, :3].T + affine[:, 3], dtype=np.float64)


def centroid(mask: Mask, affine: Affine) -> Points:
    """Centre of mass of a mask.

    Parameters
    ----------
    mask : (z, y, x) bool
    affine : (3, 4) float64

    Returns
    -------
    (3,) float64, RAS+ mm; NaN where the mask is empty or the affine is NaN.

    Examples
    --------
    >>> mask = np.zeros((4, 4, 4), bool)
    >>> mask[1:3, 0, 2] = True
    >>> centroid(mask, np.eye(3, 4))
    array([2. , 0. , 1.5])
    """
    indices = np.argwhere(mask)
    if not len(indices):
        return np.full(3, np.nan)
    return to_world(affine, indices.mean(axis=0))


def crop_affine(affine: Affine, box: tuple[slice, slice, slice]) -> Affine:
    """Affine of the crop `volume[box]`.

    Examples
    --------
    >>> crop_affine(np.eye(3, 4), (slice(7, 9), slice(0, 9), slice(2, 9)))
    array([[1., 0., 0., 2.],
           [0., 1., 0., 0.],
           [0., 0., 1., 7.]])
    """
    origin = to_world(affine, np.array([side.start or 0 for side in box]))
    return np.column_stack([affine[:, :3], origin])


def end_letters(affine: Affine) -> tuple[tuple[str, str], tuple[str, str], tuple[str, str]]:
    """Which side of the body lies at the start and at the end of each voxel axis.

    Returns
    -------
    For x, y and z a pair of letters of R/L, A/P, S/I: where the index is lowest and where it is highest.
    An oblique axis gets the letters of the world axis that it is closest to.

    Examples
    --------
    >>> end_letters(np.array([[-2.0, 0, 0, 250], [0, -2, 0, 190], [0, 0, 4.5, 0]]))
    (('R', 'L'), ('A', 'P'), ('I', 'S'))
    """
    x, y, z = (_ends(column) for column in affine[:, :3].T)
    return x, y, z


def _ends(column: Points) -> tuple[str, str]:
    """Letters of one column of an affine, (3,) mm per voxel in RAS+."""
    world = int(np.argmax(np.abs(column)))
    low, high = (("L", "R"), ("P", "A"), ("I", "S"))[world]
    return (low, high) if column[world] > 0 else (high, low)
