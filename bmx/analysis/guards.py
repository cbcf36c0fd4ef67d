"""What a single model must not be asked, and what its reader must be told."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd

from bmx.analysis.basis import Basis
from bmx.analysis.formula import Design
from bmx.analysis.least_squares import find_dependent
from bmx.analysis.sample import Sample, count_reasons
from bmx.errors import AnalysisError

_SAME = 0.999
"""Two columns with this correlation are one measurement: a T-score, rounded to tenths, has 0.9996 with its BMD."""

_ONE_MEASUREMENT = ({"bmd", "tscore"}, {"volume", "voxels"})
"""First words of variables that follow from each other at one site."""

_FEW_CLUSTERS = 30
"""Below this, errors by cluster are known to be too small (Cameron, Gelbach and Miller 2008)."""


def check_design(design: Design, sample: Sample) -> None:
    """Refuse what cannot be estimated, by the name of the term.

    Raises
    ------
    AnalysisError
        Rows are fewer than terms; the outcome or a term is constant; a term follows from others.
    """
    n, k = design.X.shape
    if n <= k:
        reasons = (
            f"; {len(sample.dropped)} were dropped: {count_reasons(sample.dropped)}" if len(sample.dropped) else ""
        )
        raise AnalysisError(
            f"{n} rows for {k} terms ({', '.join(design.terms)}), expected more rows than terms{reasons}; "
            "use fewer terms or more participants"
        )
    if np.ptp(design.y) == 0:
        raise AnalysisError(f"the outcome {design.outcome} is {design.y[0]:g} in all {n} rows; nothing can explain it")
    for column, term in enumerate(design.terms):
        values = design.X[:, column]
        if np.ptp(values) == 0 and ((design.intercept and column > 0) or values[0] == 0):
            raise AnalysisError(f"{term} is constant: {values[0]:g} in all {n} rows; leave it out")
    dependent = find_dependent(design.X)
    if dependent is not None:
        column, others = dependent
        named = [design.terms[other] for other in others if design.terms[other] != "Intercept"]
        raise AnalysisError(
            f"{design.terms[column]} is collinear with {', '.join(named) or 'the intercept'}: it follows from them "
            "exactly; leave one out"
        )


def check_outcome(design: Design) -> None:
    """Refuse a logistic model of anything but 0 and 1."""
    found = np.unique(design.y)
    if not np.isin(found, (0, 1)).all():
        values = ", ".join(f"{value:g}" for value in found[:4]) + (", ..." if len(found) > 4 else "")
        raise AnalysisError(
            f"the outcome {design.outcome} has values {values}, expected 0 and 1 for family='binomial'; "
            f"make it so: data['{design.outcome}'] > limit"
        )


def check_weights(basis: Basis) -> None:
    """Refuse weights that are not positive numbers."""
    if basis.weights is None:
        return
    if basis.family != "gaussian":
        raise AnalysisError(f"weights={basis.weights!r} is for family='gaussian', found {basis.family!r}")
    values = basis.sample.table[basis.weights]
    if not pd.api.types.is_numeric_dtype(values):
        raise AnalysisError(f"the weights {basis.weights} are text, as {values.iloc[0]!r}; expected positive numbers")
    bad = ~(np.isfinite(values) & (values > 0))
    if bad.any():
        raise AnalysisError(
            f"{bad.sum()} of {len(values)} weights {basis.weights} are not positive, as {values[bad].iloc[0]:g}; "
            "leave those participants out with where="
        )


def notes_on(basis: Basis, vcov: str) -> tuple[str, ...]:
    """What the table must say beside the numbers."""
    notes = list(basis.notes)
    if basis.weights is not None:
        notes.append(f"weighted by {basis.weights}")
    if vcov == "cluster" and basis.cluster is not None:
        count = basis.sample.table[basis.cluster].nunique()
        few = "; few clusters: errors tend to be too small" if count < _FEW_CLUSTERS else ""
        notes.append(f"{count} clusters of {basis.cluster}{few}")
    return tuple(notes)


def warn_of_duplicate(design: Design, columns: Mapping[str, str], outcome: str) -> tuple[str, ...]:
    """Warn of a term that holds the outcome in another form: its model explains everything and says nothing.

    Parameters
    ----------
    columns : names on the right side, as written, to full names
    outcome : full name of the outcome's column

    Raises
    ------
    AnalysisError
        The two are the same up to unit and sign, even where rounding would let them be fitted.
    """
    same = duplicate_of_outcome(design)
    if same is not None and same[1] == 1:
        raise AnalysisError(
            f"the terms give {design.outcome} exactly: {same[0]} holds the same numbers; leave one of them out"
        )
    if same is not None:
        note = f"{design.outcome} and {same[0]} are nearly the same numbers (r = {same[1]:.5f})"
    else:
        # Of both sexes together a T-score is not that near to its density: each sex has its own reference.
        derived = next((name for name in columns if is_derived(columns[name], outcome)), None)
        if derived is None:
            return ()
        note = f"{design.outcome} and {derived} are one measurement"
    warnings.warn(
        f"{note}: is one derived from the other, as a T-score from its density? Then the model says nothing",
        UserWarning,
        stacklevel=4,
    )
    return (note,)


def is_derived(one: str, other: str) -> bool:
    """Whether two columns hold one measurement in two forms, by their full names.

    Examples
    --------
    >>> is_derived("tscore_spine", "bmd_spine"), is_derived("tscore_spine", "bmd_total_hip")
    (True, False)
    """
    kinds = {name: name.partition("_") for name in (one, other)}
    return {kinds[one][0], kinds[other][0]} in _ONE_MEASUREMENT and kinds[one][2] == kinds[other][2]


def duplicate_of_outcome(design: Design) -> tuple[str, float] | None:
    """The term that holds the outcome's numbers in another form, and its correlation; None if there is none.

    Examples
    --------
    >>> y = np.array([1.0, 2.0, 3.0, 5.0])
    >>> duplicate_of_outcome(Design("bmd", y, np.column_stack([np.ones(4), (y - 2) / 3]), ("Intercept", "t_score")))
    ('t_score', 1.0)
    """
    y = design.y - design.y.mean()
    X = design.X - design.X.mean(axis=0)
    length = np.linalg.norm(X, axis=0) * np.linalg.norm(y)
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.abs(np.where(length > 0, X.T @ y / length, 0))
    # A group of two participants is not the outcome: only quantities can be derived from it.
    correlation[[len(np.unique(column)) < 4 for column in design.X.T]] = 0
    column = int(correlation.argmax())
    if correlation[column] < _SAME:
        return None
    return design.terms[column], min(1.0, float(round(correlation[column], 12)))
