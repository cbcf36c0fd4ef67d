"""The ROI attention U-Net of Morris et al. 2024: find a small structure, then segment it.

Section 2.7 and Fig. 2, part by part:

| paper | here |
|---|---|
| "feature maps [of] four resolution levels" | `Encoder.levels`, three `DownSample` between them |
| "3D conv + Relu + Instance normalization" | `ConvBlock`, in this order |
| encoding block: that, a CBAM convolution, a stride-2 3x3x3 convolution | `EncodingBlock`, `DownSample` |
| CBAM modified: one map from a 1x1x1 convolution, not two from average and maximum | `CbamConv.spatial` |
| last block: two CBAM convolutions with a non-local layer between them | `LastBlock` |
| five attention maps, resized by trilinear interpolation to 96x96x96 | `Locator`; `grid` in `build.py`, 48 by default |
| fused by a mini CNN with softmax to a probability map P | `Locator.fuse`, softmax over all positions |
| centre = P ⊙ (u, v, w), coordinates normalised to [-1, 1] | `Locator.forward`: the mean position under P |
| a cubic ROI cut from the features of all levels, 32, 16, 8 and 4 voxels | `cut`; `Region.roi_shape` |
| U-Net decoder on the ROI | `Decoder` |
| result implanted into the whole volume | `implant` in `RoiUNet.forward` |
| L = L_seg + λ1 L_ROI + λ2 L_loc, λ1 = λ2 = 1 | `RoiPrediction.loss` |

Where we differ, on purpose: the ROI is wider than 32 where a region is (`regions.py`: a ROI that cuts the spine short
can't be right), and the map of P is 48 voxels wide by default (the same centres for an eighth of the work).
The last block begins with a plain `ConvBlock`, as the other blocks do; the paper names only its two CBAM convolutions.

Where the paper is silent: the widths (chosen in `build.py`); whether CBAM's channel attention stays (it does, with
average and maximum as in Woo et al. 2018); the layers of the mini CNN (one `ConvBlock` and one convolution); those of
the decoder (transposed convolution, skip, two `ConvBlock`); the norm in L_loc (Euclidean); what is outside the ROI in
L_seg (surely background); what happens at a border (the ROI is moved inward); and how a ROI is cut while the centre is
still wrong early in training (the trainer may give the true centre, `at`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from bmx.nn.attention import CbamConv, NonLocal
from bmx.nn.blocks import RARE, Conv, ConvBlock, DoubleConv, DownSample, UpSample
from bmx.nn.frame import Shape, in_padded, out_of_padded, pad_to_multiple, shape_of
from bmx.nn.losses import dice_loss, weighted_dice_loss
from bmx.nn.network import Network
from bmx.nn.roi import OUTSIDE_LOGIT, cut, implant, roi_start


class EncodingBlock(nn.Module):
    """One resolution level: a convolution block and a CBAM convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = ConvBlock(inputs, outputs)
        self.cbam = CbamConv(outputs)

    def forward(self, features: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(b, inputs, z, y, x) to (b, outputs, z, y, x) and one attention map."""
        features, attention = self.cbam(self.conv(features))
        return features, [attention]


class LastBlock(nn.Module):
    """The coarsest level: two CBAM convolutions with a non-local layer between them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = ConvBlock(inputs, outputs)
        self.first, self.non_local, self.second = CbamConv(outputs), NonLocal(outputs), CbamConv(outputs)

    def forward(self, features: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(b, inputs, z, y, x) to (b, outputs, z, y, x) and two attention maps."""
        features, before = self.first(self.conv(features))
        features, after = self.second(self.non_local(features))
        return features, [before, after]


class Encoder(nn.Module):
    """Contract the whole volume; keep the features of every level and all attention maps."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        blocks = [EncodingBlock(1, widths[0])]
        blocks += [EncodingBlock(width, width) for width in widths[1:-1]]
        self.levels = nn.ModuleList([*blocks, LastBlock(widths[-1], widths[-1])])
        self.down = nn.ModuleList(DownSample(fine, coarse) for fine, coarse in pairwise(widths))

    def forward(self, volume: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """(b, 1, z, y, x) to features, finest first, and attention maps, finest first."""
        features: list[Tensor] = []
        maps: list[Tensor] = []
        for level, block in enumerate(self.levels):
            volume, attention = block(volume if level == 0 else self.down[level - 1](volume))
            features.append(volume)
            maps += attention
        return features, maps


class Locator(nn.Module):
    """Fuse the attention maps to one probability map; its mean position is the centre of the ROI."""

    def __init__(self, maps: int, grid: Shape, width: int) -> None:
        super().__init__()
        self.grid = grid
        self.fuse = nn.Sequential(ConvBlock(maps, width), Conv(width, 1, kernel_size=3, padding=1))

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Attention maps (b, 1, ...) of any sizes to centres (b, 3): z y x in [-1, 1]."""
        resized = [functional.interpolate(one, self.grid, mode="trilinear", align_corners=False) for one in maps]
        logits = self.fuse(torch.cat(resized, dim=1))  # (b, 1, *grid)
        probability = torch.softmax(logits.flatten(1), dim=1).reshape(-1, *self.grid)  # (b, *grid)
        centre = []
        for axis, size in enumerate(self.grid):
            others = [other + 1 for other in range(3) if other != axis]
            position = (torch.arange(size, device=logits.device) + 0.5) / size * 2 - 1
            # Not a matrix product, which autocast would do in half precision: that is too coarse for a place.
            centre.append((probability.sum(dim=others).float() * position).sum(dim=1))
        return torch.stack(centre, dim=1)


class Decoder(nn.Module):
    """The expanding path of a U-Net, on the ROI alone."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        pairs = list(pairwise(widths))[::-1]
        self.up = nn.ModuleList(UpSample(coarse, fine) for fine, coarse in pairs)
        self.join = nn.ModuleList(DoubleConv(2 * fine, fine) for fine, _ in pairs)
        self.head = nn.Conv3d(widths[0], 1, kernel_size=1)
        nn.init.constant_(self.head.bias, RARE)  # type: ignore[arg-type]  # made with a bias

    def forward(self, features: list[Tensor]) -> Tensor:
        """Features of the ROI, finest first, to logits (b, 1, *roi)."""
        result = features[-1]
        for up, join, skip in zip(self.up, self.join, features[-2::-1], strict=True):
            result = join(torch.cat([up(result), skip], dim=1))
        logits: Tensor = self.head(result)
        return logits


class RoiPrediction(NamedTuple):
    """What the network says of a batch of volumes."""

    logits: Tensor
    """(b, 1, z, y, x), of the whole volume."""
    roi_logits: Tensor
    """(b, 1, *roi)."""
    centre: Tensor
    """(b, 3) z y x, where ±1 are the outer faces of the volume as it came; a place in the padding lies beyond 1."""
    start: Tensor
    """(b, 3) first voxel of the ROI."""

    def loss(self, target: Tensor, centre: Tensor, *, roi_weight: float = 1.0, location_weight: float = 1.0) -> Tensor:
        """L_seg over the whole volume, plus λ1 L_ROI over the cut box, plus λ2 L_loc, the distance between centres.

        Parameters
        ----------
        target : (b, 1, z, y, x) 0 or 1
        centre : (b, 3) true centre of the mask, z y x in [-1, 1]
        roi_weight, location_weight : λ1 and λ2, both 1 in the paper
        """
        segmentation = weighted_dice_loss(torch.sigmoid(self.logits), target)
        inside = cut(target, self.start, shape_of(self.roi_logits))
        roi = dice_loss(torch.sigmoid(self.roi_logits), inside)
        location: Tensor = torch.linalg.vector_norm(self.centre - centre, dim=1).mean()
        return segmentation + roi_weight * roi + location_weight * location


class RoiUNet(Network):
    """Find a small structure, then segment it at full resolution.

    Parameters
    ----------
    roi : (z, y, x) voxels of the ROI; multiples of what the levels halve, so that every level can be cut alike
    """

    def __init__(self, *, encoder: Encoder, locator: Locator, decoder: Decoder, roi: Shape) -> None:
        super().__init__()
        self.encoder, self.locator, self.decoder, self.roi = encoder, locator, decoder, roi
        self.multiple = 2 ** len(encoder.down)
        if any(length % self.multiple for length in roi):
            raise ValueError(
                f"a ROI of {roi} voxels cannot be halved {len(encoder.down)} times; use multiples of {self.multiple}"
            )

    def forward(self, volume: Tensor, at: Tensor | None = None) -> RoiPrediction:
        """Segment (b, 1, z, y, x) of any size; axes are padded to what the levels need and cut back.

        `at` (b, 3) replaces the predicted centre as the place where the ROI is cut.
        """
        z, y, x = size = shape_of(volume)
        seen = pad_to_multiple(volume, (self.multiple, self.multiple, self.multiple))
        padded = shape_of(seen)
        features, maps = self.encoder(seen)
        # A map of attention covers the padding, too; the loss compares with a centre in the volume as it came.
        centre = out_of_padded(self.locator(maps), size, padded)
        place = in_padded(centre if at is None else at, size, padded)
        start = roi_start(place, padded, self.roi, self.multiple)
        cuts = [
            cut(level, start // 2**depth, (self.roi[0] >> depth, self.roi[1] >> depth, self.roi[2] >> depth))
            for depth, level in enumerate(features)
        ]
        roi_logits = self.decoder(cuts)  # (b, 1, *roi)
        logits = implant(roi_logits, start, padded, OUTSIDE_LOGIT)
        return RoiPrediction(logits[:, :, :z, :y, :x], roi_logits, centre, start)
