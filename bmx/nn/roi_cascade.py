"""Two small U-Nets: one finds the structure in a coarse volume, one draws it at full resolution inside a ROI.

The encoder of the paper's network sees every voxel at full resolution, and that is nearly all of its cost. A
structure can be *found* in voxels of some 9 mm; only its border needs the full resolution.

1. Coarse: the volume, averaged over `shrink` voxels, goes through a U-Net that sees all of it. A coarse voxel
   should say 1 if it holds any part of the structure: the diaphysis would be lost in an average.
2. The ROI is put where the coarse probability is densest. A structure that doesn't fit gets several.
3. Fine: image and coarse probability, cut to the ROI, go through a second U-Net; its logits are put back.

Each stage has its own loss, and no gradient passes from the fine to the coarse one: the coarse map must stay a map.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from bmx.nn.frame import Shape, in_padded, pad_to_multiple, shape_of
from bmx.nn.losses import dice_and_entropy
from bmx.nn.network import Network
from bmx.nn.roi import OUTSIDE_LOGIT, cut, densest_places, implant, roi_start
from bmx.nn.unet import UNet, begin_rare


class CascadePrediction(NamedTuple):
    """What both stages say of a batch of volumes."""

    logits: Tensor
    """(b, 1, z, y, x), of the whole volume."""
    coarse_logits: Tensor
    """(b, 1, z / shrink, y / shrink, x / shrink), rounded up."""
    roi_logits: Tensor
    """(n, 1, *roi): one or more for each volume."""
    start: Tensor
    """(n, 3) first voxel of each ROI."""
    owner: Tensor
    """(n,) the volume of the batch that each ROI was cut from."""
    shrink: Shape

    def loss(self, target: Tensor, centre: Tensor) -> Tensor:
        """Dice and cross-entropy of both stages; `centre` is not needed, because the coarse map says where to look."""
        del centre
        held = functional.max_pool3d(pad_to_multiple(target, self.shrink), self.shrink)
        inside = cut(target[self.owner], self.start, shape_of(self.roi_logits))
        return dice_and_entropy(self.coarse_logits, held) + dice_and_entropy(self.roi_logits, inside)


class RoiCascade(Network):
    """Find a small structure at low resolution, then segment it at full resolution.

    Parameters
    ----------
    coarse : from 1 channel to 1 class
    fine : from 2 channels, image and coarse probability, to 1 class
    roi : (z, y, x) voxels of a ROI
    shrink : (z, y, x) voxels that make one coarse voxel
    most_rois : ROIs that one volume may get
    """

    def __init__(self, *, coarse: UNet, fine: UNet, roi: Shape, shrink: Shape, most_rois: int) -> None:
        super().__init__()
        self.coarse, self.fine = begin_rare(coarse), begin_rare(fine)
        self.roi, self.shrink, self.most_rois = roi, shrink, most_rois

    def forward(self, volume: Tensor, at: Tensor | None = None) -> CascadePrediction:
        """Segment (b, 1, z, y, x) of any size; `at` (b, 3) replaces the places found by one place per volume."""
        size = shape_of(volume)
        seen = pad_to_multiple(volume, self.shrink)
        padded = shape_of(seen)
        coarse_logits = self.coarse(functional.avg_pool3d(seen, self.shrink))
        probability = torch.sigmoid(coarse_logits.detach())
        if at is None:
            owner, place = self._find(probability)
        else:
            owner, place = torch.arange(len(volume), device=volume.device), in_padded(at, size, padded)
        start = roi_start(place, padded, self.roi, multiple=1)
        context = functional.interpolate(probability.to(seen.dtype), padded, mode="trilinear", align_corners=False)
        both = [cut(whole[owner], start, self.roi) for whole in (seen, context)]
        roi_logits = self.fine(torch.cat(both, dim=1))  # (n, 1, *roi)
        whole = self._merge(implant(roi_logits, start, padded, OUTSIDE_LOGIT), owner, len(volume))
        return CascadePrediction(
            whole[..., : size[0], : size[1], : size[2]], coarse_logits, roi_logits, start, owner, self.shrink
        )

    def _find(self, probability: Tensor) -> tuple[Tensor, Tensor]:
        """(b, 1, ...) coarse map to the owner (n,) and the place (n, 3) of each ROI."""
        box = [max(length // step, 1) for length, step in zip(self.roi, self.shrink, strict=True)]
        owner: list[int] = []
        places: list[Tensor] = []
        for index, one in enumerate(probability[:, 0].float()):
            # A faint haze over the whole body weighs more than a small structure: count what is likely.
            likely = (one - 0.5 * one.max()).clamp(min=0)
            found = densest_places(likely, (box[0], box[1], box[2]), self.most_rois)
            owner += [index] * len(found)
            places += found
        return torch.tensor(owner, device=probability.device), torch.stack(places)

    @staticmethod
    def _merge(boxes: Tensor, owner: Tensor, batch: int) -> Tensor:
        """Whole volumes, one for each ROI, to one for each member of the batch: inside where any ROI says so."""
        if len(boxes) == batch:
            return boxes
        return torch.stack([boxes[owner == index].amax(dim=0) for index in range(batch)])
