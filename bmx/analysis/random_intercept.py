"""Restricted maximum likelihood of a linear model with a random intercept, in closed form but for one number.

With one random intercept, the covariance of a group's values is a multiple of the identity plus a constant: its inverse
and determinant are known, and everything that likelihood, score and information need are sums over groups. A hundred
thousand participants take what a few passes over their values take.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

Floats = npt.NDArray[np.float64]

_LARGEST_RATIO = 1e8
"""Of the two variances; beyond, the groups hold everything, and the model is of no use."""

_STEP = 1e-4
"""Relative step of the difference quotient that gives the curvature: eight digits of it."""


@dataclass(frozen=True, slots=True, eq=False)
class MixedFit:
    """Estimates of a model with a random intercept."""

    estimate: Floats
    """(p,)"""
    covariance: Floats
    """(p, p) of the estimates."""
    between: float
    """Variance of the random intercept."""
    within: float
    """Variance of what is left."""
    loglik: float
    """Restricted, as lme4's."""
    fitted: Floats
    """(n,) fixed effects alone."""
    uncertainty: Floats
    """(2, 2) asymptotic covariance of `between` and `within`; of the first 0 where it lies at its border."""
    slopes: tuple[Floats, Floats]
    """(p, p) each: how `covariance` changes with `between` and with `within`."""

    def df(self, combinations: Floats) -> Floats:
        """Satterthwaite's degrees of freedom of linear combinations, (m, p) to (m,), as lmerTest."""
        variance = np.einsum("ij,jk,ik->i", combinations, self.covariance, combinations)
        slope = np.stack([np.einsum("ij,jk,ik->i", combinations, one, combinations) for one in self.slopes], axis=1)
        spread = np.einsum("ij,jk,ik->i", slope, self.uncertainty, slope)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(2 * variance**2 / spread)


class _Sums:
    """What likelihood and score need of the data, by group."""

    def __init__(self, X: Floats, y: Floats, groups: npt.NDArray[np.intp]) -> None:
        self.n, self.p = X.shape
        self.sizes = np.bincount(groups).astype(np.float64)
        self.x = np.stack([np.bincount(groups, column) for column in X.T], axis=1)  # (groups, p) sums
        self.y = np.bincount(groups, y)
        self.xx, self.xy, self.yy = X.T @ X, X.T @ y, float(y @ y)

    def weigh(self, ratio: float) -> tuple[Floats, Floats, float]:
        """X'W⁻¹X, estimates and weighted residual sum of squares, where the covariance is `within` times W."""
        c = ratio / (1 + self.sizes * ratio)
        A = self.xx - self.x.T @ (c[:, None] * self.x)
        right = self.xy - self.x.T @ (c * self.y)
        beta = np.asarray(np.linalg.solve(A, right), np.float64)
        return A, beta, self.yy - float(c @ self.y**2) - float(beta @ right)

    def slope(self, ratio: float) -> float:
        """Derivative of the profiled restricted deviance with respect to the ratio of variances."""
        A, beta, rss = self.weigh(ratio)
        shrink = 1 / (1 + self.sizes * ratio)
        u = self.x * shrink[:, None]
        residual = (self.y - self.x @ beta) * shrink
        trace = float(np.einsum("ij,jk,ik->", u, np.linalg.inv(A), u))
        return float(float(self.sizes @ shrink) - trace - (self.n - self.p) * float(residual @ residual) / rss)

    def score(self, between: float, within: float) -> Floats:
        """Gradient of the restricted deviance with respect to both variances, (2,)."""
        ratio = between / within
        A, beta, _ = self.weigh(ratio)
        shrink, c = 1 / (1 + self.sizes * ratio), ratio / (1 + self.sizes * ratio)
        twice = 2 * c - c**2 * self.sizes
        C = np.linalg.inv(A) * within
        u = self.x * (shrink / within)[:, None]
        sums = self.y - self.x @ beta
        rr = self.yy - 2 * float(beta @ self.xy) + float(beta @ self.xx @ beta)
        inner = (self.xx - self.x.T @ (twice[:, None] * self.x)) / within**2
        by_between = float(self.sizes @ shrink) / within - float(np.einsum("ij,jk,ik->", u, C, u))
        by_between -= float(((sums * shrink) ** 2).sum()) / within**2
        by_within = (self.n - float(c @ self.sizes)) / within - float(np.trace(C @ inner))
        by_within -= (rr - float(twice @ sums**2)) / within**2
        return np.array([by_between, by_within])

    def covariance_slopes(self, between: float, within: float) -> tuple[Floats, Floats, Floats]:
        """Covariance of the estimates, and its derivatives with respect to both variances."""
        ratio = between / within
        A, _, _ = self.weigh(ratio)
        c = ratio / (1 + self.sizes * ratio)
        C = np.asarray(np.linalg.inv(A) * within, np.float64)
        u = self.x / (within * (1 + self.sizes * ratio))[:, None]
        inner = (self.xx - self.x.T @ ((2 * c - c**2 * self.sizes)[:, None] * self.x)) / within**2
        return C, C @ (u.T @ u) @ C, C @ inner @ C


def fit_random_intercept(X: Floats, y: Floats, groups: npt.NDArray[np.intp]) -> MixedFit:
    """Fit y = Xb + (one random number for each group) + noise by restricted maximum likelihood.

    Parameters
    ----------
    X : (n, p) float64 of full rank
    y : (n,) float64
    groups : (n,) integers from 0

    Returns
    -------
    MixedFit; `between` is 0 where the likelihood is largest there.

    Examples
    --------
    >>> X, y = np.ones((6, 1)), np.array([1.0, 2, 11, 12, 21, 22])
    >>> fit = fit_random_intercept(X, y, np.array([0, 0, 1, 1, 2, 2]))
    >>> fit.estimate, round(fit.between, 2), round(fit.within, 2), fit.df(np.ones((1, 1))).round(4)
    (array([11.5]), 99.75, 0.5, array([2.]))
    """
    # Columns and values near 1: sums of squares keep their digits.
    scale, centre, unit = np.linalg.norm(X, axis=0) / np.sqrt(len(X)), float(y.mean()), float(y.std()) or 1.0
    constant = np.linalg.lstsq(X, np.ones(len(X)), rcond=None)[0]
    shift = centre * constant if np.allclose(X @ constant, 1) else np.zeros(X.shape[1])
    sums = _Sums(X / scale, (y - X @ shift) / unit, groups)
    ratio = 0.0
    if sums.slope(0.0) < 0:
        high = 1.0
        while sums.slope(high) < 0 and high < _LARGEST_RATIO:
            high *= 10
        ratio = float(brentq(sums.slope, 0.0, high, xtol=1e-14, rtol=8.9e-16)) if sums.slope(high) > 0 else high
    A, beta, rss = sums.weigh(ratio)
    left = sums.n - sums.p
    within = rss / left
    between = ratio * within
    logs = float(np.log1p(sums.sizes * ratio).sum()) + float(np.linalg.slogdet(A)[1]) + 2 * float(np.log(scale).sum())
    loglik = -0.5 * (logs + left * (1 + np.log(2 * np.pi * within * unit**2)))
    C, by_between, by_within = sums.covariance_slopes(between, within)
    back = np.outer(unit / scale, unit / scale)
    # In units of y, variances are unit² times as large, and so are the covariances; their ratio has no unit.
    return MixedFit(
        estimate=beta * unit / scale + shift,
        covariance=C * back,
        between=between * unit**2,
        within=within * unit**2,
        loglik=float(loglik),
        fitted=X @ (beta * unit / scale + shift),
        uncertainty=_uncertainty(sums, between, within) * unit**4,
        slopes=(by_between * back / unit**2, by_within * back / unit**2),
    )


def _uncertainty(sums: _Sums, between: float, within: float) -> Floats:
    """Twice the inverse of the deviance's curvature, (2, 2)."""
    if between == 0:
        # lme4's parameter is the square root of the ratio: at 0 nothing changes with it.
        small = _STEP * within
        curvature = (sums.score(0.0, within + small)[1] - sums.score(0.0, within - small)[1]) / (2 * small)
        return np.array([[0.0, 0.0], [0.0, 2 / curvature]])
    at = np.array([between, within])
    columns = []
    for axis in range(2):
        step = np.zeros(2)
        step[axis] = _STEP * at[axis]
        columns.append((sums.score(*(at + step)) - sums.score(*(at - step))) / (2 * step[axis]))
    hessian = np.stack(columns, axis=1)
    return np.asarray(2 * np.linalg.inv((hessian + hessian.T) / 2))
