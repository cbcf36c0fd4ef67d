"""How far the surfaces of two masks lie apart, in millimetres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmx.types import Mask


def surface(mask: Mask) -> Mask:
    """Voxels of a mask with a neighbour (one of six) outside it; beyond the volume is outside.

    Examples
    --------
    >>> surface(np.ones((3, 3, 3), bool)).sum()
    np.int64(26)
    """
    shell: Mask = mask & ~ndimage.binary_erosion(mask, border_value=0)
    return shell


def hausdorff95(a: npt.NDArray[Any], b: npt.NDArray[Any], spacing: Sequence[float]) -> float:
    """95 % Hausdorff distance: nearly the largest distance between two surfaces, forgiving single stray voxels.

    The larger of two 95th percentiles: of the distances from each surface voxel of A to the nearest one of B,
    and from B to A (as in MONAI and nnU-Net; some programs take one percentile of both together, which is smaller).

    Parameters
    ----------
    a, b : (z, y, x) bool or 0/1, same shape
    spacing : z, y, x, mm

    Returns
    -------
    mm, between voxel centres, exact; NaN where one of the masks is empty: there is no surface to measure from.

    Examples
    --------
    >>> a, b = np.zeros((2, 1, 6, 6), bool)
    >>> a[0, 1:3, 1:3], b[0, 1:3, 3:5] = True, True
    >>> hausdorff95(a, b, (4.5, 2.0, 2.0))
    4.0
    """
    if a.shape != b.shape:
        raise ValueError(f"two masks to compare must lie on one grid; found {a.shape} and {b.shape}")
    inside_a, inside_b = a.astype(np.bool_), b.astype(np.bool_)
    if not (inside_a.any() and inside_b.any()):
        return float("nan")
    # Nothing beyond the box around both can be nearest; distances in a box are computed much faster.
    box = ndimage.find_objects((inside_a | inside_b).astype(np.uint8))[0]
    shell_a, shell_b = surface(inside_a[box]), surface(inside_b[box])
    return max(_directed(shell_a, shell_b, spacing), _directed(shell_b, shell_a, spacing))


def _directed(start: Mask, end: Mask, spacing: Sequence[float]) -> float:
    distances = ndimage.distance_transform_edt(~end, sampling=tuple(spacing))
    return float(np.percentile(distances[start], 95))
