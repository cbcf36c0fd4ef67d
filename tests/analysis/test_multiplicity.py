from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from bmx.analysis.multiplicity import adjust, describe_method
from bmx.errors import AnalysisError

R = pd.read_csv(Path(__file__).parent / "fixtures" / "adjust.csv")
METHODS = ("bonferroni", "sidak", "holm", "holm_sidak", "hochberg", "fdr_bh", "fdr_by")
P_VALUES = st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=20)


@pytest.mark.parametrize(("method", "size"), list(R.groupby(["method", "size"]).groups))
def test_adjust__gives_the_numbers_of_r(method: str, size: int) -> None:
    expected = R[(R["method"] == method) & (R["size"] == size)]
    ours = {"BH": "fdr_bh", "BY": "fdr_by"}.get(method, method)
    np.testing.assert_allclose(adjust(expected["p"], ours, size), expected["p_adjusted"], rtol=1e-12)


@pytest.mark.parametrize(("ours", "theirs"), [("sidak", "sidak"), ("holm_sidak", "holm-sidak")])
def test_adjust__sidak_is_that_of_statsmodels(ours: str, theirs: str) -> None:
    p = np.random.default_rng(1).uniform(0, 0.2, 30)
    np.testing.assert_allclose(adjust(p, ours), multipletests(p, method=theirs)[1], rtol=1e-9)


@given(P_VALUES, st.sampled_from(METHODS), st.integers(0, 30))
def test_adjust__is_larger_keeps_the_order_and_the_missing(p: list[float], method: str, more: int) -> None:
    given_p = np.array(p, float)
    there = np.isfinite(given_p)
    adjusted = adjust(given_p, method, int(there.sum()) + more)
    assert (np.isnan(adjusted) == ~there).all()
    assert (adjusted[there] >= given_p[there] * (1 - 1e-12)).all()
    assert (adjusted[there] <= 1).all()
    assert (np.diff(adjusted[there][np.argsort(given_p[there])]) >= -1e-12).all()


def test_adjust__a_tiny_p_survives_sidak() -> None:
    np.testing.assert_allclose(adjust([1e-200], "sidak", 1000), [1e-197])


def test_adjust__takes_any_shape_and_none() -> None:
    p = np.array([[0.01, np.nan], [0.2, 0.5]])
    assert adjust(p, "holm").shape == (2, 2)
    np.testing.assert_array_equal(adjust(p, None), p)
    assert adjust([], "fdr_bh").shape == (0,)


@pytest.mark.parametrize(
    ("p", "method", "n_tests", "message"),
    [
        ([0.1, 1.2], "holm", None, "1 p values lie outside 0 to 1, as 1.2"),
        (
            [0.1],
            "bonferoni",
            None,
            r"adjust='bonferoni' is not known; expected one of .* \(did you mean bonferroni\?\)",
        ),
        ([0.1, 0.2, np.nan], "bonferroni", 1, "n_tests=1 is fewer than the 2 p values given"),
    ],
)
def test_adjust__says_what_is_wrong(p: list[float], method: str, n_tests: int | None, message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        adjust(p, method, n_tests)


def test_describe_method__an_unstated_family_is_called_unadjusted() -> None:
    assert describe_method(None, 1) == "p unadjusted, 1 test"
    assert describe_method("bh", 8000) == "p adjusted by Benjamini-Hochberg for 8,000 tests"
