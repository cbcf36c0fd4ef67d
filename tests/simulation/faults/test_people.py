"""People at the edges."""

from __future__ import annotations

import numpy as np
import pytest

from bmx.simulation.bodies import draw_body
from bmx.simulation.faults import people
from bmx.simulation.faults.base import FaultKind
from bmx.simulation.people import draw_person

PERSON = draw_person(1_234_567, 0, 0)


@pytest.mark.parametrize(
    ("kind", "changed", "low", "high"),
    list(zip(people.KINDS, ("height", "height", "bmi"), (142, 195, 16.5), (150, 203, 18), strict=True)),
)
def test_kinds__change_one_thing_within_its_range(kind: FaultKind, changed: str, low: float, high: float) -> None:
    """Everything else about the person stays, but for the fat of the lean; the label tells the value."""
    for seed in range(20):
        person, label = kind.apply(PERSON, np.random.default_rng(seed))
        assert low <= person[changed] <= high
        fats = [name for name in PERSON if name.endswith("_fat") or name == "vat_mass"]
        assert {name for name in PERSON if person[name] != PERSON[name]} == {
            changed,
            *(fats if changed == "bmi" else ()),
        }
        assert all(0 < person[name] <= PERSON[name] for name in fats)
        assert label.name == kind.name
        assert float(label.detail.split("=")[1]) == person[changed]


def test_kinds__give_bodies_that_are_short_tall_or_lean() -> None:
    """The skeleton follows height, the fat under the skin BMI."""
    bodies = {kind.name: draw_body(kind.apply(PERSON, np.random.default_rng(0))[0], seed=1) for kind in people.KINDS}
    assert bodies["very_short"].size < draw_body(PERSON, seed=1).size < bodies["very_tall"].size
    assert bodies["very_lean"].size == pytest.approx(draw_body(PERSON, seed=1).size)
    assert bodies["very_lean"].build.fat < 0.8 * draw_body(PERSON, seed=1).build.fat
