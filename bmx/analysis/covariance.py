"""The covariance of estimates: classical, robust to unequal variance, or to participants who belong together."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from bmx.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Covariance = Literal["classical", "HC0", "HC1", "HC2", "HC3", "cluster"]
COVARIANCES: tuple[str, ...] = get_args(Covariance)

_ALONE = 1e-7
"""A row whose leverage lies so near to 1 decides a term alone."""


def sandwich(
    X: Floats,
    inverse: Floats,
    residuals: Floats,
    vcov: Covariance,
    *,
    clusters: pd.Series | None = None,
    small_sample: bool = True,
) -> Floats:
    """Covariance of estimates that does not believe in equal variance: (X'X)^-1 (sum of scores' products) (X'X)^-1.

    HC0 to HC3 as MacKinnon and White (1985) and R's sandwich::vcovHC; "cluster" adds the scores within a cluster first,
    as sandwich::vcovCL, with G / (G - 1) and, in a linear model, (n - 1) / (n - k).

    Parameters
    ----------
    X : (n, k) rows in units of their standard deviation (times the root of a weight)
    inverse : (k, k) of X'X
    residuals : (n,) in the same units, so that X * residuals are the scores
    vcov : "HC0" to "HC3", or "cluster"
    clusters : Series of n labels, for "cluster"
    small_sample : bool
        The factor (n - 1) / (n - k) of "cluster"; R has it in lm and not in glm.

    Raises
    ------
    AnalysisError
        HC2 or HC3 does not exist, because one row decides a term alone; or there is a single cluster.

    Examples
    --------
    >>> X = np.array([[1.0], [1.0], [1.0], [1.0]])
    >>> sandwich(X, np.array([[0.25]]), np.array([-1.0, 1.0, -2.0, 2.0]), "HC0")
    array([[0.625]])
    """
    n, k = X.shape
    scores = X * residuals[:, None]
    factor = 1.0
    if vcov == "HC1":
        factor = n / (n - k)
    elif vcov in ("HC2", "HC3"):
        rest = 1 - leverage(X, inverse)
        if rest.min() < _ALONE:  # residual 0, and both would divide 0 by 0
            raise AnalysisError(
                f"{vcov} does not exist here: one participant alone decides a term; use HC1, or classical"
            )
        scores /= (np.sqrt(rest) if vcov == "HC2" else rest)[:, None]
    elif vcov == "cluster":
        assert clusters is not None  # regress asks for them
        codes, labels = pd.factorize(clusters)
        if len(labels) < 2:
            raise AnalysisError(f"all {n} participants are in one cluster, expected at least 2; leave cluster= out")
        scores = np.column_stack([np.bincount(codes, column, len(labels)) for column in scores.T])
        factor = len(labels) / (len(labels) - 1) * ((n - 1) / (n - k) if small_sample else 1)
    half = scores @ inverse
    return np.asarray(factor * (half.T @ half))


def leverage(X: Floats, inverse: Floats) -> Floats:
    """How much each row decides its own fitted value, 0 to 1 (the hat matrix's diagonal).

    Examples
    --------
    >>> leverage(np.ones((4, 1)), np.array([[0.25]]))
    array([0.25, 0.25, 0.25, 0.25])
    """
    return np.asarray(np.sum((X @ inverse) * X, axis=1))
