"""Test each term of a model as a whole: types I, II and III, as R's anova and car::Anova."""

from __future__ import annotations

import ast
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
from formulaic import Formula
from formulaic.formula import SimpleFormula
from formulaic.model_spec import ModelSpec
from formulaic.parser.types import Factor, Term
from scipy import stats

from bmx.analysis.basis import Basis
from bmx.analysis.covariance import sandwich
from bmx.analysis.fitting import basis_of
from bmx.analysis.likelihood import deviance_of, maximise
from bmx.analysis.result import Regression
from bmx.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Columns = tuple[int, ...]

_TYPES: dict[object, int] = {1: 1, 2: 2, 3: 3, "I": 1, "II": 2, "III": 3}


def anova(fit: Regression, type: int | str = 2) -> pd.DataFrame:  # noqa: A002 - R's and SAS's word for it
    """Whether each term explains anything: F tests of a linear model, likelihood ratio tests of a logistic one.

    Parameters
    ----------
    fit : Regression
    type : 1, 2, 3, or "I", "II", "III"
        1: each term after those written before it, R's anova. 2: after all others but its interactions, car::Anova's
        default. 3: after all others (Prism's); groups are then coded by sum contrasts whatever the formula says, for
        with others the test of a main effect would depend on which group is the reference.

    Returns
    -------
    DataFrame
        For each term: term, df, sum_sq (of a logistic model: lr_chisq), mean_sq, statistic (F, or chi-squared),
        p_value; then the residuals. With a robust covariance, Wald's F for type 3 alone; of a mixed model the same,
        with Satterthwaite's df_residual, as R's lmerTest.

    Raises
    ------
    AnalysisError
        The type is unknown, or does not go with the covariance.
    """
    number = _TYPES.get(type)
    if number is None:
        raise AnalysisError(f"type={type!r} is not known; expected 1, 2 or 3")
    basis = basis_of(fit)
    if fit.family == "mixed" and number != 3:
        raise AnalysisError("a mixed model has no sums of squares to compare; use type=3, which tests estimates")
    spec, X = _sum_coded(basis) if number == 3 else (basis.design.spec, basis.design.X)
    assert spec is not None  # a Basis is made from a formula
    assert basis.design.spec is not None
    names = {term: str(written) for term, written in zip(spec.term_slices, basis.design.spec.term_slices, strict=True)}
    terms = {term: _columns(place) for term, place in spec.term_slices.items() if str(term) != "1"}
    if fit.family == "mixed":
        return _by_estimates(fit, X, {names[term]: columns for term, columns in terms.items()})
    if fit.vcov != "classical":
        return _robust(fit, basis, X, {names[term]: columns for term, columns in terms.items()}, number)
    misfit, everything = _misfit(basis, X), tuple(range(X.shape[1]))
    intercept = tuple(i for i in everything if not any(i in columns for columns in terms.values()))
    rows: list[dict[str, object]] = []
    whole, df_residual = misfit(everything), float(len(X) - X.shape[1])
    before = intercept
    for term, columns in terms.items():
        if number == 1:
            without, with_it = before, (*before, *columns)
            before = with_it
        else:
            above = [other for other in terms if number == 2 and _contains(other, term)]
            beside = {i for other in above for i in terms[other]}
            with_it = tuple(i for i in everything if i not in beside)
            without = tuple(i for i in with_it if i not in columns)
        rows.append({"term": names[term], "df": float(len(columns)), "sum_sq": misfit(without) - misfit(with_it)})
    table = pd.DataFrame(rows, columns=["term", "df", "sum_sq"]).astype({"df": float, "sum_sq": float})
    if basis.family == "binomial":
        table = table.rename(columns={"sum_sq": "lr_chisq"}).assign(statistic=table["sum_sq"])
        return _said(table.assign(p_value=stats.chi2.sf(table["statistic"], table["df"])), number)
    table["mean_sq"] = table["sum_sq"] / table["df"]
    table["statistic"] = table["mean_sq"] / (whole / df_residual)
    table["p_value"] = stats.f.sf(table["statistic"], table["df"], df_residual)
    rest = pd.DataFrame({"term": ["Residual"], "df": df_residual, "sum_sq": whole, "mean_sq": whole / df_residual})
    return _said(pd.concat([table, rest], ignore_index=True), number)


def _misfit(basis: Basis, X: Floats) -> Callable[[Columns], float]:
    """Residual sum of squares, or deviance, of a model with some of the columns; each is fitted once."""
    known: dict[Columns, float] = {}
    y, weights = basis.design.y, basis.weight_values
    root = np.ones(len(y)) if weights is None else np.sqrt(weights)
    unit = X / np.linalg.norm(X, axis=0)

    def misfit(columns: Columns) -> float:
        columns = tuple(sorted(columns))
        if columns not in known:
            part = unit[:, list(columns)]
            if basis.family == "gaussian":
                residual = y * root - _projected(part * root[:, None], y * root)
                known[columns] = float(residual @ residual)
            else:
                known[columns] = maximise(part, y).deviance if columns else deviance_of(y, np.full(len(y), 0.5))
        return known[columns]

    return misfit


def _projected(X: Floats, y: Floats) -> Floats:
    basis = np.linalg.qr(X)[0]
    return np.asarray(basis @ (basis.T @ y))


def _robust(fit: Regression, basis: Basis, X: Floats, terms: dict[str, Columns], number: int) -> pd.DataFrame:
    """Wald's F of each term's estimates together."""
    if number != 3 or basis.family != "gaussian":
        raise AnalysisError(
            f"tests of type {number} compare sums of squares, which {fit.vcov} standard errors do not have; use type=3 "
            "of a linear model, or with_vcov('classical')"
        )
    weights = basis.weight_values
    root = np.ones(len(X)) if weights is None else np.sqrt(weights)
    scaled = X * root[:, None]
    inverse = np.linalg.inv(scaled.T @ scaled)
    estimate = inverse @ scaled.T @ (basis.design.y * root)
    covariance = sandwich(
        scaled, inverse, fit.residuals.to_numpy() * root, fit.vcov, clusters=basis.cluster_values  # type: ignore[arg-type]  # it was one
    )  # fmt: skip
    rows = []
    for term, columns in terms.items():
        part = np.array(columns)
        wald = estimate[part] @ np.linalg.solve(covariance[np.ix_(part, part)], estimate[part]) / len(part)
        rows.append((term, float(len(part)), float(wald), float(stats.f.sf(wald, len(part), fit.df))))
    return _said(pd.DataFrame(rows, columns=["term", "df", "statistic", "p_value"]), number)


def _by_estimates(fit: Regression, X: Floats, terms: dict[str, Columns]) -> pd.DataFrame:
    """F of each term's estimates together, with degrees of freedom of its own (lmerTest's contestMD)."""
    assert fit.covariance is not None
    own = fit.design_matrix().to_numpy()
    recode = np.linalg.lstsq(X, own, rcond=None)[0]  # the estimates under the other coding are these times ours
    estimate, covariance = fit.terms["estimate"].to_numpy(), fit.covariance.to_numpy()
    rows = []
    for term, columns in terms.items():
        rows_of_term = recode[list(columns)]
        variance, turn = np.linalg.eigh(rows_of_term @ covariance @ rows_of_term.T)
        apart = turn.T @ rows_of_term  # uncorrelated combinations, each with a t test of its own
        df = fit.degrees_of_freedom(apart)
        f = float(((apart @ estimate) ** 2 / variance).mean())
        rest = _joint_df(df)
        rows.append((term, float(len(columns)), rest, f, float(stats.f.sf(f, len(columns), rest))))
    return _said(pd.DataFrame(rows, columns=["term", "df", "df_residual", "statistic", "p_value"]), 3)


def _joint_df(df: Floats) -> float:
    """Denominator of the F whose parts are t squared with these degrees of freedom: their expectations agree."""
    if np.isinf(df).all():
        return float("inf")
    if np.ptp(df) < 1e-8 * float(df.max()):
        return float(df.mean())
    if (df <= 2).any():
        return 2.0
    expected = float((df / (df - 2)).sum())
    return 2 * expected / (expected - len(df))


def _said(table: pd.DataFrame, number: int) -> pd.DataFrame:
    table.attrs["type"] = number
    return table


def _columns(place: slice) -> Columns:
    return tuple(range(place.start, place.stop))


def _contains(other: Term, term: Term) -> bool:
    """Whether `other` is an interaction of `term`."""
    return set(term.factors) < set(other.factors)


def _sum_coded(basis: Basis) -> tuple[ModelSpec, Floats]:
    """The same model with sum contrasts for all groups."""
    spec = basis.design.spec
    assert spec is not None
    categories = set(spec.factor_contrasts)
    terms = [
        Term([_summed(factor) if factor in categories else factor for factor in term.factors])
        for term in spec.term_slices
    ]
    matrix = Formula(SimpleFormula(terms, _ordering="none")).get_model_matrix(
        basis.sample.table, context={}, na_action="ignore"
    )
    return matrix.model_spec, np.asarray(matrix, dtype=np.float64)


def _summed(factor: Factor) -> Factor:
    inner = factor.expr
    tree = ast.parse(inner, mode="eval").body
    if isinstance(tree, ast.Call) and ast.unparse(tree.func) == "C":
        inner = ast.unparse(tree.args[0])
    return Factor(f"C({inner}, contr.sum)", eval_method="python")
