"""The paper's loss: L = L_seg + λ1 L_ROI + λ2 L_loc (section 2.7)."""

from __future__ import annotations

import torch
from torch import Tensor

from bmx.nn.roi import cut
from bmx.nn.roi_unet import RoiPrediction


def dice_loss(probability: Tensor, target: Tensor) -> Tensor:
    """1 - soft Dice, averaged over the batch; 0 where both are empty.

    Examples
    --------
    >>> half = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    >>> round(float(dice_loss(half, half)), 3), round(float(dice_loss(half, 1 - half)), 3)
    (0.0, 0.8)
    """
    probability, target = probability.flatten(1), target.flatten(1)
    overlap = (probability * target).sum(dim=1)
    # One voxel of smoothing: an empty target predicted as empty is right, not undefined.
    return (1 - (2 * overlap + 1) / (probability.sum(dim=1) + target.sum(dim=1) + 1)).mean()


def weighted_dice_loss(probability: Tensor, target: Tensor) -> Tensor:
    """Dice loss over foreground and background, each class weighted by the reciprocal of its number of voxels."""
    overlap, total = torch.zeros(len(target), device=target.device), torch.zeros(len(target), device=target.device)
    for predicted, true in ((probability, target), (1 - probability, 1 - target)):
        predicted, true = predicted.flatten(1), true.flatten(1)
        weight = 1 / true.sum(dim=1).clamp(min=1)
        overlap = overlap + weight * (predicted * true).sum(dim=1)
        total = total + weight * (predicted + true).sum(dim=1)
    return (1 - 2 * overlap / total).mean()


def roi_loss(
    prediction: RoiPrediction, target: Tensor, centre: Tensor, *, roi_weight: float = 1.0, location_weight: float = 1.0
) -> Tensor:
    """L_seg over the whole volume, plus L_ROI over the cut box, plus L_loc, the distance between centres.

    Parameters
    ----------
    target : (b, 1, z, y, x) 0 or 1
    centre : (b, 3) true centre of the mask, z y x in [-1, 1]
    roi_weight, location_weight : λ1 and λ2, both 1 in the paper
    """
    segmentation = weighted_dice_loss(torch.sigmoid(prediction.logits), target)
    shape = prediction.roi_logits.shape
    inside = cut(target, prediction.start, (shape[2], shape[3], shape[4]))
    roi = dice_loss(torch.sigmoid(prediction.roi_logits), inside)
    location: Tensor = torch.linalg.vector_norm(prediction.centre - centre, dim=1).mean()
    return segmentation + roi_weight * roi + location_weight * location
