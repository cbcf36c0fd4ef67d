"""Differences between the groups of a model, adjusted for everything else in it and for how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from bmx.analysis.margins import reference_grid
from bmx.analysis.multiplicity import adjust as adjust_p
from bmx.analysis.multiplicity import check_method, describe_method
from bmx.analysis.prediction import combine
from bmx.analysis.result import Regression
from bmx.errors import AnalysisError, did_you_mean

Floats = npt.NDArray[np.float64]


def contrasts(
    fit: Regression,
    term: str | Sequence[str],
    *,
    by: str | Sequence[str] | None = None,
    against: str | None = None,
    adjust: str | None = "sidak",
    n_tests: int | None = None,
) -> pd.DataFrame:
    """Compare adjusted means of groups: every pair, or each with a control; R's emmeans and contrast.

    Parameters
    ----------
    fit : Regression
        From `regress` or `mixed`; of a logistic model, differences of log odds.
    term : name of groups, or several for every combination of theirs
    by : names of other groups, optional
        Compare only within each of these.
    against : a level, optional
        Compare every other group with this one, rather than every pair.
    adjust : method of `bmx.analysis.adjust`, "tukey", or None
        For `p_adjusted`. Tukey's is for all pairs of one set of groups.
    n_tests : int, optional
        Size of the family; by default all contrasts given, over all groups of `by`.

    Returns
    -------
    DataFrame
        For each contrast: columns of `by`, contrast ("control - osteopaenic"), estimate, std_error, df, statistic,
        p_value, p_adjusted, conf_low, conf_high (of this contrast alone, not simultaneous). `attrs["note"]` says the
        adjustment.

    Raises
    ------
    AnalysisError
        A name is not in the model, `against` is no level, or Tukey's adjustment is asked of something else.

    Examples
    --------
    >>> from bmx.analysis import regress
    >>> table = pd.DataFrame({"bmd": [1.2, 1.1, 1.0, 0.9, 0.8, 0.85], "bone": ["a", "a", "b", "b", "c", "c"]})
    >>> contrasts(regress(table, "bmd ~ bone"), "bone", against="a")[["contrast", "estimate", "p_adjusted"]].round(3)
      contrast  estimate  p_adjusted
    0    b - a    -0.200       0.092
    1    c - a    -0.325       0.026
    """
    terms, within = ([one] if isinstance(one, str) else list(one or ()) for one in (term, by))
    if shared := set(terms) & set(within):
        raise AnalysisError(f"{', '.join(shared)} is in by= too; compare groups within others")
    if adjust != "tukey":
        check_method(adjust)
    elif against is not None or within or n_tests is not None:
        raise AnalysisError("Tukey's adjustment is for all pairs of one set of groups; use adjust='sidak'")
    groups, rows = reference_grid(fit, [*within, *terms])
    labels = groups[terms].astype(str).agg(" ".join, axis=1)
    if against is not None and against not in set(labels):
        raise AnalysisError(f"no group is called {against!r}; {did_you_mean(against, labels.unique())}")
    sets = [table.index.to_numpy() for _, table in groups.groupby(within, sort=False)] if within else [groups.index]
    facts: list[dict[str, object]] = []
    differences: list[Floats] = []
    for members in sets:
        for first, second in _pairs(list(members), labels, against):
            facts.append({**groups.loc[first, within], "contrast": f"{labels[first]} - {labels[second]}"})
            differences.append(rows[first] - rows[second])
    if not differences:
        raise AnalysisError(f"{', '.join(terms)} has a single group; there is nothing to compare")
    found = pd.concat([pd.DataFrame(facts), combine(fit, np.array(differences))], axis=1)
    if adjust == "tukey":
        spread = np.abs(found["statistic"]) * np.sqrt(2)
        adjusted = stats.studentized_range.sf(spread, len(groups), found["df"])
        note = f"p adjusted by Tukey for all pairs of {len(groups)} groups"
    else:
        adjusted = adjust_p(found["p_value"], adjust, n_tests)
        note = describe_method(adjust, n_tests if n_tests is not None else len(found))
    found.insert(list(found.columns).index("conf_low"), "p_adjusted", adjusted)
    found.attrs["note"] = note
    return found


def _pairs(members: list[int], labels: pd.Series, against: str | None) -> list[tuple[int, int]]:
    """Which groups to compare, the first less the second."""
    if against is None:
        return list(combinations(members, 2))
    control = next(one for one in members if labels[one] == against)
    return [(one, control) for one in members if one != control]
