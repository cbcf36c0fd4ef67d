"""Whether two images lie on one grid."""

from __future__ import annotations

from itertools import product

import numpy as np

from bmx.core.geometry import to_world
from bmx.types import Affine

SAME_PLACE_MM = 0.05
"""How far voxels of two files on one grid may lie apart: what single precision in their headers leaves open."""


def corners_apart(one: Affine, other: Affine, shape: tuple[int, int, int]) -> float:
    """Largest distance between the same corner voxels of two grids of the same size.

    Parameters
    ----------
    one, other : (3, 4) float64, voxel index (x, y, z, 1) to RAS+ mm
    shape : voxels along x, y, z

    Returns
    -------
    mm; any other voxel is no further apart.

    Examples
    --------
    >>> turned = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]])
    >>> corners_apart(np.eye(3, 4), turned, (2, 1, 5))
    1.4142135623730951
    """
    corners = np.array(list(product(*((0, size - 1) for size in shape[::-1]))))
    return float(np.linalg.norm(to_world(one, corners) - to_world(other, corners), axis=1).max())
