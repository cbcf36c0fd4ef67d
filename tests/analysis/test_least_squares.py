from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bmx.analysis.formula import Design
from bmx.analysis.least_squares import COVARIANCES, Covariance, Floats, find_dependent, fit_least_squares
from bmx.errors import AnalysisError


def design_of(y: Floats, X: Floats, *, intercept: bool = True) -> Design:
    names = [f"x{column}" for column in range(X.shape[1])]
    return Design("y", y, X, ("Intercept", *names[1:]) if intercept else tuple(names))


def problem(seed: int, n: int = 60, k: int = 4) -> Design:
    """Terms about 45 +- 8, of which the first matters; errors grow with it, so that robust and classical differ."""
    rng = np.random.default_rng(seed)
    x = rng.normal(45, 8, (n, 5))
    y = 1.0 - 0.005 * x[:, 0] + rng.normal(0, 0.1, n) * np.abs(x[:, 0]) / 45
    return design_of(y, np.column_stack([np.ones(n), x])[:, :k])


def covariance_by_normal_equations(X: Floats, residuals: Floats, vcov: Covariance) -> Floats:
    """(X'X)^-1 X' diag(w) X (X'X)^-1 row by row, as MacKinnon and White (1985) write it."""
    n, k = X.shape
    inverse = np.linalg.inv(X.T @ X)
    if vcov == "classical":
        return residuals @ residuals / (n - k) * inverse
    meat = np.zeros((k, k))
    for x, residual in zip(X, residuals, strict=True):
        leverage = x @ inverse @ x
        weight = {"HC0": 1, "HC1": n / (n - k), "HC2": 1 / (1 - leverage), "HC3": 1 / (1 - leverage) ** 2}[vcov]
        meat += weight * residual**2 * np.outer(x, x)
    return inverse @ meat @ inverse


@pytest.mark.parametrize("vcov", COVARIANCES[:-1])
@given(seed=st.integers(0, 10_000), k=st.integers(1, 6), confidence=st.sampled_from([0.9, 0.95]))
@settings(max_examples=15, deadline=None)
def test_fit_least_squares__agrees_with_normal_equations(
    vcov: Covariance, seed: int, k: int, confidence: float
) -> None:
    design = problem(seed, k=k)
    fit = fit_least_squares(design, vcov=vcov, confidence=confidence)
    estimate = np.linalg.solve(design.X.T @ design.X, design.X.T @ design.y)
    residuals = design.y - design.X @ estimate
    error = np.sqrt(np.diag(covariance_by_normal_equations(design.X, residuals, vcov)))
    # Student's t with residual degrees of freedom, also for robust errors: statsmodels alone would take the normal.
    t = stats.t(60 - k)
    for found, expected in (
        (fit.estimate, estimate),
        (fit.std_error, error),
        (fit.statistic, estimate / error),
        (fit.p_value, 2 * t.sf(np.abs(estimate / error))),
        (fit.conf_low, estimate - t.ppf((1 + confidence) / 2) * error),
        (fit.conf_high, estimate + t.ppf((1 + confidence) / 2) * error),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(fit.residuals, residuals, atol=1e-12)
    np.testing.assert_allclose(fit.fitted, design.y - residuals, atol=1e-12)
    assert fit.df_residual == 60 - k


@pytest.mark.parametrize("vcov", COVARIANCES[:-1])
@pytest.mark.parametrize("scale", [[1, 1e6, 1e-6, 1], [1, 1e9, 1e-9, 1]])
def test_fit_least_squares__does_not_depend_on_the_unit_of_a_term(vcov: Covariance, scale: list[float]) -> None:
    # With columns as they come, statsmodels' pseudo-inverse drops the smaller one, and says one df more.
    design, factor = problem(2), np.array(scale)
    fit = fit_least_squares(design, vcov=vcov)
    scaled = fit_least_squares(design_of(design.y, design.X * factor), vcov=vcov)
    assert scaled.df_residual == fit.df_residual
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(getattr(scaled, name) * factor, getattr(fit, name))
    for name in ("statistic", "p_value", "vif", "residuals", "f", "aic"):
        np.testing.assert_allclose(getattr(scaled, name), getattr(fit, name))


@pytest.mark.parametrize("intercept", [True, False])
def test_fit_least_squares__describes_the_fit_by_the_textbook(intercept: bool) -> None:
    design = problem(3)
    design = design if intercept else design_of(design.y, design.X[:, 1:], intercept=False)
    fit = fit_least_squares(design)
    (n, k), rss = design.X.shape, np.sum(fit.residuals**2)
    around = design.y - design.y.mean() if intercept else design.y
    np.testing.assert_allclose(fit.sigma, np.sqrt(rss / (n - k)))
    np.testing.assert_allclose(fit.r2, 1 - rss / np.sum(around**2))
    np.testing.assert_allclose(fit.adj_r2, 1 - rss / (n - k) / (np.sum(around**2) / (n - intercept)))
    np.testing.assert_allclose(fit.f, (np.sum(around**2) - rss) / (k - intercept) / fit.sigma**2)
    np.testing.assert_allclose(fit.loglik, stats.norm(scale=np.sqrt(rss / n)).logpdf(fit.residuals).sum())
    # k terms and sigma, as R counts them; statsmodels leaves sigma out.
    np.testing.assert_allclose(fit.aic, -2 * fit.loglik + 2 * (k + 1))
    np.testing.assert_allclose(fit.bic, -2 * fit.loglik + np.log(n) * (k + 1))


def test_fit_least_squares__levels_of_a_factor_are_no_intercept() -> None:
    # statsmodels sees that they add up to one, and would give R2 about the mean where R gives it about zero.
    design, group = problem(3), np.arange(60) % 2
    fit = fit_least_squares(design_of(design.y, np.column_stack([group, 1 - group]).astype(float), intercept=False))
    np.testing.assert_allclose(fit.r2, 1 - np.sum(fit.residuals**2) / np.sum(design.y**2))
    assert np.isnan(fit.vif).all()


@pytest.mark.parametrize("vcov", COVARIANCES[:-1])
def test_fit_least_squares__quality_is_that_of_the_classical_fit(vcov: Covariance) -> None:
    classical, fit = fit_least_squares(problem(4)), fit_least_squares(problem(4), vcov=vcov)
    for field in fields(fit)[8:]:  # all but what is said of each term
        np.testing.assert_array_equal(getattr(fit, field.name), getattr(classical, field.name))


@pytest.mark.parametrize("vcov", COVARIANCES[:-1])
def test_fit_least_squares__intercept_alone_explains_nothing(vcov: Covariance) -> None:
    design = problem(5, k=1)
    fit = fit_least_squares(design, vcov=vcov)
    assert fit.r2 == pytest.approx(0, abs=1e-12)
    assert np.isnan(fit.f)
    assert np.isnan(fit.vif).all()
    assert fit.sigma == pytest.approx(np.std(design.y, ddof=1))


def test_fit_least_squares__vif_is_of_each_term_on_the_others_and_the_intercept() -> None:
    # Without the intercept in it, every term with a mean far from zero would look inflated.
    rng, X = np.random.default_rng(0), problem(6).X
    X = np.column_stack([X, X[:, 1] + 0.3 * X[:, 2] + rng.normal(0, 0.5, 60)])
    found = fit_least_squares(design_of(problem(6).y, X)).vif
    assert np.isnan(found[0])
    for column in range(1, 5):
        on_others = fit_least_squares(design_of(X[:, column], np.delete(X, column, axis=1)))
        np.testing.assert_allclose(found[column], 1 / (1 - on_others.r2))
    assert found[1] > 50 > 2 > found[3]


@pytest.mark.parametrize("vcov", ["HC2", "HC3"])
def test_fit_least_squares__a_row_that_decides_alone_has_no_hc2_and_hc3(vcov: Covariance) -> None:
    design = problem(7)
    alone = design_of(design.y, np.column_stack([design.X, np.arange(60) == 5]))
    with pytest.raises(AnalysisError, match=f"{vcov} does not exist here: .*; use HC1, or classical"):
        fit_least_squares(alone, vcov=vcov)
    assert np.isfinite(fit_least_squares(alone, vcov="HC1").std_error).all()


@given(seed=st.integers(0, 10_000), scale=st.sampled_from([1e-6, 1.0, 1e6]))
@settings(max_examples=25, deadline=None)
def test_find_dependent__names_the_column_and_what_makes_it(seed: int, scale: float) -> None:
    X = problem(seed).X
    combined = scale * (2 * X[:, 3] - 1.5 * X[:, 1])
    assert find_dependent(np.column_stack([X, combined, X[:, 2] ** 2])) == (4, [1, 3])


def test_find_dependent__accepts_a_square_of_a_narrow_range() -> None:
    # Age of 60 to 69 and its square correlate by 0.9996, but are two columns; R fits them.
    age = np.repeat(np.arange(60.0, 70.0), 5)
    assert find_dependent(np.column_stack([np.ones(50), age, age**2])) is None
