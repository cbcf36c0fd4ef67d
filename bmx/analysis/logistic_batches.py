"""Logistic regressions of many 0/1 outcomes on one design, by Newton's method for all of them together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

Floats = npt.NDArray[np.float64]

_STEPS = 50
_CLOSE = 1e-10
"""A step this small, in standard errors, is the last: the next would be its square."""

_FLAT = 1e-12
"""Curvature per participant below which the likelihood has no top: the estimates run away."""

_WIDE = 100.0
"""Standard error, per standard deviation of a column, that only estimates have which run away."""


@dataclass(frozen=True, slots=True, eq=False)
class LogisticFits:
    """Maximum-likelihood fits to q outcomes; NaN where there is a reason."""

    n: npt.NDArray[np.int64]
    estimate: Floats
    """(q, k) log odds"""
    covariance: Floats
    """(q, k, k)"""
    reason: npt.NDArray[np.object_]
    """(q,) Why there is no fit; empty if there is one."""


def fit_logistic(X: Floats, outcomes: Floats, labels: tuple[str, ...]) -> LogisticFits:
    """Fit every outcome over the rows where it is there.

    Parameters
    ----------
    X : (n, k) float64, the first column 1, the others orthogonal and of mean square 1
    outcomes : (n, q) float64, 0, 1, or NaN where missing
    labels : (k,) names of the columns, for reasons

    Examples
    --------
    >>> X = np.column_stack([np.ones(8), np.repeat([-1.0, 1.0], 4)])
    >>> y = np.array([[0, 0, 0, 1, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1]], float).T
    >>> fits = fit_logistic(X, y, ("Intercept", "x"))
    >>> abs(fits.estimate[0] - [0, np.log(3)]).max() < 1e-9
    np.True_
    >>> fits.reason[1]
    'separated: x tells 4 cases from 4 controls without error, so that its log odds ratio has no bound'
    """
    k = X.shape[1]
    q = outcomes.shape[1]
    there = ~np.isnan(outcomes)
    y = np.where(there, outcomes, 0.0)
    count, cases = there.sum(axis=0), y.sum(axis=0)
    reason = np.full(q, "", object)
    for j in range(q):
        reason[j] = _refusal(outcomes[there[:, j], j], int(count[j]), int(cases[j]), k)
    estimate, covariance = np.full((q, k), np.nan), np.full((q, k, k), np.nan)
    left, right = np.triu_indices(k)
    products = np.ascontiguousarray((X[:, left] * X[:, right]).T)
    active = np.flatnonzero(reason == "")
    odds = np.zeros((q, k))
    odds[active, 0] = np.log(cases[active] / (count[active] - cases[active]))
    for _ in range(_STEPS):
        if not len(active):
            break
        chance = expit(X @ odds[active].T)
        gradient = X.T @ np.where(there[:, active], y[:, active] - chance, 0.0)
        weight = np.where(there[:, active], chance * (1 - chance), 0.0)
        hessian = np.empty((len(active), k, k))
        hessian[:, left, right] = hessian[:, right, left] = (products @ weight).T
        lost = np.linalg.eigvalsh(hessian)[:, 0] <= _FLAT * count[active]
        hessian[lost] = np.eye(k)
        inverse = np.linalg.inv(hessian)
        step = np.einsum("qij,jq->qi", inverse, gradient)
        step[lost] = 0
        # A step that long has overshot: columns have mean square 1, and log odds of 5 are odds of 150.
        length = np.abs(step).max(axis=1, initial=0.0)
        odds[active] += step * (5.0 / np.maximum(length, 5.0))[:, None]
        error = np.sqrt(np.einsum("qii->qi", inverse))
        done = ~lost & (np.abs(step) <= _CLOSE * error).all(axis=1)
        estimate[active[done]], covariance[active[done]] = odds[active[done]], inverse[done]
        for j in active[lost].tolist():
            reason[j] = _run_away(X, outcomes[:, j], labels)
        active = active[~done & ~lost]
    for j in active.tolist():
        reason[j] = _run_away(X, outcomes[:, j], labels)
    # Newton's steps can shrink while the estimates run away: then the errors are larger than anything that data give.
    with np.errstate(invalid="ignore"):
        wide = np.sqrt(np.einsum("qii->qi", covariance)).max(axis=1, initial=0.0) > _WIDE
    for j in np.flatnonzero(wide).tolist():
        reason[j] = _run_away(X, outcomes[:, j], labels)
        estimate[j], covariance[j] = np.nan, np.nan
    return LogisticFits(count.astype(np.int64), estimate, covariance, reason)


def _refusal(values: Floats, count: int, cases: int, k: int) -> str:
    """Why an outcome can't be fitted, whatever the design; empty if it may."""
    if count == 0:
        return "no participant has a value together with the terms"
    if not np.isin(values, (0.0, 1.0)).all():
        kinds = np.unique(values)
        some = ", ".join(f"{kind:g}" for kind in kinds[:3])
        return f"not 0 and 1: holds {len(kinds)} values, as {some}; code cases as 1, others as 0"
    if cases in (0, count):
        return f"no {'cases' if cases == 0 else 'controls'} among {count} participants"
    if min(cases, count - cases) < k:
        few, of = (cases, "cases") if cases < count - cases else (count - cases, "controls")
        return f"{few} {of} for {k} terms"
    return ""


def _run_away(X: Floats, outcome: Floats, labels: tuple[str, ...]) -> str:
    """What to say of an outcome whose estimates have no bound."""
    case, control = X[outcome == 1], X[outcome == 0]
    for label, of_cases, of_controls in zip(labels[1:], case.T[1:], control.T[1:], strict=True):
        apart = of_cases.min() > of_controls.max() or of_cases.max() < of_controls.min()
        if apart:
            return (
                f"separated: {label} tells {len(case)} cases from {len(control)} controls without error, "
                "so that its log odds ratio has no bound"
            )
    return (
        f"separated, or nearly: the terms together tell some of {len(case)} cases from {len(control)} controls without "
        "error (a level without cases, for instance), so that an estimate has no bound"
    )
