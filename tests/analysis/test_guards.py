from __future__ import annotations

import numpy as np
import pytest

from bmx.analysis.associations import associate
from bmx.analysis.formula import Design
from bmx.analysis.guards import duplicate_of_outcome
from bmx.analysis.regression import regress
from bmx.errors import AnalysisError
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


@pytest.mark.parametrize("formula", ["bmd_spine ~ tscore_spine", "bmd_spine ~ tscore_spine + sex"])
def test_regress__a_t_score_by_sex_is_warned_of_by_its_name(formula: str) -> None:
    """Women and men have references of their own: together the correlation is lower than a duplicate's."""
    middle = people()["sex"].map({"Female": 1.0, "Male": 1.3})
    cohort = people().assign(tscore_spine=lambda table: ((table["bmd_spine"] - middle) / 0.12).round(1))
    assert np.corrcoef(cohort.dropna()["tscore_spine"], cohort.dropna()["bmd_spine"])[0, 1] < 0.9
    with pytest.warns(UserWarning, match="bmd_spine and tscore_spine are one measurement"):
        assert regress(cohort, formula).notes == ("bmd_spine and tscore_spine are one measurement",)
    found = associate(cohort, "bmd_spine", ["tscore_spine", "bmi"])
    assert any("one measurement in two forms" in note and "tscore_spine" in note for note in found.footnotes())
    assert not any("bmi" in note for note in found.notes)


def test_regress__the_same_numbers_in_another_unit_are_refused() -> None:
    """Rounding leaves residuals of 1e-8, and t values of a hundred million."""
    cohort = people().assign(grams=lambda table: np.float32(1000 * table["bmff_spine"]))
    with pytest.raises(AnalysisError, match="the terms give bmff_spine exactly: grams holds the same numbers"):
        regress(cohort, "bmff_spine ~ grams")


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
