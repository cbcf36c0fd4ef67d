from __future__ import annotations

import statistics

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bmx.core.summary import ratio_of_sums, summarise

values = hnp.arrays(np.float64, st.integers(2, 30), elements=st.floats(0, 100) | st.just(np.nan))


@given(values=values)
def test_summarise__equals_the_standard_library_without_nan(values: npt.NDArray[np.float64]) -> None:
    valid = [value for value in values.tolist() if value == value]
    found = summarise(values)
    assert found.n == len(valid)
    if len(valid) < 2:
        assert np.isnan(found.sd)
        return
    assert found.mean == pytest.approx(statistics.fmean(valid))
    assert found.median == pytest.approx(statistics.median(valid))
    assert found.sd == pytest.approx(statistics.stdev(valid), abs=1e-6)
    low, _, high = statistics.quantiles(valid, n=4, method="inclusive")
    assert found.iqr == pytest.approx(high - low, abs=1e-9)


def test_summarise__of_float32_is_done_in_float64() -> None:
    # A float32 running sum over a spine loses the second decimal of a percent.
    many = np.full(1_000_000, 33.3, np.float32)
    assert summarise(many).mean == pytest.approx(float(np.float32(33.3)), abs=1e-9)


def test_ratio_of_sums__doesnt_wrap() -> None:
    assert ratio_of_sums(np.full(1000, 700, np.uint16), np.full(1000, 700, np.uint16)) == 50


def test_ratio_of_sums__of_nothing_is_nan() -> None:
    assert np.isnan(ratio_of_sums(np.zeros(3, np.uint16), np.zeros(3, np.uint16)))
