from __future__ import annotations

import numpy as np
import pytest

from bmx.core.preparation import prepare
from bmx.regions import REGIONS
from bmx.simulation.bodies import simulate_participant
from bmx.simulation.examples import SimulatedExamples, Variety
from bmx.simulation.people import draw_people, person_at

SHAFT = REGIONS["femoral_diaphysis"]


@pytest.fixture(scope="module")
def examples() -> SimulatedExamples:
    return SimulatedExamples(SHAFT, 2, seed=4)


def test_getitem__is_what_a_model_sees_and_should_draw(examples: SimulatedExamples) -> None:
    """Prepared as for segmentation, up to half precision; the mask is cut alike."""
    slab = simulate_participant(person_at(draw_people(2, 4), 1), (5,), 4)[5]
    prepared = prepare(slab.images["fat"], slab.images["water"])
    volume, mask = examples[1]
    assert (volume.dtype, mask.dtype, volume.shape) == (np.float32, np.bool_, mask.shape)
    np.testing.assert_allclose(volume, prepared.volume, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(mask, slab.masks[SHAFT.name][prepared.box])
    assert mask.sum() == slab.masks[SHAFT.name].sum()


def test_getitem__gives_the_same_each_time_and_knows_slices(examples: SimulatedExamples) -> None:
    """A training that is taken up again must see the very same data."""
    assert len(examples) == 2
    (volume, mask), *others = examples[:]
    assert len(others) == 1
    np.testing.assert_array_equal(volume, examples[0][0])
    np.testing.assert_array_equal(mask, examples[0][1])
    volume[:] = 0
    assert examples[0][0].any()


def test_variety__unusual_people_differ_from_the_same_people_without_anything(examples: SimulatedExamples) -> None:
    """Otherwise a network would never learn, nor be tested on, an implant or an exam that began too high."""
    unusual = SimulatedExamples(SHAFT, 2, seed=4, variety=Variety(unusual=1.0))
    assert any(a[0].shape != b[0].shape or (a[0] != b[0]).any() for a, b in zip(unusual[:], examples[:], strict=True))


def test_variety__faults_are_those_that_the_sum_of_fat_and_water_shows() -> None:
    """A swap leaves F + W as it is, and series numbers aren't seen by a network; a scoliosis isn't seen in a thigh."""
    names = SimulatedExamples(SHAFT, 1, seed=4)._unusual()
    assert {"hip_implant", "begun_too_high", "very_short"} <= set(names)
    assert not {"swap_leg", "appended_repeat", "severe_scoliosis", "dark_lines"} & set(names)


def test_variety__randomised_images_are_seeded_and_look_like_no_person(examples: SimulatedExamples) -> None:
    drawn, again = (SimulatedExamples(SHAFT, 1, seed=4, variety=Variety(randomised=1.0))[0] for _ in range(2))
    np.testing.assert_array_equal(drawn[0], again[0])
    np.testing.assert_array_equal(drawn[1], again[1])
    assert drawn[0].shape == drawn[1].shape
    assert drawn[0].shape != examples[0][0].shape or (drawn[0] != examples[0][0]).any()


def test_realistic__says_who_is_simulated_without_anything_unusual(examples: SimulatedExamples) -> None:
    """By the volumes of these a small mask is told; that it is known without an image keeps it cheap."""
    mixed = SimulatedExamples(SHAFT, 6, seed=4, variety=Variety(unusual=0.5, randomised=0.4))
    assert examples.realistic == (True, True)
    assert SimulatedExamples(SHAFT, 2, seed=4, variety=Variety(unusual=1.0)).realistic == (False, False)
    assert SimulatedExamples(SHAFT, 2, seed=4, variety=Variety(randomised=1.0)).realistic == (False, False)
    assert len(set(mixed.realistic)) == 2
    plain = SimulatedExamples(SHAFT, 6, seed=4)
    index = mixed.realistic.index(True)
    np.testing.assert_array_equal(mixed[index][0], plain[index][0])
