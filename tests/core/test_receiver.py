from __future__ import annotations

import numpy as np
import pytest

from bmx.core.dixon_signal import Echoes
from bmx.core.physics import physics_residual
from bmx.core.receiver import Receiver, dixon_images, smooth_field

SHAPE = (24, 40, 48)


def tissue(water: float, fat: float) -> Echoes:
    """Half of the volume holds a tissue, the rest is air."""
    body = np.zeros(SHAPE, np.float32)
    body[:, :, 24:] = 1
    return Echoes(water * body, 0.95 * water * body, fat * body, 0.95 * fat * body)


def test_dixon_images__satisfy_the_two_relations_nearly_but_not_exactly() -> None:
    """As real images do: a check that is passed only by exact equality would be worth nothing."""
    images = dixon_images(
        tissue(0.4, 0.3), Receiver(800, noise=0.015, shading=0.1, phase_error=0.08), np.random.default_rng(1)
    )
    residual = physics_residual(**images)
    assert np.all(residual > 0.001)
    assert np.all(residual < 0.05)


def test_dixon_images__have_rician_noise_in_air() -> None:
    """The magnitude of complex noise has mean sigma sqrt(pi/2), never zero mean."""
    images = dixon_images(tissue(0.4, 0.3), Receiver(1000, noise=0.02), np.random.default_rng(2))
    air = images["in_phase"][:, :, :20].astype(float)
    assert air.mean() == pytest.approx(20 * np.sqrt(np.pi / 2), rel=0.03)
    assert air.std() == pytest.approx(20 * np.sqrt(2 - np.pi / 2), rel=0.05)


def test_dixon_images__wrap_the_other_end_around() -> None:
    """A ghost: a bright thing at one end shows faintly at the other; the middle is left alone."""
    echoes = tissue(0.0, 0.0)
    echoes.fat_in[-1, 10:20, 5:15] = echoes.fat_opposed[-1, 10:20, 5:15] = 1
    images = dixon_images(echoes, Receiver(1000, ghost_slices=3, ghost=0.4), np.random.default_rng(3))
    fat = images["fat"][:, 12:18, 7:13].mean(axis=(1, 2))
    assert fat[0] == pytest.approx(0.4 * fat[-1], rel=0.02)
    assert not fat[3:-3].any()


def test_dixon_images__lose_signal_at_the_ends_but_keep_the_fat_fraction() -> None:
    """Excitation falls off for fat and water alike."""
    images = dixon_images(tissue(0.4, 0.3), Receiver(2000, ghost_slices=3, end_loss=0.4), np.random.default_rng(4))
    total = images["in_phase"][:, :, 30:].mean(axis=(1, 2))
    assert total[0] < 0.7 * total[12]
    fat, water = (images[name][:, :, 30:].mean(axis=(1, 2)) for name in ("fat", "water"))
    np.testing.assert_allclose((fat / (fat + water))[0], (fat / (fat + water))[12], atol=2e-3)


def test_dixon_images__fit_into_twelve_bits() -> None:
    """However large the scale."""
    images = dixon_images(tissue(0.4, 0.3), Receiver(20000, noise=0.01), np.random.default_rng(5))
    assert all(image.dtype == np.uint16 and image.max() <= 4095 for image in images.values())
    assert images["in_phase"].max() == 4095


def test_smooth_field__is_smooth_and_of_about_unit_spread() -> None:
    """Neighbours differ by little; otherwise it would be noise, not shading."""
    fields = [smooth_field((20, 30, 40), np.random.default_rng(seed)) for seed in range(30)]
    assert 0.6 < np.mean([field.std() for field in fields]) < 1.3
    assert max(np.abs(np.diff(field, axis=2)).max() for field in fields) < 1.0
