"""Adjusted means and slopes: what a model says of groups, with everything else held equal (R's emmeans)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from bmx.analysis.basis import Basis
from bmx.analysis.fitting import basis_of
from bmx.analysis.formula import rows_of
from bmx.analysis.prediction import as_fitted, combine
from bmx.analysis.result import Regression
from bmx.errors import AnalysisError

Floats = npt.NDArray[np.float64]

_STEP = 1e-4
"""Half width of a difference quotient, in standard deviations of the variable: nine digits of a curve's slope."""


def means(fit: Regression, x: str | Sequence[str], *, at: Mapping[str, object] | None = None) -> pd.DataFrame:
    """Mean outcome of each group, adjusted for everything else in the model (estimated marginal means).

    Quantities are held at their mean over the sample; other groups count equally, however many participants they have.

    Parameters
    ----------
    fit : Regression
    x : name, or several for every combination
    at : dict, optional
        Other values at which to hold variables, `{"bmi": 25}`, or at which to look: `{"bmi": [20, 25, 30]}` where bmi
        is in `x`.

    Returns
    -------
    DataFrame
        A column for each of `x`, estimate, std_error, df, conf_low, conf_high. Of a logistic model, log odds, and
        probability with probability_low and probability_high.

    Raises
    ------
    AnalysisError
        `x` is not in the formula, or is a quantity without values in `at`.
    """
    names = [x] if isinstance(x, str) else list(x)
    groups, rows = reference_grid(fit, names, at=at)
    found = combine(fit, rows)[["estimate", "std_error", "df", "conf_low", "conf_high"]]
    if fit.family == "binomial":
        for name, column in (("", "estimate"), ("_low", "conf_low"), ("_high", "conf_high")):
            found[f"probability{name}"] = expit(found[column])
    return pd.concat([groups, found], axis=1)


def slopes(
    fit: Regression, x: str, *, by: str | Sequence[str] = (), at: Mapping[str, object] | None = None
) -> pd.DataFrame:
    """How the outcome changes with a quantity, in each group: of an interaction, the simple slopes (R's emtrends).

    The model is one: its residual variance is that of all groups, and so the standard errors differ from those of a
    separate fit for each group.

    Parameters
    ----------
    fit : Regression
    x : name of a quantity
    by : names of groups; of a quantity too, if `at` says its values
    at : dict, optional
        Where to look, as for `means`; a curve such as x + I(x**2) has another slope elsewhere.

    Returns
    -------
    DataFrame
        A column for each of `by`, estimate, std_error, df, statistic, p_value, conf_low, conf_high; of a logistic model
        in log odds.
    """
    basis = basis_of(fit)
    basis.check_predictor(x)
    if basis.is_category(x):
        raise AnalysisError(f"{x} stands for groups and has no slope; see means({x!r})")
    names = [by] if isinstance(by, str) else list(by)
    if x in names:
        raise AnalysisError(f"{x} is in by= too; where to look at a curve is said by at={{{x!r}: ...}}")
    values = basis.sample.table[x]
    half = _STEP * float(values.std())
    held = _numbers((at or {}).get(x, values.mean()))
    tables = []
    for value in held:
        groups, above = reference_grid(fit, names, at={**(at or {}), x: value + half})
        _, below = reference_grid(fit, names, at={**(at or {}), x: value - half})
        found = combine(fit, (above - below) / (2 * half))
        tables.append(pd.concat([groups.assign(**({x: value} if len(held) > 1 else {})), found], axis=1))
    return pd.concat(tables, ignore_index=True)


def reference_grid(
    fit: Regression, names: Sequence[str], *, at: Mapping[str, object] | None = None
) -> tuple[pd.DataFrame, Floats]:
    """Every combination of the groups `names`, and the combination of estimates that is its adjusted mean.

    Parameters
    ----------
    fit : Regression
    names : variables of the formula
    at : dict, optional
        Values of variables, as for `means`.

    Returns
    -------
    groups : DataFrame, one row per combination, the last name changing fastest
    rows : (combinations, terms) float64
    """
    basis, at = basis_of(fit), dict(at or {})
    for name in [*names, *at]:
        basis.check_predictor(name)
    ours = {name: _values(basis, name, at, shown=True) for name in names}
    others = {name: _values(basis, name, at, shown=False) for name in basis.predictors() if name not in ours}
    combinations = list(product(*ours.values()))
    rows = [(*combination, *rest) for combination in combinations for rest in product(*others.values())]
    grid = pd.DataFrame(rows, columns=[*ours, *others], index=pd.RangeIndex(len(rows)))
    table = pd.DataFrame({name: as_fitted(basis, name, grid[name]) for name in (*ours, *others)}, index=grid.index)
    matrix = rows_of(basis.design, table)
    averaged = matrix.reshape(len(combinations), -1, matrix.shape[1]).mean(axis=1)
    shown = [[_whole(value) for value in combination] for combination in combinations]
    return pd.DataFrame(shown, columns=list(names), index=pd.RangeIndex(len(shown))), averaged


def _values(basis: Basis, name: str, at: Mapping[str, object], *, shown: bool) -> list[object]:
    if name in at:
        value = at[name]
        if isinstance(value, str) or np.ndim(value) == 0:  # type: ignore[arg-type]  # whatever the caller gave
            return [value]
        if not shown:
            raise AnalysisError(
                f"at={{{name!r}: ...}} has several values, expected one; or name {name} beside the groups"
            )
        return list(value)  # type: ignore[call-overload, no-any-return]  # a sequence, as np.ndim found
    if basis.is_category(name):
        return basis.levels(name)
    if shown:
        raise AnalysisError(f"{name} is a quantity and has no groups: say where to look, at={{{name!r}: [...]}}")
    return [float(basis.sample.table[name].mean())]


def _whole(value: object) -> object:
    """A code as the whole number that it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _numbers(value: object) -> list[float]:
    return [float(number) for number in np.atleast_1d(np.asarray(value, dtype=np.float64))]
