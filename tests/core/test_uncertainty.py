from __future__ import annotations

import numpy as np
import pytest

from bmx.core.noise import Levels
from bmx.core.uncertainty import Doubt, Weights, doubt

SHAPE = (10, 24, 24)


def box(low: int = 3, high: int = 7) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[low:high, 8:16, 8:16] = True
    return mask


def test_doubt__noise_is_what_repeated_noise_does() -> None:
    """The standard error from one image against the spread of many noisy images of the same thing."""
    rng, mask = np.random.default_rng(0), box()
    means, errors = [], []
    for _ in range(300):
        fat, water = 600 + rng.normal(0, 30, SHAPE), 400 + rng.normal(0, 30, SHAPE)
        means.append((100 * fat / (fat + water))[mask].mean())
        errors.append(doubt(fat, water, mask, mask, levels=Levels(1000, 0), native_slices=10).noise)
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.12)


def test_doubt__border_is_half_of_what_a_voxel_more_or_less_changes() -> None:
    mask, everywhere = box(), np.ones(SHAPE, bool)
    fat, water = np.full(SHAPE, 900.0), np.full(SHAPE, 100.0)
    assert doubt(fat, water, mask, everywhere, levels=Levels(1000, 0), native_slices=10).border == 0
    fat[~mask], water[~mask] = 50, 950
    # The box grows by a cross: 32 voxels of 5 % come to 64 of 90 % in each slice.
    grown = (64 * 90 + 32 * 5) / 96
    found = doubt(fat, water, mask, everywhere, levels=Levels(1000, 0), native_slices=10)
    assert found.border == pytest.approx((90 - grown) / 2 / np.sqrt(2), rel=1e-5)


def test_doubt__ends_is_the_change_without_two_slices_at_an_end() -> None:
    mask, everywhere = box(0, 5), np.ones(SHAPE, bool)
    fat, water = np.full(SHAPE, 900.0), np.full(SHAPE, 100.0)
    fat[:2], water[:2] = 700, 300
    found = doubt(fat, water, mask, everywhere, levels=Levels(1000, 0), native_slices=10)
    assert found.ends == pytest.approx(82 - 90, abs=1e-4)
    assert doubt(fat, water, box(), everywhere, levels=Levels(1000, 0), native_slices=10).ends == 0


def test_doubt__of_what_lies_at_an_end_alone_is_unknown() -> None:
    """All of it may be ghosts, and nothing else of the mask tells; a small mask elsewhere is in no such doubt."""
    fat, water, everywhere = np.full(SHAPE, 900.0), np.full(SHAPE, 100.0), np.ones(SHAPE, bool)
    found = doubt(fat, water, box(0, 2), everywhere, levels=Levels(1000, 5), native_slices=10)
    assert np.isnan(found.ends)
    assert np.isnan(found.standard_error(Weights()))
    few = box(4, 5) & (np.arange(24) < 9)
    assert doubt(fat, water, few, everywhere, levels=Levels(1000, 5), native_slices=10).ends == 0


def test_doubt__a_crop_that_says_where_it_starts_gives_the_same() -> None:
    rng, mask = np.random.default_rng(1), box(0, 4)
    fat, water = rng.uniform(400, 900, (2, *SHAPE))
    whole = doubt(fat, water, mask, mask, levels=Levels(1000, 5), native_slices=10)
    crop = (slice(0, 5), slice(7, 17), slice(7, 17))
    part = doubt(fat[crop], water[crop], mask[crop], mask[crop], levels=Levels(1000, 5), native_slices=10)
    np.testing.assert_allclose(part, whole)


def test_doubt__of_nothing_usable_is_unknown() -> None:
    fat = np.full(SHAPE, 1.0)
    found = doubt(fat, fat, box(), np.zeros(SHAPE, bool), levels=Levels(1000, 5), native_slices=10)
    assert np.isnan(found).all()


def test_standard_error__adds_variances() -> None:
    weights = Weights(border=2.0, ends=1.0, unseen=2.0)
    assert Doubt(2.0, 1.0, -3.0).standard_error(weights) == pytest.approx(np.sqrt(4 + 4 + 9 + 4))
