from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bmx.core.dixon_signal import Echoes
from bmx.core.physics import physics_residual
from bmx.core.receiver import Receiver, dixon_images


def phantom(noise: float, seed: int) -> dict[str, np.ndarray]:
    """A body of mixed fat and water in air, as a scanner would show it."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.05, 0.95, (8, 24, 24)).astype(np.float32)
    body = np.zeros_like(share)
    body[:, 6:18, 6:18] = 1
    water, fat = (1 - share) * body, share * body
    return dixon_images(Echoes(water, water, fat, fat), Receiver(400, noise, 0.1), rng)


@given(st.integers(0, 50))
def test_physics_residual__is_small_for_images_of_one_acquisition(seed: int) -> None:
    """At the noise of a real exam both relations hold within a few percent."""
    assert (physics_residual(**phantom(0.02, seed)) < 0.06).all()


def test_physics_residual__sees_exchanged_labels_but_not_swaps() -> None:
    """Exchanging in and water breaks both relations; exchanging fat and water breaks neither."""
    images = phantom(0.02, 0)
    swapped = images | {"fat": images["water"], "water": images["fat"]}
    np.testing.assert_array_equal(physics_residual(**swapped), physics_residual(**images))
    exchanged = images | {"in_phase": images["water"], "water": images["in_phase"]}
    assert (physics_residual(**exchanged) > 0.2).all()


def test_physics_residual__is_nan_without_a_body() -> None:
    """An empty slab says nothing about physics."""
    nothing = np.zeros((2, 3, 3), np.uint16)
    assert np.isnan(physics_residual(fat=nothing, water=nothing, in_phase=nothing, opposed_phase=nothing)).all()


def test_physics_residual__does_not_wrap() -> None:
    """|W - F| of unsigned integers would be 65,000 where fat prevails."""
    fat, water = np.full((2, 4, 4), 40_000, np.uint16), np.full((2, 4, 4), 20_000, np.uint16)
    residual = physics_residual(fat=fat, water=water, in_phase=fat + water, opposed_phase=fat - water)
    np.testing.assert_array_equal(residual, [0, 0])
