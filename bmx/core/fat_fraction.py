"""The signal fat fraction of a two-point Dixon pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bmx.types import FloatVolume


def fat_fraction(fat: npt.NDArray[Any], water: npt.NDArray[Any]) -> FloatVolume:
    """Signal fat fraction 100·F / (F + W), dual-echo and uncorrected (not a PDFF).

    Parameters
    ----------
    fat, water : (...) uint16 or float, arbitrary scanner units
        Integers are magnitudes; a signed reconstruction may give negative floats, and then the
        percentage leaves 0-100.

    Returns
    -------
    (...) float32, percent; NaN where F + W is zero.

    Examples
    --------
    >>> fat_fraction(np.uint16([700, 0]), np.uint16([700, 0]))
    array([50., nan], dtype=float32)
    """
    # In uint16 both 100·F and F + W wrap: 700 and 700 would give 3.19.
    fat32, water32 = fat.astype(np.float32), water.astype(np.float32)
    total = fat32 + water32
    percent = np.full_like(total, np.nan)
    np.divide(100 * fat32, total, out=percent, where=total != 0)
    return percent
