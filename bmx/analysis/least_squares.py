"""One least-squares fit by statsmodels, in R's definitions where the two differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from statsmodels.regression.linear_model import WLS

from bmx.analysis.covariance import COVARIANCES, Covariance, sandwich
from bmx.analysis.formula import Design
from bmx.analysis.inference import infer
from bmx.errors import AnalysisError

__all__ = ["COVARIANCES", "Covariance", "LeastSquares", "find_dependent", "fit_least_squares"]

Floats = npt.NDArray[np.float64]

_TOLERANCE = 1e-7
"""A column is collinear if less than this share of its length is new; R's lm() has the same number."""


@dataclass(frozen=True, slots=True, eq=False)
class LeastSquares:
    """One fit of `k` terms to `n` rows: first what there is of each term, then of each row, then of the whole."""

    estimate: Floats
    std_error: Floats
    statistic: Floats
    """t"""
    p_value: Floats
    conf_low: Floats
    conf_high: Floats
    covariance: Floats
    """(k, k)"""
    df: float
    """Of the tests: n - k, or one less than the clusters."""
    vif: Floats
    """Variance inflation factor; NaN for the intercept, and in models without one."""

    fitted: Floats
    residuals: Floats
    """Outcome minus fitted, weighted or not."""

    df_residual: int
    """n - k"""
    r2: float
    """About the mean; about zero without an intercept, as R."""
    adj_r2: float
    sigma: float
    f: float
    """The classical one, whatever the covariance; NaN for the intercept alone."""
    loglik: float
    aic: float
    """Counts sigma as a parameter, as R: 2 more than statsmodels' own."""
    bic: float


def fit_least_squares(
    design: Design,
    *,
    vcov: Covariance = "classical",
    confidence: float = 0.95,
    weights: Floats | None = None,
    clusters: pd.Series | None = None,
) -> LeastSquares:
    """Fit `y = X b`.

    Parameters
    ----------
    design : Design
        More rows than terms, no term a combination of others (see `find_dependent`).
    vcov : str
        Covariance of the estimates: classical, heteroscedasticity-consistent (MacKinnon and White 1985), or cluster.
        Intervals and p values use t with n - k degrees of freedom, and with clusters one less than there are.
    confidence : float
        Level of the intervals.
    weights : (n,) float64, positive, optional
        Inverse variances up to a factor, as R's `weights`.
    clusters : Series of n labels, for vcov="cluster"

    Raises
    ------
    AnalysisError
        The terms give the outcome exactly; or the covariance that is asked for does not exist.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    >>> fit = fit_least_squares(Design("y", np.array([1.0, 3.0, 5.0, 7.5]), X, ("Intercept", "x")))
    >>> fit.estimate.round(6), fit.df_residual
    (array([0.9 , 2.15]), 2)
    """
    # Columns of length 1: for statsmodels a column 1e-15 times as long as another is collinear, whatever its unit is.
    root = np.ones(len(design.y)) if weights is None else np.sqrt(weights)
    length = np.linalg.norm(design.X * root[:, None], axis=0)
    unit = design.X / length
    # Left to guess, statsmodels would take the levels of a factor for an intercept, and R2 about the mean.
    fit = WLS(design.y, unit, weights=root**2, hasconst=design.intercept).fit()
    if fit.ssr <= 1e-24 * float(design.y @ (root**2 * design.y)):
        raise AnalysisError(
            f"the terms give {design.outcome} exactly, nothing is left to estimate; is it also on the right?"
        )
    inverse, df = fit.normalized_cov_params, float(fit.df_resid)
    if vcov == "classical":
        covariance = fit.scale * inverse
    else:
        covariance = sandwich(unit * root[:, None], inverse, fit.resid * root, vcov, clusters=clusters)
    if vcov == "cluster" and clusters is not None:
        df = clusters.nunique() - 1.0
    # How much larger the variance of a term is than it would be if no other were like it: 1 / (1 - R2 on the others).
    around = unit - np.average(unit, axis=0, weights=root**2)
    vif = np.diag(inverse) * np.sum((around * root[:, None]) ** 2, axis=0)
    vif[: 1 if design.intercept else None] = np.nan
    covariance = covariance / np.outer(length, length)
    tested = infer(fit.params / length, np.sqrt(np.diag(covariance)), df, confidence=confidence)
    return LeastSquares(
        estimate=tested["estimate"].to_numpy(),
        std_error=tested["std_error"].to_numpy(),
        statistic=tested["statistic"].to_numpy(),
        p_value=tested["p_value"].to_numpy(),
        conf_low=tested["conf_low"].to_numpy(),
        conf_high=tested["conf_high"].to_numpy(),
        covariance=covariance,
        df=df,
        vif=vif,
        fitted=fit.fittedvalues,
        residuals=fit.resid,
        df_residual=int(fit.df_resid),
        r2=float(fit.rsquared),
        adj_r2=float(fit.rsquared_adj),
        sigma=float(np.sqrt(fit.scale)),
        f=float(fit.fvalue),
        loglik=float(fit.llf),
        aic=float(fit.info_criteria("aic", dk_params=1)),
        bic=float(fit.info_criteria("bic", dk_params=1)),
    )


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
    unit = X / np.linalg.norm(X, axis=0)
    new = np.abs(np.diag(np.linalg.qr(unit, mode="r")))
    dependent = np.flatnonzero(new < _TOLERANCE)
    if not len(dependent):
        return None
    column = int(dependent[0])
    weights = np.linalg.lstsq(unit[:, :column], unit[:, column], rcond=None)[0]
    return column, np.flatnonzero(np.abs(weights) > 1e-6).tolist()
