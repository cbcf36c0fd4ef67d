"""One logistic fit by maximum likelihood, in R's definitions (glm with family = binomial)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bmx.analysis.covariance import Covariance, sandwich
from bmx.analysis.formula import Design
from bmx.analysis.inference import infer
from bmx.analysis.likelihood import Maximum, deviance_of, maximise, profile_limit
from bmx.analysis.separation import refuse_separation

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Logistic:
    """One fit of `k` terms to `n` rows; estimates are log odds ratios."""

    estimate: Floats
    std_error: Floats
    statistic: Floats
    """z of Wald's test, or t if errors are by cluster"""
    p_value: Floats
    """Wald's"""
    conf_low: Floats
    """By profile likelihood, if `profiled`; else Wald's."""
    conf_high: Floats
    wald_low: Floats
    wald_high: Floats
    covariance: Floats
    df: float
    """Infinite, or one less than the clusters."""
    vif: Floats
    """NaN: it belongs to linear models."""

    fitted: Floats
    """Probabilities."""
    residuals: Floats
    """Outcome minus probability."""
    deviance: float
    null_deviance: float
    profiled: bool


def fit_logistic(
    design: Design,
    *,
    vcov: Covariance = "classical",
    clusters: pd.Series | None = None,
    confidence: float = 0.95,
    profile: bool = True,
) -> Logistic:
    """Fit `logit P(y = 1) = X b`.

    Parameters
    ----------
    design : Design
        Outcome of 0 and 1, each of them there; more rows than terms, no term a combination of others.
    vcov : str
        As for least squares; tests use the normal, and with clusters t with one less than there are. R's vcovCL has
        no factor (n - 1) / (n - k) here.
    confidence : float
    profile : bool
        Intervals by profile likelihood, as R's confint; only where vcov is classical.

    Raises
    ------
    AnalysisError
        The terms separate the outcome, so that an odds ratio would be infinite.

    Examples
    --------
    >>> X = np.column_stack([np.ones(6), [0.0, 0, 0, 1, 1, 1]])
    >>> fit = fit_logistic(Design("y", np.array([0.0, 0, 1, 0, 1, 1]), X, ("Intercept", "x")))
    >>> np.exp(fit.estimate).round(6), round(fit.deviance, 4)
    (array([0.5, 4. ]), 7.6382)
    """
    # Columns of length 1, as for least squares: the same answer in any unit.
    length = np.linalg.norm(design.X, axis=0)
    unit = design.X / length
    best = maximise(unit, design.y)
    refuse_separation(design, best)
    inverse: Floats = np.asarray(np.linalg.inv(best.information), dtype=np.float64)
    df = np.inf
    if vcov == "classical":
        covariance = inverse
    else:
        root: Floats = np.sqrt(best.fitted * (1 - best.fitted))
        scaled: Floats = (design.y - best.fitted) / root
        covariance = sandwich(unit * root[:, None], inverse, scaled, vcov, clusters=clusters, small_sample=False)
    if vcov == "cluster" and clusters is not None:
        df = clusters.nunique() - 1.0
    covariance = covariance / np.outer(length, length)
    wald = infer(best.estimate / length, np.sqrt(np.diag(covariance)), df, confidence=confidence)
    low, high = wald["conf_low"].to_numpy(), wald["conf_high"].to_numpy()
    profiled = profile and vcov == "classical"
    limits = _profiled(unit, design.y, best, confidence) / length if profiled else np.array([low, high])
    return Logistic(
        estimate=best.estimate / length,
        std_error=wald["std_error"].to_numpy(),
        statistic=wald["statistic"].to_numpy(),
        p_value=wald["p_value"].to_numpy(),
        conf_low=limits[0],
        conf_high=limits[1],
        wald_low=low,
        wald_high=high,
        covariance=covariance,
        df=df,
        vif=np.full(len(low), np.nan),
        fitted=best.fitted,
        residuals=design.y - best.fitted,
        deviance=best.deviance,
        null_deviance=deviance_of(design.y, np.full(len(design.y), design.y.mean() if design.intercept else 0.5)),
        profiled=profiled,
    )


def _profiled(X: Floats, y: Floats, best: Maximum, confidence: float) -> Floats:
    """(2, k) Lower and upper limits."""
    return np.array(
        [[profile_limit(X, y, best, column, side, confidence) for column in range(X.shape[1])] for side in (-1, 1)]
    )
