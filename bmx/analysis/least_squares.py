"""Ordinary least squares on plain arrays, with R's definitions of what is derived from it.

By QR decomposition, as R's lm(); a fit of 729 rows takes some 0.1 ms, so thousands of outcomes are cheap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Covariance = Literal["classical", "HC0", "HC1", "HC2", "HC3"]
COVARIANCES: tuple[str, ...] = get_args(Covariance)

_TOLERANCE = 1e-7
"""A column is collinear if less than this share of its length is new; R's lm() has the same number."""


@dataclass(frozen=True, slots=True, eq=False)
class LeastSquares:
    """One fit of `k` terms to `n` rows."""

    estimate: Floats
    """(k,)"""
    covariance: Floats
    """(k, k) of the estimates."""
    fitted: Floats
    """(n,)"""
    residuals: Floats
    """(n,)"""
    rss: float
    """Residual sum of squares."""
    df_residual: int
    """n - k"""


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a fit describes its outcome, in R's definitions."""

    r2: float
    adj_r2: float
    sigma: float
    f: float
    """NaN for a model of the intercept alone."""
    loglik: float
    aic: float
    bic: float


def fit_least_squares(y: Floats, X: Floats, *, vcov: Covariance = "classical") -> LeastSquares:
    """Fit `y = X b`.

    Parameters
    ----------
    y : (n,) float64
    X : (n, k) float64, of full rank, n > k
    vcov : str
        Covariance of the estimates: classical, or heteroscedasticity-consistent (MacKinnon and White 1985).

    Examples
    --------
    >>> fit = fit_least_squares(np.array([1.0, 3.0, 5.0]), np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]))
    >>> fit.estimate.round(6)
    array([1., 2.])
    """
    n, k = X.shape
    Q, R = np.linalg.qr(X)
    inverse = np.linalg.solve(R, np.eye(k))
    estimate = inverse @ (Q.T @ y)
    fitted = X @ estimate
    residuals = y - fitted
    rss = float(residuals @ residuals)
    if vcov == "classical":
        covariance = rss / (n - k) * (inverse @ inverse.T)
    else:
        # (X'X)^-1 X' diag(w) X (X'X)^-1, with X = QR
        half = inverse @ (Q * _row_weights(residuals, Q, vcov)[:, None]).T
        covariance = half @ half.T
    return LeastSquares(estimate, covariance, fitted, residuals, rss, n - k)


def _row_weights(residuals: Floats, Q: Floats, vcov: Covariance) -> Floats:
    """(n,) the residuals as each HC estimator scales them; leverage is the squared length of a row of Q."""
    n, k = Q.shape
    scale: Floats
    if vcov == "HC0":
        scale = np.ones(n)
    elif vcov == "HC1":
        scale = np.full(n, np.sqrt(n / (n - k)))
    else:
        unexplained = 1 - np.sum(Q**2, axis=1)
        # A row that alone decides a term has residual 0 and leverage 1: 0/0, and no HC2 or HC3.
        unexplained[unexplained < _TOLERANCE] = np.nan
        scale = unexplained ** (-0.5 if vcov == "HC2" else -1)
    return residuals * scale


def find_dependent(X: Floats) -> tuple[int, list[int]] | None:
    """The first column that is a linear combination of those before it, and which ones; None if there is none.

    Parameters
    ----------
    X : (n, k) float64, n > k, no column constant zero

    Examples
    --------
    >>> x, z = np.array([1.0, 2.0, 4.0, 7.0]), np.array([0.0, 1.0, 0.0, 1.0])
    >>> find_dependent(np.column_stack([np.ones(4), x, z, 3 - 2 * z]))
    (3, [0, 2])
    """
    lengths = np.linalg.norm(X, axis=0)
    scaled = X / lengths
    new = np.abs(np.diag(np.linalg.qr(scaled, mode="r")))
    dependent = np.flatnonzero(new < _TOLERANCE)
    if not len(dependent):
        return None
    column = int(dependent[0])
    weights = np.linalg.lstsq(scaled[:, :column], scaled[:, column], rcond=None)[0]
    return column, np.flatnonzero(np.abs(weights) > 1e-6).tolist()


def fit_quality(y: Floats, fit: LeastSquares, *, intercept: bool) -> Quality:
    """Measures of a fit, as R's summary.lm, logLik, AIC and BIC give them.

    AIC and BIC count the residual standard deviation as a parameter, as R does; statsmodels' are lower, AIC by exactly
    2. Without an intercept R2 is about zero, not about the mean. F is the classical one whatever the covariance.
    """
    n, k = len(y), len(fit.estimate)
    around = y - y.mean() if intercept else y
    tss = float(around @ around)
    df_model = k - intercept
    r2 = 1 - fit.rss / tss
    loglik = -n / 2 * (np.log(2 * np.pi * fit.rss / n) + 1)
    variance = fit.rss / fit.df_residual
    return Quality(
        r2=r2,
        adj_r2=1 - (1 - r2) * (n - intercept) / fit.df_residual,
        sigma=float(np.sqrt(variance)),
        f=(tss - fit.rss) / df_model / variance if df_model else float("nan"),
        loglik=float(loglik),
        aic=float(-2 * loglik + 2 * (k + 1)),
        bic=float(-2 * loglik + np.log(n) * (k + 1)),
    )


def inflation(X: Floats) -> Floats:
    """Variance inflation factor of every column but the first, which is the intercept: 1 / (1 - R2 on the others).

    Examples
    --------
    >>> inflation(np.array([[1.0, 1.0, 1.0], [1.0, 2.0, -1.0], [1.0, 3.0, -1.0], [1.0, 4.0, 1.0]])).round(6)
    array([nan,  1.,  1.])
    """
    centred = X[:, 1:] - X[:, 1:].mean(axis=0)
    scaled = centred / np.linalg.norm(centred, axis=0)
    inverse = np.linalg.inv(np.linalg.qr(scaled, mode="r"))
    return np.concatenate([[np.nan], np.sum(inverse**2, axis=1)])
