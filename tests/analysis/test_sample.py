from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bmx.analysis.columns import Columns
from bmx.analysis.regression import regress
from bmx.analysis.sample import choose_rows
from bmx.errors import AnalysisError


def columns_of(**values: list[object]) -> Columns:
    index = pd.Index(range(1, 1 + len(next(iter(values.values())))), name="participant")
    return Columns(pd.DataFrame(values, index=index), {name: name for name in values}, {})


def test_choose_rows__the_first_name_of_the_formula_is_the_reason() -> None:
    sample = choose_rows(columns_of(y=[1.0, np.nan, np.nan, 4.0], x=[1.0, np.nan, 2.0, np.nan]))
    assert sample.dropped.to_dict() == {2: "y", 3: "y", 4: "x"}
    assert sample.table.index.tolist() == [1]


def test_choose_rows__categories_are_those_present() -> None:
    # An unused level would be a column of zeros.
    sample = choose_rows(columns_of(y=[1.0, 2.0, np.nan], sex=["Male", "Female", "Unknown"]))
    assert sample.table["sex"].cat.categories.tolist() == ["Female", "Male"]


def test_choose_rows__nobody_is_complete() -> None:
    with pytest.raises(AnalysisError, match=r"none of 3 participants has every variable .* \(2 x, 1 y\)"):
        choose_rows(columns_of(y=[1.0, np.nan, 2.0], x=[np.nan, 1.0, np.nan]))


def test_choose_rows__a_categorical_keeps_its_order() -> None:
    """As R's factor: its first level is the reference, not that of the alphabet."""
    groups = pd.Categorical(["low", "high", "mid", "low", "mid", "high"], categories=["low", "mid", "high", "other"])
    table = pd.DataFrame({"y": [1.0, 3, 2, 1.5, 2.5, 2.8], "g": groups})
    assert regress(table, "y ~ g").terms["term"].tolist() == ["Intercept", "g[mid]", "g[high]"]
