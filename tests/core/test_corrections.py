from __future__ import annotations

import pickle

import numpy as np
import pytest

from bmx.core.corrections import as_correction, describe_correction, slope_at


def test_as_correction__takes_functions_as_they_are_and_lines_by_region() -> None:
    """A line for the spine leaves the hip alone; both must travel to workers."""
    line = as_correction({"spine": (1.25, -2)})
    assert line is not None
    values = np.float32([40, np.nan])
    np.testing.assert_array_equal(line(values, "spine"), np.float32([48, np.nan]))
    np.testing.assert_array_equal(line(values, "total_hip"), values)
    assert pickle.loads(pickle.dumps(line)) == line  # noqa: S301  # our own object
    assert as_correction(np.add) is np.add
    assert as_correction(None) is None


@pytest.mark.parametrize(
    ("correct", "message"),
    [
        ({"spin": (1, 0)}, "no region is called 'spin'.*did you mean spine"),
        ({"spine": (1, 0, 2)}, r"spine must be \(slope, intercept\), two finite numbers"),
        ({"spine": (np.inf, 0)}, "two finite numbers"),
    ],
)
def test_as_correction__refuses_what_is_no_line(correct: dict[str, tuple[float, float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_correction(correct)


def test_describe_correction__is_what_results_say() -> None:
    assert (
        describe_correction({"spine": (1.25, -2), "total_hip": (1, 0.5)}) == "spine: 1.25 x - 2; total_hip: 1 x + 0.5"
    )
    assert describe_correction(None) == ""


def test_slope_at__stretches_a_standard_error() -> None:
    line = as_correction({"spine": (-2.0, 100.0)})
    assert line is not None
    assert slope_at(line, 40.0, "spine") == pytest.approx(2.0)
