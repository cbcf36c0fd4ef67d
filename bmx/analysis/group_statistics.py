"""What one group's values are: where they lie, how they spread, and whether they look normal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from statsmodels.stats.diagnostic import normal_ad

Quantile = Literal["linear", "weibull"]
"""R's type 7, NumPy's and R's default; and type 6, Prism's."""

LEAST = 8
"""Values from which on Anderson and Darling's test says anything (R's nortest refuses fewer)."""
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class GroupStatistics:
    """Of the values of one group; NaN where there are too few."""

    n: int
    mean: float
    sd: float
    """ddof 1"""
    sem: float
    median: float
    q1: float
    q3: float
    normal_p: float
    """Anderson-Darling's test of normality; NaN of fewer than 8 values, or of values that are all alike."""

    @property
    def looks_normal(self) -> bool:
        """Whether nothing speaks against it; of too few values, nothing can."""
        return not self.normal_p < ALPHA


def group_statistics(values: npt.ArrayLike, quantile: Quantile = "linear") -> GroupStatistics:
    """Summarise one group.

    Parameters
    ----------
    values : numbers; NaN is left out
    quantile : definition of the quartiles

    Examples
    --------
    >>> found = group_statistics([1, 2, 3, 4, 5, 6, 7, 30])
    >>> found.n, found.median, found.q1, found.q3, round(found.normal_p, 4)
    (8, 4.5, 2.75, 6.25, 0.0006)
    """
    there = np.asarray(values, np.float64)
    there = there[~np.isnan(there)]
    n = len(there)
    if not n:
        return GroupStatistics(0, *[np.nan] * 7)
    sd = float(there.std(ddof=1)) if n > 1 else np.nan
    q1, median, q3 = np.quantile(there, [0.25, 0.5, 0.75], method=quantile).tolist()
    testable = n >= LEAST and sd > 0
    p = float(normal_ad(there)[1]) if testable else np.nan
    return GroupStatistics(n, float(there.mean()), sd, sd / float(np.sqrt(n)), median, q1, q3, p)
