from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.core.stitch import SlabPair
from bmx.core.swap_evidence import brightness_step, coarsen, local_evidence
from bmx.core.swaps import find_swaps
from bmx.simulation.bodies import SimulatedSlab, simulate_participant
from bmx.simulation.faults.swaps import find_leg
from bmx.simulation.people import draw_people, person_at

LEGS = (5, 6)


@pytest.fixture(scope="module")
def legs() -> dict[int, SimulatedSlab]:
    """Thighs and knees of one person."""
    return simulate_participant(person_at(draw_people(1, 5), 0), LEGS, 5)


def pairs(slabs: dict[int, SimulatedSlab], swapped: dict[int, np.ndarray] | None = None) -> dict[int, SlabPair]:
    found = {}
    for number, slab in slabs.items():
        fat, water = slab.images["fat"], slab.images["water"]
        where = (swapped or {}).get(number, np.zeros(fat.shape, bool))
        found[number] = SlabPair(np.where(where, water, fat), np.where(where, fat, water), slab.affine)
    return found


def body(slab: SimulatedSlab) -> np.ndarray:
    return np.isfinite(slab.fat_percent)


def test_find_swaps__leaves_a_clean_exam_alone(legs: dict[int, SimulatedSlab]) -> None:
    found = find_swaps(pairs(legs))
    assert not any(one.corrected or one.suspected for one in found.values())


@pytest.mark.parametrize("number", LEGS)
def test_find_swaps__finds_a_whole_slab(legs: dict[int, SimulatedSlab], number: int) -> None:
    whole = np.ones(legs[number].images["fat"].shape, bool)
    found = find_swaps(pairs(legs, {number: whole}))
    assert found[number].mask.all()
    assert [one.corrected for one in found.values()] == [one == number for one in found]


@pytest.mark.parametrize("side", ["left", "right"])
def test_find_swaps__finds_one_leg_and_not_the_other(legs: dict[int, SimulatedSlab], side: str) -> None:
    inside = body(legs[5])
    leg = find_leg(inside, legs[5].affine, side)
    found = find_swaps(pairs(legs, {5: leg}))[5]
    assert found.mask[leg & inside].mean() > 0.97
    assert found.mask[inside & ~leg].mean() < 0.01


def test_find_swaps__of_both_slabs_is_found_too(legs: dict[int, SimulatedSlab]) -> None:
    """All slabs exchanged agree with each other: only what lies under the skin, and what is bright, tell."""
    swapped = {number: np.ones(slab.images["fat"].shape, bool) for number, slab in legs.items()}
    assert all(one.mask.all() for one in find_swaps(pairs(legs, swapped)).values())


def test_find_swaps__of_nothing_is_nothing() -> None:
    nothing = np.zeros((8, 20, 20), np.uint16)
    found = find_swaps({2: SlabPair(nothing, nothing, np.diag([2.2, 2.2, 4.5, 1])[:3])})[2]
    assert (found.corrected, found.suspected, found.mask.any()) == (False, False, False)


@settings(max_examples=10)
@given(radius=st.integers(14, 30), skin=st.integers(3, 8), seed=st.integers(0, 99))
def test_local_evidence__turns_round_when_fat_and_water_are_exchanged(radius: int, skin: int, seed: int) -> None:
    """Property: nothing but its sign changes, so that a swap is found as surely as its absence."""
    y, x = np.ogrid[-40:40, -40:40]
    away = np.hypot(y, x) * np.ones((12, 1, 1))
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 20, (2, *away.shape))
    fat = np.where(away < radius, 40, np.where(away < radius + skin, 900, 0)) + noise[0]
    water = np.where(away < radius, 450, np.where(away < radius + skin, 60, 0)) + noise[1]
    affine = np.diag([2.2, 2.2, 4.5, 1])[:3]
    one, other = coarsen(fat, water, affine), coarsen(water, fat, affine)
    assert one is not None
    assert other is not None
    everywhere = np.ones((1, 1, 1), bool)
    step = brightness_step(one, everywhere)
    assert step == pytest.approx(-brightness_step(other, everywhere), abs=1e-5)
    np.testing.assert_allclose(local_evidence(one, abs(step)), -local_evidence(other, abs(step)), atol=1e-4)
    assert local_evidence(one, abs(step)).sum() < 0


@pytest.mark.parametrize("above", [True, False])
def test_find_swaps__doesnt_leave_marrow_behind(legs: dict[int, SimulatedSlab], above: bool) -> None:
    """The piece ends in the middle of the shaft and along its cortex: nothing but the marrow itself tells."""
    marrow = legs[5].masks["femoral_diaphysis"].astype(bool)
    cz, cy, _ = np.rint(np.argwhere(marrow).mean(axis=0)).astype(int)
    leg = find_leg(body(legs[5]), legs[5].affine, "left")
    z, y, _ = np.ogrid[tuple(map(slice, leg.shape))]
    piece = leg & (y <= cy + 6) & ((z > cz) & (z < cz + 20) if above else (z < cz) & (z > cz - 20))
    found = find_swaps(pairs(legs, {5: piece}))[5].mask
    assert found[piece & body(legs[5])].mean() > 0.95
    assert found[marrow & piece].mean() > 0.95
    assert found[marrow & ~piece].mean() < 0.05
