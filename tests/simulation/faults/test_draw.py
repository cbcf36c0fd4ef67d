"""Who gets which faults, and how often."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from bmx.acquisition import CONTRASTS
from bmx.errors import SourceError
from bmx.regions import REGIONS
from bmx.simulation.exams import plan_exam
from bmx.simulation.faults.apply import apply_faults
from bmx.simulation.faults.base import STAGES, Fault
from bmx.simulation.faults.draw import FaultPlan
from bmx.simulation.faults.placement import Positioning
from bmx.simulation.faults.rates import PAPER, PEOPLE
from bmx.simulation.faults.registry import FAULTS, get_fault

ALL = (1, 2, 3, 4, 5, 6)
N = 5000


@pytest.fixture(scope="module")
def drawn() -> list[tuple[str, ...]]:
    """Faults of 5,000 participants at the paper's rates."""
    plan = FaultPlan.parse("paper", slabs=ALL)
    return [plan.names(seed=1, index=index) for index in range(N)]


@pytest.mark.parametrize("name", PAPER)
def test_names__occur_at_the_papers_rates(drawn: list[tuple[str, ...]], name: str) -> None:
    """Within four standard errors of the binomial."""
    error = np.sqrt(PAPER[name] * (1 - PAPER[name]) / N)
    assert sum(name in names for names in drawn) / N == pytest.approx(PAPER[name], abs=4 * error)


def test_names__are_independent(drawn: list[tuple[str, ...]]) -> None:
    """Nobody has two faults more often than chance has it."""
    both = sum("begun_too_low" in names and "swap_leg" in names for names in drawn)
    expected = N * PAPER["begun_too_low"] * PAPER["swap_leg"]
    assert abs(both - expected) < 4 * np.sqrt(expected)


def test_rates__lose_as_many_regions_to_data_structure_as_table_3(drawn: list[tuple[str, ...]]) -> None:
    """Oracle: the paper's 92 of 4 x 729 outputs, each region about as often, from labels of exams without voxels."""
    volume = dict.fromkeys(CONTRASTS, np.zeros((1, 2, 2), np.uint16))
    exam = plan_exam(dict.fromkeys(ALL, volume), dict.fromkeys(ALL, np.eye(3, 4)), seed=0)
    lost: Counter[str] = Counter()
    for index, names in enumerate(drawn):
        labels: list[Fault] = []
        if names:
            labels += apply_faults("placement", Positioning(ALL), names, seed=1, index=index)[1]
            labels += apply_faults("exam", exam, names, seed=1, index=index)[1]
        for region in REGIONS.values():
            lost[region.name] += any(
                FAULTS[label.name].cause == "data structure" and FAULTS[label.name].concerns(label, region)
                for label in labels
            )
    table = {"spine": 30, "femoral_head": 18, "total_hip": 21, "femoral_diaphysis": 23}
    assert sum(lost.values()) / N == pytest.approx(sum(table.values()) / PEOPLE, rel=0.2)
    for region, count in table.items():
        # The table's own count is a draw, too.
        assert abs(lost[region] / N - count / PEOPLE) < 3 * np.sqrt(count) / PEOPLE


def test_names__are_the_same_in_a_larger_cohort_and_with_more_faults() -> None:
    """Who is drawn alone, or beside other faults, has the same ones; other seeds have others."""
    few = FaultPlan.parse({"swap_leg": 0.3}, slabs=ALL)
    more = FaultPlan.parse({"missing_slab": 0.5, "swap_leg": 0.3}, slabs=ALL)
    for index in range(50):
        assert ("swap_leg" in few.names(seed=1, index=index)) == ("swap_leg" in more.names(seed=1, index=index))
    assert any(few.names(seed=1, index=index) != few.names(seed=2, index=index) for index in range(50))


def test_names__come_in_turn() -> None:
    """One per participant, evenly; two at once with a plus; in the order in which they are applied."""
    plan = FaultPlan.parse(["swap_leg", "missing_manifest+begun_too_high"], slabs=ALL)
    assert [plan.names(seed=0, index=index) for index in range(3)] == [
        ("swap_leg",), ("begun_too_high", "missing_manifest"), ("swap_leg",)
    ]  # fmt: skip
    assert FaultPlan.parse("swap_leg", slabs=ALL).names(seed=0, index=7) == ("swap_leg",)
    for nothing in ("none", (), {}):
        assert FaultPlan.parse(nothing, slabs=ALL).names(seed=0, index=0) == ()  # type: ignore[arg-type]


@pytest.mark.parametrize("faults", ["paper", "none", ["swap_leg+missing_slab", "empty_zip"], {"swap_leg": 0.25}])
def test_for_options__survives_a_plan(faults: object) -> None:
    """A plan is kept as JSON, and must be found equal when the work is taken up again."""
    plan = FaultPlan.parse(faults, slabs=ALL)  # type: ignore[arg-type]
    options = json.loads(json.dumps(plan.for_options()))
    assert options == plan.for_options()
    assert FaultPlan.from_options(options) == plan


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (["swap_lag"], r"no fault is called 'swap_lag'; expected one of .* \(did you mean swap_leg\?\)"),
        ("papper", "no fault is called 'papper'"),
        ({"swap_slab": 1.5}, "the rate of swap_slab must lie between 0 and 1, found 1.5"),
        (["empty_zip", "swap_leg"], "swap_leg needs slab 5 or 6, but the exams hold 2, 4"),
    ],
)
def test_parse__refuses_what_cannot_be(faults: object, message: str) -> None:
    """A misspelt fault would give a clean cohort that looks tested."""
    with pytest.raises(SourceError, match=message):
        FaultPlan.parse(faults, slabs=(2, 4))  # type: ignore[arg-type]


def test_parse__leaves_the_papers_faults_of_other_slabs_out() -> None:
    """`paper` works for any exam."""
    assert "swap_leg" not in FaultPlan.parse("paper", slabs=(2, 4)).rates
    assert set(FaultPlan.parse("paper", slabs=ALL).rates) == set(PAPER)


def test_faults__are_declared_completely() -> None:
    """Each has a meaning for the list, and stands in the order of its stage."""
    for name, kind in FAULTS.items():
        assert kind is get_fault(name)
        assert kind.meaning
        assert len(kind.meaning) < 90
        assert set(kind.regions) <= set(REGIONS)
        assert callable(kind.apply)
    stages = [STAGES.index(kind.stage) for kind in FAULTS.values()]
    assert stages == sorted(stages)
    assert set(PAPER) <= set(FAULTS)
