from __future__ import annotations

import math
from typing import Any

import pytest

from bmx.quality import Limits, flag
from bmx.quality.limits import PLAUSIBLE_BMFF, SIDES_BMFF
from tests.quality.made import cohort, edit, flags_of


def test_limits__of_regions_that_aren_t_named_stay() -> None:
    """Whoever narrows one region doesn't switch the rule off for the others."""
    limits = Limits(bmff={"spine": (20.0, 70.0)}, sides_bmff={"total_hip": 5.0})
    assert limits.bmff == {**PLAUSIBLE_BMFF, "spine": (20.0, 70.0)}
    assert limits.sides_bmff == {**SIDES_BMFF, "total_hip": 5.0}
    results = cohort()
    edit(results, 0, "femoral_head", bmff=10.0)
    found = flag(results, limits=limits)
    assert "implausible_bmff" in flags_of(found, 0, "femoral_head")
    assert found.attrs["qc_bmff_spine"] == [20.0, 70.0]


def test_limits__that_are_infinite_are_none() -> None:
    """The documented way to leave the rule out for one region."""
    results = cohort()
    edit(results, 0, "femoral_head", bmff=10.0)
    found = flag(results, limits=Limits(bmff={"femoral_head": (-math.inf, math.inf)}))
    assert "implausible_bmff" not in flags_of(found, 0, "femoral_head")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bmff": {"spne": (1, 2)}}, r"the limits bmff name 'spne'; expected one of spine, .*did you mean spine"),
        ({"bmff": {"total_hip_right": (1, 2)}}, "the limits bmff name 'total_hip_right'"),
        ({"bmff": {"spine": (70, 20)}}, r"the limits bmff of spine are \(70, 20\); expected the lowest, then"),
        ({"bmff": {"spine": (math.nan, 20)}}, "the limits bmff of spine are"),
        ({"sides_bmff": {"spine": 3}}, "the limits sides_bmff name 'spine'; expected one of femoral_head"),
        ({"small_sd": math.nan}, "small_sd is nan; expected more than 0, or math.inf for no limit"),
        ({"outlier_sd": -3}, "outlier_sd is -3; expected more than 0"),
        ({"confidence": 95}, "confidence is 95; expected 0 to 1"),
        ({"sides_bmff": {"total_hip": -3}}, "sides_bmff of total_hip is -3; expected 0 or more percentage points"),
    ],
)
def test_limits__refuse_what_would_switch_a_rule_off(given: dict[str, Any], message: str) -> None:
    """Without a word: nothing lies beyond a limit that isn't there."""
    with pytest.raises(ValueError, match=message):
        Limits(**given)
