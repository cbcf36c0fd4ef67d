from __future__ import annotations

import torch

from bmx.nn.losses import dice_and_entropy, dice_loss, weighted_dice_loss


def test_dice_loss__sums_a_million_half_precision_voxels() -> None:
    """float16 ends at 65,504: summed in it, the Dice of any volume would be 0 or NaN."""
    ones = torch.ones(1, 1, 100, 100, 100, dtype=torch.float16)
    assert float(dice_loss(ones, ones)) < 1e-5
    assert float(weighted_dice_loss(ones, ones)) < 1e-5


def test_weighted_dice_loss__is_the_formula() -> None:
    """The oracle is the sum written out: each class weighted by the reciprocal of its voxels (paper 2.7)."""
    probability = torch.tensor([[0.9, 0.2, 0.1, 0.4]])
    target = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    overlap = 1.0 * 0.9 + (0.8 + 0.9 + 0.6) / 3
    total = 1.0 * (1.6 + 1) + (2.4 + 3) / 3
    torch.testing.assert_close(float(weighted_dice_loss(probability, target)), 1 - 2 * overlap / total)


def test_dice_and_entropy__still_pulls_where_nothing_overlaps() -> None:
    """Sure and wrong: the gradient of Dice alone vanishes there, and a structure once lost would stay lost."""
    logits = torch.full((1, 1, 4, 4, 4), -12.0, requires_grad=True)
    target = torch.zeros(1, 1, 4, 4, 4)
    target[..., 1, 1, 1] = 1
    dice_and_entropy(logits, target).backward()
    assert logits.grad is not None
    assert float(logits.grad[0, 0, 1, 1, 1]) < -0.01
