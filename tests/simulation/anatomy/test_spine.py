from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bmx.simulation.anatomy.spine import LEVELS, Spine, bend, draw_spine

PERSON = {"age": 65.0, "bmff_spine": 45.0}


def spines(n: int = 60) -> list[Spine]:
    return [draw_spine(PERSON, 1.0, 1.0, np.random.default_rng(seed)) for seed in range(n)]


def sideways_deg(spine: Spine) -> np.ndarray:
    return np.degrees([np.arcsin(vertebra.axes[2][0]) for vertebra in spine.vertebrae])


def test_draw_spine__stacks_vertebrae_without_gap_or_overlap() -> None:
    """Between two bodies there is room for their disc, and for nothing else."""
    for spine in spines(10):
        assert tuple(vertebra.name for vertebra in spine.vertebrae) == LEVELS
        for index, (upper, lower) in enumerate(pairwise(spine.vertebrae)):
            low = np.asarray(upper.centre) - upper.axes[2] * upper.height / 2
            high = np.asarray(lower.centre) + lower.axes[2] * lower.height / 2
            assert np.linalg.norm(low - high) == pytest.approx(spine.disc_heights[index], abs=1.0)


def test_draw_spine__has_the_curves_of_people() -> None:
    """Lordosis: L5 leans forward, L1 backward. Kyphosis: T1 leans forward again. Bodies grow towards L5."""
    lean = np.array(
        [[np.degrees(np.arctan2(v.axes[2][1], v.axes[2][2])) for v in spine.vertebrae] for spine in spines()]
    )
    mean = dict(zip(LEVELS, lean.mean(axis=0), strict=True))
    assert mean["L5"] > 12
    assert mean["L1"] < -5
    assert mean["T1"] > 12
    widths = np.mean([[v.radius_x for v in spine.vertebrae] for spine in spines()], axis=0)
    assert np.all(np.diff(widths[3:]) > 0)


def test_draw_spine__axes_are_right_handed_unit_vectors() -> None:
    """Right, front, top: mirrored axes would mirror the vertebra."""
    for vertebra in spines(3)[2].vertebrae:
        np.testing.assert_allclose(vertebra.axes @ vertebra.axes.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(vertebra.axes) == pytest.approx(1)
        assert vertebra.axes[0][0] > 0.8


@pytest.mark.parametrize("degrees", [8.0, 30.0])
def test_bend__tilts_by_what_was_asked_for_and_keeps_the_ends(degrees: float) -> None:
    """The worst vertebra leans by the angle; the sacrum stays where it is; no vertebra changes size."""
    straight = spines(1)[0]
    bent = bend(straight, degrees, np.random.default_rng(1))
    assert np.abs(sideways_deg(bent)).max() == pytest.approx(degrees, abs=0.5)
    assert bent.promontory == straight.promontory
    assert [v.height for v in bent.vertebrae] == [v.height for v in straight.vertebrae]
    sideways = [v.centre[0] for v in bent.vertebrae]
    assert np.ptp(sideways) > 0.3 * degrees
