from __future__ import annotations

import numpy as np
import pytest

from bmx.core.preparation import prepare
from bmx.regions import REGIONS
from bmx.simulation.bodies import simulate_participant
from bmx.simulation.examples import SimulatedExamples
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
