from __future__ import annotations

import numpy as np
import pytest

from bmx.core.agreement import compare_masks, spread

SPACING = (4.0, 2.0, 2.5)  # 0.02 mL a voxel


def boxes(*lengths: int) -> list[np.ndarray]:
    """Masks of 4 x 4 x length voxels in one volume."""
    masks = np.zeros((len(lengths), 6, 8, 16), bool)
    for mask, length in zip(masks, lengths, strict=True):
        mask[1:5, 2:6, :length] = True
    return list(masks)


def test_compare_masks__gives_millilitres_and_percent_with_a_sign() -> None:
    """Too small is negative: a bias over cases must not hide."""
    drawn, true = boxes(6, 8)
    found = compare_masks(drawn, true, SPACING)
    assert found.volume == pytest.approx(96 * 0.02)
    assert found.volume_error == pytest.approx(-32 * 0.02)
    assert found.volume_error_percent == pytest.approx(-25)
    assert found.dice == pytest.approx(2 * 96 / (96 + 128))
    assert found.hausdorff95 == pytest.approx(5.0)
    assert found.reason == ""


@pytest.mark.parametrize(
    ("lengths", "dice", "reason"),
    [((0, 8), 0.0, "the mask is empty"), ((8, 0), 0.0, "the reference is empty"), ((0, 0), np.nan, "both masks are")],
)
def test_compare_masks__says_why_there_is_no_distance(lengths: tuple[int, int], dice: float, reason: str) -> None:
    """NaN never stands alone."""
    found = compare_masks(*boxes(*lengths), SPACING)
    assert np.isnan(found.hausdorff95)
    np.testing.assert_equal(found.dice, dice)
    assert reason in found.reason


def test_spread__leaves_out_nan_and_finds_the_worst_on_either_side() -> None:
    """The worst volume error may be negative."""
    found = spread([1.0, -3.0, np.nan, 2.0], ideal=0.0)
    assert (found.n, found.mean, found.worst) == (3, 0.0, -3.0)
    assert found.sd == pytest.approx(np.std([1, -3, 2], ddof=1))
    assert spread([np.nan], ideal=1.0).n == 0
    assert np.isnan(spread([0.9], ideal=1.0).sd)
