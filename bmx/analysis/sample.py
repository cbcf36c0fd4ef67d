"""Choose the rows of a model: complete ones, with a reason for every other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bmx.analysis.columns import Columns
from bmx.errors import AnalysisError


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The rows that a model uses, and those that it cannot."""

    table: pd.DataFrame
    """Complete rows; text as categories, of which only those present."""
    dropped: pd.Series[str]
    """EID to the first variable missing there, in the order of the formula, or `bmff_spine failed QC`."""


def choose_rows(columns: Columns) -> Sample:
    """Drop each row that lacks a value (listwise within this model, as R).

    Raises
    ------
    AnalysisError
        There is no row, or none is complete.
    """
    table = columns.table
    if table.empty:
        raise AnalysisError("there is no participant to fit: the data have no rows, or where= selects none")
    reasons = np.full(len(table), "", dtype=object)
    for name in reversed(columns.flat):  # the first name is written last, over the others
        missing = table[name].isna().to_numpy()
        reasons[missing] = columns.flat[name]
        if name in columns.failed:
            reasons[missing & columns.failed[name]] = f"{columns.flat[name]} failed QC"
    complete = reasons == ""
    dropped = pd.Series(reasons[~complete], index=table.index[~complete], name="reason", dtype=object)
    if not complete.any():
        raise AnalysisError(
            f"none of {len(table)} participants has every variable of the formula "
            f"({count_reasons(dropped)}); look at the one that is missing most, or at where="
        )
    kept = {name: _categories(table[name][complete], columns.levels.get(name)) for name in columns.flat}
    return Sample(pd.DataFrame(kept, index=table.index[complete]), dropped)


def count_reasons(dropped: pd.Series[str]) -> str:
    """Write how many rows each reason cost, the most costly first.

    Examples
    --------
    >>> count_reasons(pd.Series(["bmi", "bmff_spine failed QC", "bmi"]))
    '2 bmi, 1 bmff_spine failed QC'
    """
    return ", ".join(f"{count} {reason}" for reason, count in dropped.value_counts().items())


def _categories(column: pd.Series, levels: list[str] | None) -> pd.Series:
    """Text as categories, in their own order or the alphabet's: the reference of sex is Female; numbers as they are."""
    if levels is None and pd.api.types.is_numeric_dtype(column):
        return column
    text = column.astype(str)
    there = sorted(text.unique()) if levels is None else [level for level in levels if (text == level).any()]
    return pd.Series(pd.Categorical(text, categories=there), index=column.index)
