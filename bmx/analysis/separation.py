"""Whether terms separate an outcome of 0 and 1, so that the likelihood has no greatest value."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

from bmx.analysis.formula import Design
from bmx.analysis.likelihood import Maximum
from bmx.errors import AnalysisError

_CERTAIN = 1e-6
"""A probability this near to 0 or 1 calls for a closer look: where an outcome is separated, some end there."""


def refuse_separation(design: Design, best: Maximum) -> None:
    """Refuse a fit whose odds ratios would be infinite, and say which terms do it.

    Raises
    ------
    AnalysisError
        A combination of terms parts the rows with outcome 0 from those with 1 (Albert and Anderson 1984).
    """
    certain = np.minimum(best.fitted, 1 - best.fitted).min() < _CERTAIN
    if best.converged and not certain:
        return
    if separating(design.X, design.y) is None:
        return
    terms = list(range(len(design.terms)))
    for column in reversed(terms[design.intercept :]):
        fewer = [other for other in terms if other != column]
        if fewer and separating(design.X[:, fewer], design.y) is not None:
            terms = fewer  # those that are left do it alone
    terms = [column for column in terms if design.terms[column] != "Intercept"]
    raise AnalysisError(
        f"{' and '.join(_say(design, column) for column in terms) or 'the intercept'}: separates the outcome "
        f"{design.outcome}, its odds ratio is infinite; report counts (Fisher's exact test), join groups, or leave it "
        "out"
    )


def separating(X: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """A direction in which no row's likelihood falls and some row's rises for ever; None if there is none.

    Konis (2007): a linear programme that has a solution other than 0.

    Parameters
    ----------
    X : (n, k) float64
    y : (n,) 0 or 1

    Examples
    --------
    >>> X = np.column_stack([np.ones(4), [1.0, 2.0, 3.0, 4.0]])
    >>> separating(X, np.array([0.0, 0.0, 1.0, 1.0])) is None, separating(X, np.array([0.0, 1.0, 0.0, 1.0])) is None
    (False, True)
    """
    # Columns of one length, so that one tolerance suits all units.
    length = np.linalg.norm(X, axis=0) / np.sqrt(len(X))
    towards = X / length * (2 * y - 1)[:, None]
    found = linprog(-towards.sum(axis=0), A_ub=-towards, b_ub=np.zeros(len(X)), bounds=(-1, 1), method="highs")
    if not found.success or -found.fun < 1e-6:
        return None
    return np.asarray(found.x / length)


def _say(design: Design, column: int) -> str:
    """A term, and for a group the counts that make it plain."""
    values, name = design.X[:, column], design.terms[column]
    if np.isin(values, (0, 1)).all():
        inside = design.y[values == 1]
        if np.ptp(inside) == 0:
            return f"{name} ({design.outcome} is {inside[0]:g} in all {len(inside)} of it)"
    return name
