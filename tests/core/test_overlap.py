from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from bmx.core.overlap import dice, expected_dice


@given(pair=hnp.arrays(np.bool_, (2, 3, 4)))
def test_dice__equals_that_of_sets(pair: npt.NDArray[np.bool_]) -> None:
    a, b = ({tuple(index) for index in np.argwhere(mask)} for mask in pair)
    if a or b:
        assert dice(*pair) == pytest.approx(2 * len(a & b) / (len(a) + len(b)))
    else:
        assert np.isnan(dice(*pair))


def test_dice__of_uint8_masks_doesnt_wrap() -> None:
    full = np.ones((10, 10, 10), np.uint8)
    assert dice(full, full) == 1


def test_dice__refuses_two_grids() -> None:
    with pytest.raises(ValueError, match=r"must lie on one grid; found \(2,\) and \(3,\)"):
        dice(np.ones(2), np.ones(3))


def test_expected_dice__of_probabilities_that_are_right_is_the_mean_dice() -> None:
    """Truths drawn from the probabilities themselves: what is expected must be what comes out."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 4000).astype(np.float32)
    probability, mask = 1 / (1 + np.exp(-logits)), logits > 0
    truths = rng.random((200, 4000)) < probability
    dice = 2 * (truths & mask).sum(axis=1) / (truths.sum(axis=1) + mask.sum())
    assert expected_dice(logits) == pytest.approx(dice.mean(), abs=2e-3)


def test_expected_dice__falls_with_doubt_outside_the_mask_too() -> None:
    """A mean over the inside alone would call a mask sure that misses half of the structure."""
    sure, haze = np.float32([9, 9, -9, -9]), np.float32([9, 9, -0.1, -0.1])
    assert expected_dice(haze) < 0.85 < 0.99 < expected_dice(sure)


def test_expected_dice__of_nothing_is_zero() -> None:
    assert expected_dice(np.full(8, -1e4, np.float32)) == 0
