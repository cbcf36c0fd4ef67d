"""What the losses of the networks are made of; each prediction puts them together."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def dice_loss(probability: Tensor, target: Tensor) -> Tensor:
    """1 - soft Dice, averaged over the batch; 0 where both are empty.

    Examples
    --------
    >>> half = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    >>> round(float(dice_loss(half, half)), 3), round(float(dice_loss(half, 1 - half)), 3)
    (0.0, 0.8)
    """
    # Sums over a million voxels overflow half precision.
    probability, target = probability.flatten(1).float(), target.flatten(1).float()
    overlap = (probability * target).sum(dim=1)
    # One voxel of smoothing: an empty target predicted as empty is right, not undefined.
    return (1 - (2 * overlap + 1) / (probability.sum(dim=1) + target.sum(dim=1) + 1)).mean()


def weighted_dice_loss(probability: Tensor, target: Tensor) -> Tensor:
    """Dice loss over foreground and background, each class weighted by the reciprocal of its number of voxels."""
    probability, target = probability.flatten(1).float(), target.flatten(1).float()
    overlap, total = torch.zeros(len(target), device=target.device), torch.zeros(len(target), device=target.device)
    for predicted, true in ((probability, target), (1 - probability, 1 - target)):
        weight = 1 / true.sum(dim=1).clamp(min=1)
        overlap = overlap + weight * (predicted * true).sum(dim=1)
        total = total + weight * (predicted + true).sum(dim=1)
    return (1 - 2 * overlap / total).mean()


def dice_and_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Soft Dice for a small structure, plus cross-entropy, whose gradient doesn't vanish while nothing overlaps.

    Examples
    --------
    >>> target = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    >>> bool(dice_and_entropy(9 * (2 * target - 1), target) < 0.01)
    True
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, target)
    return dice_loss(torch.sigmoid(logits), target) + entropy
