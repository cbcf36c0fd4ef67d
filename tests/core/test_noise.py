from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.core.noise import noise_inside, slab_levels


def phantom(sigma: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fat and water of a warm cylinder in air, magnitudes with noise, and the cylinder."""
    rng = np.random.default_rng(seed)
    z, y, x = np.indices((24, 80, 80))
    inside = np.hypot(y - 40, x - 40) < 24
    fat, water = inside * (700 + 2.0 * z), inside * (300 - 3.0 * y / 4)
    return *(np.abs(image + rng.normal(0, sigma, image.shape)) for image in (fat, water)), inside


@settings(max_examples=15)
@given(sigma=st.floats(2, 40), seed=st.integers(0, 99))
def test_slab_levels__sees_the_noise_in_air(sigma: float, seed: int) -> None:
    """Property: whatever the noise, within a twentieth; the body's brightness doesn't depend on it."""
    fat, water, _ = phantom(sigma, seed)
    levels = slab_levels(fat, water)
    assert levels.noise == pytest.approx(sigma, rel=0.06)
    assert levels.bright == pytest.approx(1000, rel=0.15)


def test_slab_levels__doesn_t_change_when_fat_and_water_are_exchanged() -> None:
    fat, water, _ = phantom(10)
    assert slab_levels(fat, water) == slab_levels(water, fat)


def test_slab_levels__of_nothing_is_zero() -> None:
    nothing = np.zeros((4, 8, 8), np.uint16)
    assert slab_levels(nothing, nothing) == (0.0, 0.0)


def test_slab_levels__of_blanked_air_is_no_noise() -> None:
    """Some reconstructions set air to zero: the noise is then unknown, not large."""
    fat, water, inside = phantom(10)
    assert slab_levels(fat * inside, water * inside).noise < 2


@pytest.mark.parametrize("sigma", [3.0, 15.0])
def test_noise_inside__is_blind_to_what_changes_slowly(sigma: float) -> None:
    fat, water, inside = phantom(sigma)
    assert noise_inside(fat, water, inside) == pytest.approx(sigma, rel=0.08)


def test_noise_inside__of_a_few_voxels_is_unknown() -> None:
    fat, water, _ = phantom(3)
    few = np.zeros(fat.shape, bool)
    few[5, 40, 38:44] = True
    assert np.isnan(noise_inside(fat, water, few))
