"""The designs of a mass regression: each exposure with the covariates, in all, in strata, and with interaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from bmx.analysis.columns import Columns
from bmx.analysis.formula import Design, build_design, read_formula
from bmx.analysis.least_squares import find_dependent
from bmx.analysis.orthogonal import orthogonalise
from bmx.analysis.sample import choose_rows
from bmx.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ALL = "all"
"""The stratum of everybody."""

_NOTHING = "_outcome"
"""Stands for the outcome while a design is built."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """One design that meets every outcome."""

    exposure: str
    stratum: str
    asks: Literal["estimate", "interaction"]
    """What is reported of it: its own terms, or only whether they are all zero."""
    formula: str
    """Its right side."""
    names: frozenset[str]
    """Columns that it uses; an outcome among them can't be fitted."""
    n_selected: int
    """Participants of its stratum."""
    reason: str = ""
    """Why it can't be fitted to any outcome; then it has no rows and columns."""
    rows: Bools | None = None
    """(n,) Those that have all of its columns."""
    columns: Floats | None = None
    """(n, k) Orthogonal columns, 0 in other rows; its own terms come last."""
    labels: tuple[str, ...] = ()
    """(k,) Terms."""
    triangle: Floats | None = None
    """(t, t) See `orthogonalise`."""

    @property
    def terms(self) -> tuple[str, ...]:
        """Its own terms, those of the exposure."""
        return self.labels[-len(self.triangle) :] if self.triangle is not None else (self.exposure,)


def build_models(
    columns: Columns, exposures: Sequence[str], covariates: Sequence[str], modifier: str | None
) -> list[Model]:
    """Designs of all exposures.

    Parameters
    ----------
    columns : Columns of the selected participants, with every name that is needed
    exposures, covariates : terms of a formula
    modifier : name of a column, optional
        Adds to each exposure a design with interaction and, if it is categorical, one design for each of its levels,
        without the covariates that follow from it.

    Raises
    ------
    AnalysisError
        A covariate is constant or collinear, or no participant has all of them.
    """
    # What is wrong with the covariates alone is wrong with every fit, and said once.
    _build(columns, list(covariates), [], None)
    models = []
    for exposure in exposures:
        models.append(_model(columns, exposure, ALL, "estimate", list(covariates), [exposure], None))
        if modifier is None:
            continue
        values = columns.table[modifier]
        if not pd.api.types.is_numeric_dtype(values):
            inside = [term for term in covariates if modifier not in names_of([term])]
            for level in sorted(values.dropna().unique()):
                stratum = (values == level).to_numpy(bool)
                models.append(_model(columns, exposure, str(level), "estimate", inside, [exposure], stratum))
        before = [*covariates, *([modifier] if modifier not in covariates else []), exposure]
        models.append(_model(columns, exposure, ALL, "interaction", before, [f"{exposure}:{modifier}"], None))
    return models


def _model(
    columns: Columns,
    exposure: str,
    stratum: str,
    asks: Literal["estimate", "interaction"],
    before: list[str],
    own: list[str],
    selected: Bools | None,
) -> Model:
    formula = " + ".join([*before, *own]) or "1"
    names = frozenset(names_of([*before, *own]))
    count = len(columns.table) if selected is None else int(selected.sum())
    try:
        rows, design, first = _build(columns, before, own, selected)
    except AnalysisError as exc:
        return Model(exposure, stratum, asks, formula, names, count, str(exc))
    base, _ = orthogonalise(design.X[:, :first])
    base[:, 0] = 1.0  # exactly, so that it is recognised
    last, triangle = orthogonalise(design.X[:, first:], base)
    full = np.zeros((len(rows), len(design.terms)))
    full[rows] = np.column_stack([base, last])
    return Model(exposure, stratum, asks, formula, names, count, "", rows, full, design.terms, triangle)


def _build(columns: Columns, before: list[str], own: list[str], selected: Bools | None) -> tuple[Bools, Design, int]:
    """Rows used, the design on them with the own terms last, and where those begin."""
    names = names_of([*before, *own])
    table = columns.table[names]
    there = np.ones(len(table), bool) if selected is None else selected
    some = Columns(
        table[there],
        {name: columns.flat[name] for name in names},
        {name: columns.failed[name][there] for name in names if name in columns.failed},
    )
    complete = choose_rows(some).table if names else table[there]
    rows = there & table.notna().all(axis=1).to_numpy()
    design = _design(complete, [*before, *own])
    labels = set(_design(complete, before).terms) if own else set(design.terms)
    order = [i for i, label in enumerate(design.terms) if label in labels]
    first = len(order)
    order += [i for i, label in enumerate(design.terms) if label not in labels]
    terms = tuple(design.terms[i] for i in order)
    design = Design(design.outcome, design.y, design.X[:, order], terms)
    _check(design)
    return rows, design, first


def _design(table: pd.DataFrame, terms: list[str]) -> Design:
    model = read_formula(f"{_NOTHING} ~ {' + '.join(terms) or '1'}")
    return build_design(model, table.assign(**{_NOTHING: 0.0}))


def names_of(terms: Sequence[str]) -> list[str]:
    """Columns that terms of a formula need."""
    return list(read_formula(f"{_NOTHING} ~ {' + '.join(terms) or '1'}").names[1:])


def _check(design: Design) -> None:
    n, k = design.X.shape
    if n <= k:
        raise AnalysisError(f"{n} rows for {k} terms ({', '.join(design.terms)}), expected more rows than terms")
    for label, values in zip(design.terms[1:], design.X.T[1:], strict=True):
        if np.ptp(values) == 0:
            raise AnalysisError(f"{label} is constant: {values[0]:g} in all {n} rows")
    dependent = find_dependent(design.X)
    if dependent is not None:
        column, others = dependent
        named = [design.terms[other] for other in others if other] or ["the intercept"]
        raise AnalysisError(
            f"{design.terms[column]} is collinear with {', '.join(named)}: it follows from them exactly"
        )
