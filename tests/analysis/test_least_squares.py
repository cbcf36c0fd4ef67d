from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.outliers_influence import variance_inflation_factor

from bmx.analysis.least_squares import (
    COVARIANCES,
    Covariance,
    Floats,
    find_dependent,
    fit_least_squares,
    fit_quality,
    inflation,
)


def problem(seed: int, n: int = 60, k: int = 4) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    x = rng.normal(45, 8, (n, 5))
    y = 1.0 - 0.005 * x[:, 0] + rng.normal(0, 0.1, n) * np.abs(x[:, 0]) / 45
    return y, np.column_stack([np.ones(n), x])[:, :k]


@pytest.mark.parametrize("vcov", COVARIANCES)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 6))
@settings(max_examples=15, deadline=None)
def test_fit_least_squares__agrees_with_statsmodels(vcov: Covariance, seed: int, k: int) -> None:
    y, X = problem(seed, k=k)
    fit = fit_least_squares(y, X, vcov=vcov)
    oracle = sm.OLS(y, X).fit(cov_type="nonrobust" if vcov == "classical" else vcov)
    np.testing.assert_allclose(fit.estimate, oracle.params, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), oracle.bse, rtol=1e-8)
    np.testing.assert_allclose(fit.residuals, oracle.resid, atol=1e-12)


def test_fit_least_squares__is_the_closed_form_for_one_predictor() -> None:
    y, X = problem(1, k=2)
    x = X[:, 1]
    slope = np.cov(x, y)[0, 1] / np.var(x, ddof=1)
    fit = fit_least_squares(y, X)
    np.testing.assert_allclose(fit.estimate, [y.mean() - slope * x.mean(), slope])
    variance = fit.rss / (len(y) - 2) / np.sum((x - x.mean()) ** 2)
    np.testing.assert_allclose(fit.covariance[1, 1], variance)


def test_fit_least_squares__survives_columns_of_very_different_size() -> None:
    # Normal equations would square the condition number and lose the small column.
    y, X = problem(2)
    scale = np.array([1, 1e6, 1e-6, 1])
    np.testing.assert_allclose(fit_least_squares(y, X * scale).estimate * scale, fit_least_squares(y, X).estimate)


@pytest.mark.parametrize("intercept", [True, False])
def test_fit_quality__differs_from_statsmodels_only_by_counting_sigma(intercept: bool) -> None:
    y, X = problem(3)
    X = X if intercept else X[:, 1:]
    quality = fit_quality(y, fit_least_squares(y, X), intercept=intercept)
    oracle = sm.OLS(y, X, hasconst=intercept).fit()
    np.testing.assert_allclose(quality.r2, oracle.rsquared)
    np.testing.assert_allclose(quality.adj_r2, oracle.rsquared_adj)
    np.testing.assert_allclose(quality.f, oracle.fvalue)
    np.testing.assert_allclose(quality.loglik, oracle.llf)
    np.testing.assert_allclose(quality.aic, oracle.aic + 2)
    np.testing.assert_allclose(quality.bic, oracle.bic + np.log(len(y)))


def test_fit_quality__aic_is_two_log_likelihood_plus_two_for_each_parameter_and_sigma() -> None:
    y, X = problem(4)
    quality = fit_quality(y, fit_least_squares(y, X), intercept=True)
    assert quality.aic == pytest.approx(-2 * quality.loglik + 2 * (X.shape[1] + 1))
    assert quality.bic == pytest.approx(-2 * quality.loglik + np.log(len(y)) * (X.shape[1] + 1))


def test_fit_quality__intercept_alone_explains_nothing() -> None:
    y, X = problem(5, k=1)
    quality = fit_quality(y, fit_least_squares(y, X), intercept=True)
    assert quality.r2 == pytest.approx(0, abs=1e-12)
    assert np.isnan(quality.f)
    assert quality.sigma == pytest.approx(np.std(y, ddof=1))


def test_inflation__agrees_with_statsmodels() -> None:
    _, X = problem(6)
    X = np.column_stack([X, X[:, 1] + 0.3 * X[:, 2]]) + np.random.default_rng(0).normal(0, 0.5, (60, 5)) * [
        0,
        1,
        1,
        1,
        1,
    ]
    expected = [variance_inflation_factor(X, column) for column in range(1, 5)]
    found = inflation(X)
    assert np.isnan(found[0])
    np.testing.assert_allclose(found[1:], expected)


@given(seed=st.integers(0, 10_000), scale=st.sampled_from([1e-6, 1.0, 1e6]))
@settings(max_examples=25, deadline=None)
def test_find_dependent__names_the_column_and_what_makes_it(seed: int, scale: float) -> None:
    _, X = problem(seed)
    combined = scale * (2 * X[:, 3] - 1.5 * X[:, 1])
    assert find_dependent(np.column_stack([X, combined, X[:, 2] ** 2])) == (4, [1, 3])


def test_find_dependent__accepts_a_square_of_a_narrow_range() -> None:
    # Age of 60 to 69 and its square correlate by 0.9996, but are two columns; R fits them.
    age = np.repeat(np.arange(60.0, 70.0), 5)
    assert find_dependent(np.column_stack([np.ones(50), age, age**2])) is None
