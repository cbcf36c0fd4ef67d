from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.analysis.regression import regress
from bmx.analysis.separation import separating
from bmx.errors import AnalysisError
from tests.analysis.r_models import people


def test_regress__a_group_without_the_outcome_is_named_with_its_count() -> None:
    # R prints an odds ratio of some 1e8 with a p value of 0.99, and a warning.
    cohort = people()
    cohort.loc[cohort["status"] == "osteoporotic", "empty"] = 0
    count = (cohort["status"] == "osteoporotic").sum()
    message = (
        rf"status\[osteoporotic\] \(empty is 0 in all {count} of it\): separates the outcome empty, its odds ratio"
    )
    with pytest.raises(AnalysisError, match=message):
        regress(cohort, "empty ~ age + status", family="binomial")


@pytest.mark.parametrize("unit", [1, 1e6, 1e-6])
def test_regress__a_quantity_that_tells_all_is_named(unit: float) -> None:
    cohort = people().assign(tall=lambda table: (table["height"] > 170).astype(int))
    cohort["height"] *= unit
    with pytest.raises(AnalysisError, match=r"^height: separates the outcome tall, .* report counts \(Fisher"):
        regress(cohort, "tall ~ height + lesions", family="binomial")


def test_regress__probabilities_near_0_are_no_separation() -> None:
    # One participant far away has a probability of 1e-9, and the estimates are finite all the same.
    cohort = people()
    cohort.loc[0, ["height", "empty"]] = [-400.0, 0]
    cohort.loc[cohort["height"] > 175, "empty"] = 1
    cohort.loc[cohort["height"].between(100, 160), "empty"] = 0
    fit = regress(cohort, "empty ~ height", family="binomial")
    assert fit.fitted.min() < 1e-7
    assert np.isfinite(fit.terms["odds_ratio_high"]).all()


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_separating__finds_a_direction_that_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(25), rng.normal(50, 5, 25), rng.integers(0, 2, 25)])
    y = (rng.normal(0, rng.choice([0.001, 8.0]), 25) < X @ [-50.0, 1.0, 3.0]).astype(float)
    direction = separating(X, y)
    sides = X @ direction * (2 * y - 1) if direction is not None else np.zeros(25)
    if direction is not None:
        assert sides.min() > -1e-5 * np.abs(sides).max()
        assert sides.max() > 0
    elif np.ptp(y):
        # Nothing separates: a logistic fit has an end.
        cohort = people()[:25].assign(y=y, x=X[:, 1], g=X[:, 2])
        if np.ptp(X[:, 2]):
            fit = regress(cohort, "y ~ x + g", family="binomial", interval="wald")
            assert fit.terms["std_error"].max() < 1e4
