from __future__ import annotations

import numpy as np
import pytest

from bmx.models.own import _expected_dice


def test_expected_dice__of_probabilities_that_are_right_is_the_mean_dice() -> None:
    """Truths drawn from the probabilities themselves: what is expected must be what comes out."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 4000).astype(np.float32)
    probability, mask = 1 / (1 + np.exp(-logits)), logits > 0
    truths = rng.random((200, 4000)) < probability
    dice = 2 * (truths & mask).sum(axis=1) / (truths.sum(axis=1) + mask.sum())
    assert _expected_dice(logits) == pytest.approx(dice.mean(), abs=2e-3)


def test_expected_dice__falls_with_doubt_outside_the_mask_too() -> None:
    """A mean over the inside alone would call a mask sure that misses half of the structure."""
    sure, haze = np.float32([9, 9, -9, -9]), np.float32([9, 9, -0.1, -0.1])
    assert _expected_dice(haze) < 0.85 < 0.99 < _expected_dice(sure)


def test_expected_dice__of_nothing_is_zero() -> None:
    assert _expected_dice(np.full(8, -1e4, np.float32)) == 0
