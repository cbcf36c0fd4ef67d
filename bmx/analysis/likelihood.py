"""The likelihood of a logistic model: its maximum, and where it has fallen to the edge of an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, xlogy
from scipy.stats import norm

Floats = npt.NDArray[np.float64]

_STEPS = 60
_PRECISION = 1e-12
"""Change of the deviance, relative, at which the maximum is reached; R's glm stops at 1e-8."""


@dataclass(frozen=True, slots=True, eq=False)
class Maximum:
    """Where the likelihood is greatest."""

    estimate: Floats
    fitted: Floats
    """Probabilities, each row."""
    information: Floats
    """(k, k) X' diag(p (1 - p)) X"""
    deviance: float
    converged: bool


def maximise(X: Floats, y: Floats, *, offset: Floats | float = 0.0, start: Floats | None = None) -> Maximum:
    """Greatest likelihood of `logit P(y = 1) = X b + offset`, by Newton's steps, halved where they go too far.

    Parameters
    ----------
    X : (n, k) columns of similar length
    y : (n,) 0 or 1
    offset : (n,) or one number
    start : (k,) where to begin

    Examples
    --------
    >>> maximise(np.ones((4, 1)), np.array([0.0, 1, 1, 1])).fitted.round(6)
    array([0.75, 0.75, 0.75, 0.75])
    """
    estimate = np.zeros(X.shape[1]) if start is None else start
    fitted = expit(X @ estimate + offset)
    deviance = deviance_of(y, fitted)
    converged = False
    for _ in range(_STEPS):
        information = X.T @ ((fitted * (1 - fitted))[:, None] * X)
        # Least squares: where the outcome is separated, the information runs out before the steps do.
        step = np.linalg.lstsq(information, X.T @ (y - fitted), rcond=None)[0]
        for _ in range(30):
            tried = expit(X @ (estimate + step) + offset)
            found = deviance_of(y, tried)
            if found <= deviance * (1 + 1e-14) + 1e-14:
                break
            step = step / 2
        else:  # no step goes further up: this is the top, or the start was so far off that its slope is lost
            converged = bool(np.abs(step @ (X.T @ (y - fitted))) < 1e-8)
            break
        change, estimate, fitted, deviance = abs(found - deviance), estimate + step, tried, found
        if change <= _PRECISION * (deviance + 0.1):
            converged = True
            break
    return Maximum(estimate, fitted, X.T @ ((fitted * (1 - fitted))[:, None] * X), deviance, converged)


def deviance_of(y: Floats, fitted: Floats) -> float:
    """-2 log likelihood of 0s and 1s.

    Examples
    --------
    >>> round(deviance_of(np.array([0.0, 1.0]), np.array([0.5, 0.5])), 4)
    2.7726
    """
    return float(-2 * np.sum(xlogy(y, fitted) + xlogy(1 - y, 1 - fitted)))


def profile_limit(X: Floats, y: Floats, best: Maximum, column: int, side: int, confidence: float) -> float:
    """Limit of one estimate: where the deviance, with all others at their best, has risen by the chi-squared quantile.

    The exact root; R's confint interpolates between a dozen points, and differs by some 1e-4 of the width.

    Parameters
    ----------
    X, y, best : as for `maximise`, and what it gave
    column : of the estimate
    side : -1 for the lower limit, 1 for the upper
    confidence : level of the interval
    """
    rise = float(norm.ppf((1 + confidence) / 2))
    others = np.delete(X, column, axis=1)
    centre = best.estimate[column]
    inverse = np.linalg.inv(best.information)
    beside = np.delete(best.estimate, column)
    # How the others move with this one near the maximum; far off without it, Newton's steps would lose their way.
    along = np.delete(inverse[column], column) / inverse[column, column]

    def excess(value: float) -> float:
        if others.shape[1]:
            start = beside + (value - centre) * along
            deviance = maximise(others, y, offset=value * X[:, column], start=start).deviance
        else:
            deviance = deviance_of(y, expit(value * X[:, column]))
        return float(np.sqrt(max(0.0, deviance - best.deviance))) - rise

    inside, step = centre, side * rise * float(np.sqrt(inverse[column, column]))
    outside = centre + step
    while excess(outside) < 0:  # it does rise, for the outcome is not separated
        inside, outside, step = outside, outside + step, 2 * step
    low, high = sorted((inside, outside))
    return float(brentq(excess, low, high, xtol=1e-10 * abs(step), rtol=1e-12))
