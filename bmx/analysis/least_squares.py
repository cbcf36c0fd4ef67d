"""One least-squares fit by statsmodels, in R's definitions where the two differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from statsmodels.regression.linear_model import OLS

from bmx.analysis.formula import Design
from bmx.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Covariance = Literal["classical", "HC0", "HC1", "HC2", "HC3"]
COVARIANCES: tuple[str, ...] = get_args(Covariance)

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
    vif: Floats
    """Variance inflation factor; NaN for the intercept, and in models without one."""

    fitted: Floats
    residuals: Floats

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


def fit_least_squares(design: Design, *, vcov: Covariance = "classical", confidence: float = 0.95) -> LeastSquares:
    """Fit `y = X b`.

    Parameters
    ----------
    design : Design
        More rows than terms, no term a combination of others (see `find_dependent`).
    vcov : str
        Covariance of the estimates: classical, or heteroscedasticity-consistent (MacKinnon and White 1985). Intervals
        and p values use t with n - k degrees of freedom in either case.
    confidence : float
        Level of the intervals.

    Raises
    ------
    AnalysisError
        The terms give the outcome exactly; or HC2 or HC3 is asked for and does not exist.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    >>> fit = fit_least_squares(Design("y", np.array([1.0, 3.0, 5.0, 7.5]), X, ("Intercept", "x")))
    >>> fit.estimate.round(6), fit.df_residual
    (array([0.9 , 2.15]), 2)
    """
    # Columns of length 1: for statsmodels a column 1e-15 times as long as another is collinear, whatever its unit is.
    length = np.linalg.norm(design.X, axis=0)
    unit = design.X / length
    # Left to guess, statsmodels would take the levels of a factor for an intercept, and R2 about the mean.
    fit = OLS(design.y, unit, hasconst=design.intercept).fit()
    if fit.ssr <= 1e-24 * float(design.y @ design.y):
        raise AnalysisError(
            f"the terms give {design.outcome} exactly, nothing is left to estimate; is it also on the right?"
        )
    if vcov in ("HC2", "HC3") and fit.get_influence().hat_matrix_diag.max() > 1 - _TOLERANCE:
        # A row with leverage 1 has residual 0, and both would divide 0 by 0.
        raise AnalysisError(f"{vcov} does not exist here: one participant alone decides a term; use HC1, or classical")
    tested = fit if vcov == "classical" else fit.get_robustcov_results(vcov, use_t=True)
    low, high = tested.conf_int(1 - confidence).T
    # How much larger the variance of a term is than it would be if no other were like it: 1 / (1 - R2 on the others).
    vif = np.diag(fit.normalized_cov_params) * np.sum((unit - unit.mean(axis=0)) ** 2, axis=0)
    vif[: 1 if design.intercept else None] = np.nan
    return LeastSquares(
        estimate=fit.params / length,
        std_error=tested.bse / length,
        statistic=tested.tvalues,
        p_value=tested.pvalues,
        conf_low=low / length,
        conf_high=high / length,
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
