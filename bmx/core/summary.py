"""Summaries of voxel values inside a mask; NaN is "no value" and is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Summary:
    """Location and spread of a set of values, in their unit; NaN where undefined."""

    n: int
    """Values that are not NaN."""
    mean: float
    median: float
    sd: float
    """Standard deviation with ddof 1; NaN for fewer than two values."""
    iqr: float
    """75th minus 25th percentile, linear interpolation (R's type 7)."""


def summarise(values: npt.NDArray[Any]) -> Summary:
    """Summary of all values that are not NaN.

    Parameters
    ----------
    values : (...) float, any unit

    Examples
    --------
    >>> summarise(np.array([1.0, 2.0, 3.0, np.nan, 10.0]))
    Summary(n=4, mean=4.0, median=2.5, sd=4.08248290463863, iqr=3.0)
    >>> summarise(np.array([]))
    Summary(n=0, mean=nan, median=nan, sd=nan, iqr=nan)
    """
    valid = values[~np.isnan(values)].astype(np.float64)
    if not valid.size:
        return Summary(0, np.nan, np.nan, np.nan, np.nan)
    low, median, high = np.percentile(valid, [25, 50, 75])
    sd = valid.std(ddof=1) if valid.size > 1 else np.nan
    return Summary(valid.size, float(valid.mean()), float(median), float(sd), float(high - low))


def ratio_of_sums(fat: npt.NDArray[Any], water: npt.NDArray[Any]) -> float:
    """Fat fraction of all voxels together, 100·ΣF / Σ(F + W): bright voxels weigh more than in the mean.

    Parameters
    ----------
    fat, water : (...) any real dtype, arbitrary scanner units

    Returns
    -------
    percent; NaN if there is no signal at all.

    Examples
    --------
    >>> ratio_of_sums(np.uint16([900, 0]), np.uint16([0, 100]))
    90.0
    """
    sum_fat = float(fat.sum(dtype=np.float64))
    total = sum_fat + float(water.sum(dtype=np.float64))
    return 100 * sum_fat / total if total != 0 else float("nan")
