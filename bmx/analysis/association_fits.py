"""Fit the designs of a mass regression to a block of outcomes, and say of each fit that fails why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmx.analysis.association_models import Model
from bmx.analysis.least_squares import find_dependent
from bmx.analysis.logistic_batches import fit_logistic
from bmx.analysis.normal_equations import Stack, Sums, solve
from bmx.errors import AnalysisError

Floats = npt.NDArray[np.float64]

_EXACT = 1e-20
"""Share of the outcome's squares below which nothing is left to estimate."""


@dataclass(frozen=True, slots=True, eq=False)
class Fits:
    """One design fitted to q outcomes; its t own terms alone."""

    n: npt.NDArray[np.int64]
    """(q,) rows used"""
    df: Floats
    """(q,) Residual degrees of freedom; infinite for logistic fits, whose tests are Wald's."""
    estimate: Floats
    """(q, t)"""
    covariance: Floats
    """(q, t, t)"""
    adj_r2: Floats
    """(q,); NaN for logistic fits."""
    reason: npt.NDArray[np.object_]
    """(q,) Why there is no fit; empty if there is one."""


def nothing(model: Model, q: int, reason: str) -> Fits:
    """Fits that can't be made, all for one reason."""
    t = len(model.terms)
    return Fits(
        np.zeros(q, np.int64),
        np.full(q, np.nan),
        np.full((q, t), np.nan),
        np.full((q, t, t), np.nan),
        np.full(q, np.nan),
        np.full(q, reason, object),
    )


def fit_gaussian(model: Model, stack: Stack, sums: Sums, design: int, fetch: Callable[[int], Floats]) -> Fits:
    """Least squares from sums; what these can't give to all digits is fitted by QR.

    Parameters
    ----------
    model : Model with columns
    stack, sums, design : what its equations are, see `bmx.analysis.normal_equations`
    fetch : gives the values of an outcome, (n,) with NaN
    """
    assert model.columns is not None
    assert model.triangle is not None
    k, t = len(model.labels), len(model.triangle)
    solved = solve(stack, sums, design)
    estimate, covariance = solved.estimate[:, -t:].copy(), solved.inverse[:, -t:, -t:].copy()
    residual, total = solved.residual.copy(), solved.total.copy()
    reason = np.full(len(residual), "", object)
    for j in np.flatnonzero(solved.lost).tolist():
        try:
            if solved.n[j] == 0 and np.isfinite(total[j]):
                raise AnalysisError("no participant has a value together with the terms")
            estimate[j], covariance[j], residual[j], total[j] = _refit(model, fetch(j))
        except AnalysisError as exc:
            reason[j] = str(exc)
    df = np.where(reason == "", solved.n - k, np.nan).astype(float)
    back = np.linalg.inv(model.triangle)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = residual / df
        adj_r2 = 1 - variance / (total / (solved.n - 1))
    return Fits(
        solved.n,
        df,
        estimate @ back.T,
        back @ (covariance * variance[:, None, None]) @ back.T,
        np.where(reason == "", adj_r2, np.nan),
        reason,
    )


def fit_binomial(model: Model, outcomes: Floats) -> Fits:
    """Logistic regression of a block of outcomes, (n, q) of 0, 1 and NaN."""
    assert model.columns is not None
    assert model.rows is not None
    assert model.triangle is not None
    t = len(model.triangle)
    back = np.linalg.inv(model.triangle)
    fits = fit_logistic(model.columns[model.rows], outcomes[model.rows], model.labels)
    return Fits(
        fits.n,
        np.where(fits.reason == "", np.inf, np.nan),
        fits.estimate[:, -t:] @ back.T,
        back @ fits.covariance[:, -t:, -t:] @ back.T,
        np.full(len(fits.n), np.nan),
        fits.reason,
    )


def joint_p(fits: Fits) -> Floats:
    """P that all own terms are zero, by F or, for logistic fits, Wald's chi-squared; (q,)."""
    from scipy import stats

    t = fits.estimate.shape[1]
    p = np.full(len(fits.n), np.nan)
    for infinite in (True, False):
        at = (fits.reason == "") & (np.isinf(fits.df) == infinite)
        if not at.any():
            continue
        solved = np.linalg.solve(fits.covariance[at], fits.estimate[at][..., None])[..., 0]
        wald = np.einsum("qi,qi->q", fits.estimate[at], solved)
        p[at] = stats.chi2.sf(wald, t) if infinite else stats.f.sf(wald / t, t, fits.df[at])
    return p


def _refit(model: Model, outcome: Floats) -> tuple[Floats, Floats, float, float]:
    """One fit by QR: estimates and (X'X)⁻¹ of the own terms, squares left and about the mean."""
    assert model.columns is not None
    assert model.rows is not None
    assert model.triangle is not None
    rows = model.rows & ~np.isnan(outcome)
    y, X = outcome[rows], model.columns[rows]
    n, k = X.shape
    bad = int(np.isinf(y).sum())
    if bad:
        raise AnalysisError(f"infinite in {bad} of {n} rows")
    if n <= k:
        raise AnalysisError(f"{n} rows for {k} terms, expected more rows than terms")
    if np.ptp(y) == 0:
        raise AnalysisError(f"constant: {y[0]:g} in all {n} rows")
    lone = [label for label, x in zip(model.labels[1:], X.T[1:], strict=True) if not np.any(x)]
    dependent = None if lone else find_dependent(X)
    if lone or dependent is not None:
        label = lone[0] if lone else model.labels[dependent[0]] if dependent else ""
        raise AnalysisError(f"{label} is constant or collinear in the {n} rows that have the outcome")
    Q, R = np.linalg.qr(X)
    centred = y - y.mean()
    rotated = Q.T @ centred
    rest = centred - Q @ rotated
    rest -= Q @ (Q.T @ rest)
    left, total = float(rest @ rest), float(centred @ centred)
    if left <= _EXACT * total:
        raise AnalysisError("the terms give it exactly, nothing is left to estimate; does it follow from one of them?")
    t = len(model.triangle)
    inverse = np.linalg.inv(R)
    return (inverse @ rotated)[-t:], (inverse @ inverse.T)[-t:, -t:], left, total


def usable(models: Sequence[Model]) -> list[Model]:
    """Those that have columns."""
    return [model for model in models if model.columns is not None]
