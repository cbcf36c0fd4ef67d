"""Slices that one of two images lacks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def leave_out_halves(fat: npt.NDArray[Any], water: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Zero in both images where either has nothing but zeros in a whole slice.

    An image or slice that was not in the archive is stored as 0, and a scanner's is never 0 throughout. Left as it is,
    F / (F + 0) would be a fat fraction of 100 %.

    Parameters
    ----------
    fat, water : (z, y, x)

    Returns
    -------
    fat, water; the arrays themselves where nothing is missing.

    Examples
    --------
    >>> fat, water = np.full((3, 1, 2), 5), np.full((3, 1, 2), 7)
    >>> water[1] = 0
    >>> [image[:, 0, 0].tolist() for image in leave_out_halves(fat, water)]
    [[5, 0, 5], [7, 0, 7]]
    """
    in_fat, in_water = (np.asarray(image.any(axis=(1, 2))) for image in (fat, water))
    if np.array_equal(in_fat, in_water):
        return fat, water
    both = (in_fat & in_water)[:, None, None]
    return fat * both, water * both
