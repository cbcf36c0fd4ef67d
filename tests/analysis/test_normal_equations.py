from __future__ import annotations

import numpy as np
import pytest
from statsmodels.api import OLS

from bmx.analysis.normal_equations import MANY, choose_shift, solve, stack_designs, sum_outcomes
from bmx.analysis.orthogonal import orthogonalise


def designs(n: int, *, seed: int = 0) -> list[np.ndarray]:
    """Two exposures with the same covariates, the second one for some rows only."""
    rng = np.random.default_rng(seed)
    base, _ = orthogonalise(np.column_stack([np.ones(n), rng.normal(size=(n, 2))]))
    base[:, 0] = 1.0
    rows = rng.random(n) < 0.7
    first, second = (orthogonalise(rng.normal(size=(n, 1)) + base[:, 1:2], base)[0] for _ in range(2))
    return [np.column_stack([base, first]), np.column_stack([base, second]) * rows[:, None]]


@pytest.mark.parametrize(("n", "single", "least"), [(400, False, 1e-8), (MANY, True, 2e-6)])
@pytest.mark.parametrize("missing", [0.0, 0.05, 0.95])
def test_solve__is_exact_for_every_share_of_missing_values(n: int, single: bool, least: float, missing: float) -> None:
    """Near what benchmarks/associate.py promises, with room for other BLAS; in double precision far better."""
    rng = np.random.default_rng(1)
    both = designs(n)
    y = rng.normal(size=(n, 4)) * [1, 1e-6, 1e6, 1] + [0, 0, 0, 5000] + both[0][:, 3:]
    y[rng.random((n, 4)) < missing] = np.nan
    stack = stack_designs(both)
    sums = sum_outcomes(stack.columns, stack.pairs, y, choose_shift(y), single=single)
    for at, X in enumerate(both):
        solved = solve(stack, sums, at)
        for j in np.flatnonzero(~solved.lost):
            rows = ~np.isnan(y[:, j]) & (X[:, 0] == 1)
            fit = OLS(y[rows, j], X[rows]).fit()
            assert solved.n[j] == rows.sum()
            error = np.sqrt(solved.residual[j] / (rows.sum() - 4) * np.diag(solved.inverse[j]))
            # The intercept is that of the outcome less its shift.
            assert (np.abs(solved.estimate[j] - fit.params)[1:] <= least * fit.bse[1:]).all()
            np.testing.assert_allclose(error, fit.bse, rtol=max(least / 10, 1e-8))
            np.testing.assert_allclose(1 - solved.residual[j] / solved.total[j], fit.rsquared, atol=1e-7)
        assert solved.lost.sum() <= 1  # 1e6 * noise has nothing lost; 1e-6 * noise is all of it explained


def test_stack_designs__keeps_each_column_and_product_once() -> None:
    same = designs(50)[0]
    stack = stack_designs([same, same])
    assert stack.columns.shape == (50, 4)
    assert len(stack.pairs.left) == 10
    np.testing.assert_allclose(stack.totals[stack.products[1]], same.T @ same)


def test_sum_outcomes__of_parts_add_up() -> None:
    rng = np.random.default_rng(3)
    stack = stack_designs(designs(700))
    y = rng.normal(size=(700, 3))
    y[rng.random((700, 3)) < 0.2] = np.nan
    whole = sum_outcomes(stack.columns, stack.pairs, y, np.zeros(3), single=False)
    parts = [
        sum_outcomes(stack.columns[rows], stack.pairs, y[rows], np.zeros(3), single=False)
        for rows in (slice(0, 300), slice(300, 700))
    ]
    for name in ("lacking", "moments", "squares"):
        np.testing.assert_allclose(getattr(parts[0] + parts[1], name), getattr(whole, name), atol=1e-10)


def test_choose_shift__only_where_squares_about_zero_would_lose_digits() -> None:
    y = np.array([[1.0, 1e6, np.nan, np.inf], [2.0, 1e6 + 1, np.nan, 1.0]])
    assert choose_shift(y).tolist() == [0.0, 1e6 + 0.5, 0.0, 0.0]
