"""Whether participants with a flag, such as a failed measurement, have some diagnoses more often than others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy import stats

from bmx.analysis.multiplicity import adjust as adjust_p
from bmx.analysis.multiplicity import check_method, describe_method
from bmx.errors import AnalysisError

ANY = "any"
"""Name of the row about who has any of the codes."""


def enrichment(
    flags: pd.Series | xr.DataArray,
    codes: pd.DataFrame,
    *,
    adjust: str | None = "bonferroni",
    n_tests: int | None = None,
    min_cases: int = 1,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Fisher's exact test of each code, and of any code, among flagged participants against the others (paper 2.9).

    Parameters
    ----------
    flags : bool on participant
        As `~bmx.qc.passed(results).sel(region="spine")`.
    codes : DataFrame, participant x code, bool
        As `phecodes(...).flags`.
    adjust, n_tests : as for `bmx.analysis.adjust`; the family is all codes tested, without the row of any code
    min_cases : codes that fewer participants have are left out

    Returns
    -------
    DataFrame
        For each code, the most likely first: code, flagged_with, flagged, others_with, others (participants),
        odds_ratio (conditional maximum likelihood, as R's fisher.test) with conf_low and conf_high, p_value,
        p_adjusted; the first row is that of any code. `attrs["note"]` says the adjustment.

    Raises
    ------
    AnalysisError
        Nobody, or everybody, is flagged; or participants of both differ.

    Examples
    --------
    >>> flags = pd.Series([True, True, True, False, False, False, False, False])
    >>> codes = pd.DataFrame({"743": [True, True, False, False, False, False, True, False]})
    >>> enrichment(flags, codes)[["code", "flagged_with", "others_with", "odds_ratio"]].round(2)
      code  flagged_with  others_with  odds_ratio
    0  any             2            1        5.78
    1  743             2            1        5.78
    """
    check_method(adjust)
    flagged = flags.to_series() if isinstance(flags, xr.DataArray) else flags
    if not flagged.index.equals(codes.index):
        missing = len(flagged.index.difference(codes.index)) + len(codes.index.difference(flagged.index))
        if missing:
            raise AnalysisError(
                f"flags and codes are of different participants ({missing} are in one only); select the same in both"
            )
        codes = codes.loc[flagged.index]
    bad = flagged.to_numpy(np.bool_)
    if not bad.any() or bad.all():
        raise AnalysisError(f"{int(bad.sum())} of {len(bad)} participants are flagged; there is nobody to compare with")
    has = codes.to_numpy(np.bool_)
    kept: list[int] = np.flatnonzero(has.sum(axis=0) >= max(min_cases, 1)).tolist()
    rows = [_test(ANY, bad, np.asarray(has.any(axis=1)), confidence)]
    found = pd.DataFrame([_test(str(codes.columns[place]), bad, has[:, place], confidence) for place in kept])
    if len(found):
        found["p_adjusted"] = adjust_p(found["p_value"], adjust, n_tests)
        found = found.sort_values("p_value", kind="stable")
    table = pd.concat([pd.DataFrame(rows).assign(p_adjusted=np.nan), found], ignore_index=True)
    table.attrs["note"] = describe_method(adjust, len(kept) if n_tests is None else n_tests)
    return table


def _test(code: str, bad: npt.NDArray[np.bool_], has: npt.NDArray[np.bool_], confidence: float) -> dict[str, object]:
    cells = [[int((bad & has).sum()), int((bad & ~has).sum())], [int((~bad & has).sum()), int((~bad & ~has).sum())]]
    odds, low, high = conditional_odds_ratio(cells, confidence)
    return {
        "code": code, "flagged_with": cells[0][0], "flagged": sum(cells[0]), "others_with": cells[1][0],
        "others": sum(cells[1]), "odds_ratio": odds, "conf_low": low, "conf_high": high,
        "p_value": float(stats.fisher_exact(cells).pvalue),
    }  # fmt: skip


def conditional_odds_ratio(cells: list[list[int]], confidence: float = 0.95) -> tuple[float, float, float]:
    """Odds ratio of a 2 x 2 table given its margins, and its exact interval, as R's fisher.test.

    Returns
    -------
    estimate, low, high; NaN, 0 and infinity where the margins leave no choice.

    Examples
    --------
    >>> [round(value, 2) for value in conditional_odds_ratio([[3, 17], [12, 197]])]
    [2.88, 0.48, 12.21]
    """
    table = np.asarray(cells)
    if (table.sum(axis=0) == 0).any() or (table.sum(axis=1) == 0).any():
        return float("nan"), 0.0, float("inf")
    found = stats.contingency.odds_ratio(table, kind="conditional")
    interval = found.confidence_interval(confidence_level=confidence)
    return float(found.statistic), float(interval.low), float(interval.high)
