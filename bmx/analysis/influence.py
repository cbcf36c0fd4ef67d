"""How much each participant decides a fit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import xlogy

from bmx.analysis.covariance import leverage
from bmx.analysis.fitting import basis_of
from bmx.analysis.result import Regression
from bmx.errors import AnalysisError

Floats = npt.NDArray[np.float64]


def influence(fit: Regression) -> pd.DataFrame:
    """Influence of each participant, as R's influence.measures.

    Returns
    -------
    DataFrame by EID
        leverage (hatvalues), standardized (rstandard: a residual over its own error), studentized (rstudent: over its
        error without the participant), cooks_distance, dffits (how many errors its own fitted value moves). Of a
        logistic model, leverage, standardized (rstandard, from deviance) and cooks_distance.

    Raises
    ------
    AnalysisError
        It is a mixed model, in which one value can't be left out without its participant's others.
    """
    if fit.family == "mixed":
        raise AnalysisError("influence is of one participant's value on a model of regress; a mixed model has several")
    basis = basis_of(fit)
    X, eids = basis.design.X / np.linalg.norm(basis.design.X, axis=0), fit.residuals.index
    n, k = X.shape
    if fit.family == "binomial":
        fitted, y = fit.fitted.to_numpy(), basis.design.y
        root: Floats = np.sqrt(fitted * (1 - fitted))
        deviance = np.sqrt(-2 * (xlogy(y, fitted) + xlogy(1 - y, 1 - fitted))) * np.sign(y - fitted)
        residual = (y - fitted) / root
    else:
        weights = basis.weight_values
        root = np.ones(n) if weights is None else np.sqrt(weights)
        residual = fit.residuals.to_numpy() * root
    scaled = X * root[:, None]
    hat = leverage(scaled, np.linalg.inv(scaled.T @ scaled))
    rest = 1 - hat
    with np.errstate(divide="ignore", invalid="ignore"):  # who decides a term alone has residual 0 and no error
        if fit.family == "binomial":
            cook = residual**2 * hat / (rest**2 * k)
            return pd.DataFrame(
                {"leverage": hat, "standardized": deviance / np.sqrt(rest), "cooks_distance": cook}, index=eids
            )
        sigma = fit.summary.sigma
        standardized = residual / (sigma * np.sqrt(rest))
        without = np.sqrt((sigma**2 * (n - k) - residual**2 / rest) / (n - k - 1))
        studentized = residual / (without * np.sqrt(rest))
        return pd.DataFrame(
            {
                "leverage": hat,
                "standardized": standardized,
                "studentized": studentized,
                "cooks_distance": standardized**2 * hat / (rest * k),
                "dffits": studentized * np.sqrt(hat / rest),
            },
            index=eids,
        )
