from __future__ import annotations

import numpy as np
import pytest

from bmx.analysis.formula import Design
from bmx.analysis.guards import duplicate_of_outcome
from bmx.analysis.regression import regress
from tests.analysis.r_models import people


def test_regress__a_derived_duplicate_of_the_outcome_is_warned_of() -> None:
    # A T-score is its density less a mean over an SD, rounded to tenths.
    cohort = people().assign(t_score_spine=lambda table: ((table["bmd_spine"] - 1.18) / 0.12).round(1))
    with pytest.warns(
        UserWarning, match=r"bmd_spine and t_score_spine are nearly the same numbers \(r = 0.999"
    ) as seen:
        fit = regress(cohort, "bmd_spine ~ t_score_spine + sex")
    assert len(seen) == 1
    assert "note: bmd_spine and t_score_spine are nearly the same numbers" in str(fit)
    assert any("nearly the same numbers" in note for note in fit.footnotes)
    assert fit.with_vcov("HC3").notes == fit.notes  # and does not warn again


def test_regress__two_measurements_of_one_thing_are_not_duplicates() -> None:
    rng = np.random.default_rng(0)
    cohort = people().assign(again=lambda table: table["bmff_spine"] + rng.normal(0, 1, len(table)))
    assert np.corrcoef(cohort.dropna()["again"], cohort.dropna()["bmff_spine"])[0, 1] > 0.98
    assert regress(cohort, "again ~ bmff_spine").notes == ()  # and no warning, which would be an error here


def test_duplicate_of_outcome__whatever_the_sign_and_the_scale() -> None:
    y = np.random.default_rng(0).normal(size=50)
    X = np.column_stack([np.ones(50), y[::-1], 7 - 1e6 * y])
    assert duplicate_of_outcome(Design("y", y, X, ("Intercept", "x", "z"))) == ("z", 1.0)
    assert duplicate_of_outcome(Design("y", y, X[:, :2], ("Intercept", "x"))) is None


def test_duplicate_of_outcome__groups_are_none() -> None:
    y = np.r_[np.zeros(20), np.ones(20)]
    assert duplicate_of_outcome(Design("y", y, np.column_stack([np.ones(40), y]), ("Intercept", "sex[Male]"))) is None
