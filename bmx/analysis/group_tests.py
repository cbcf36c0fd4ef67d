"""Tests of whether groups differ: analysis of variance or Kruskal and Wallis, and pairs after either."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from bmx.analysis.inference import infer
from bmx.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Groups = Mapping[str, Floats]
"""Values of each group, without missing ones."""


def anova_test(groups: Groups) -> dict[str, float | str]:
    """One-way analysis of variance: test, statistic (F), df, df_residual, p_value."""
    statistic, p = stats.f_oneway(*groups.values())
    n = sum(map(len, groups.values()))
    return {
        "test": "anova", "statistic": float(statistic), "df": len(groups) - 1.0, "df_residual": float(n - len(groups)),
        "p_value": float(p),
    }  # fmt: skip


def kruskal_test(groups: Groups) -> dict[str, float | str]:
    """Kruskal and Wallis' test, corrected for ties: test, statistic (chi-squared), df, df_residual (NaN), p_value."""
    values = np.concatenate(list(groups.values()))
    if len(np.unique(values)) == 1:
        raise AnalysisError("all values are the same; there is nothing to compare")
    statistic, p = stats.kruskal(*groups.values())
    return {
        "test": "kruskal", "statistic": float(statistic), "df": len(groups) - 1.0, "df_residual": float("nan"),
        "p_value": float(p),
    }  # fmt: skip


def mean_differences(groups: Groups, against: str | None, confidence: float) -> pd.DataFrame:
    """Differences of means with the pooled SD of all groups (not of each two): contrast, and what `infer` gives."""
    n = sum(map(len, groups.values()))
    pooled = sum(float(((values - values.mean()) ** 2).sum()) for values in groups.values()) / (n - len(groups))
    names = pairs_of(list(groups), against)
    estimate = np.array([groups[one].mean() - groups[other].mean() for one, other in names])
    error = np.array([np.sqrt(pooled * (1 / len(groups[one]) + 1 / len(groups[other]))) for one, other in names])
    found = infer(estimate, error, n - len(groups), confidence=confidence)
    found.insert(0, "contrast", [f"{one} - {other}" for one, other in names])
    return found


def dunn(groups: Groups, against: str | None) -> pd.DataFrame:
    """Dunn's z tests on ranks over all groups, corrected for ties; positive where the first group ranks higher.

    Returns
    -------
    DataFrame: contrast, statistic, p_value (two-sided, unadjusted)
    """
    values = np.concatenate(list(groups.values()))
    n = len(values)
    ranks = stats.rankdata(values)
    _, ties = np.unique(values, return_counts=True)
    variance = n * (n + 1) / 12 - float((ties**3 - ties).sum()) / (12 * (n - 1))
    ends = np.cumsum([len(one) for one in groups.values()])
    mean_rank = {name: float(part.mean()) for name, part in zip(groups, np.split(ranks, ends[:-1]), strict=True)}
    rows = []
    for one, other in pairs_of(list(groups), against):
        spread = np.sqrt(variance * (1 / len(groups[one]) + 1 / len(groups[other])))
        z = (mean_rank[one] - mean_rank[other]) / spread
        rows.append((f"{one} - {other}", float(z), float(2 * stats.norm.sf(abs(z)))))
    return pd.DataFrame(rows, columns=["contrast", "statistic", "p_value"])


def pairs_of(names: list[str], against: str | None) -> list[tuple[str, str]]:
    """Every pair in order; or every other group with `against`.

    Examples
    --------
    >>> pairs_of(["a", "b", "c"], None), pairs_of(["a", "b", "c"], "b")
    ([('a', 'b'), ('a', 'c'), ('b', 'c')], [('a', 'b'), ('c', 'b')])
    """
    if against is None:
        return list(combinations(names, 2))
    return [(name, against) for name in names if name != against]
