"""The ROI attention U-Net of Morris et al. 2024 (section 2.7 and Fig. 2): find a small structure, then segment it.

| paper | here |
|---|---|
| four resolution levels | `Encoder.levels`, three `DownSample` between them |
| encoding block: convolution, CBAM convolution, stride-2 3x3x3 convolution | `EncodingBlock`, `DownSample` |
| last block: two CBAM convolutions with a non-local layer between them | `LastBlock` |
| five attention maps, resized to one size, fused by a mini CNN with softmax to P | `Locator.fuse` |
| centre = P ⊙ (u, v, w), coordinates in [-1, 1] | `Locator.forward` |
| ROI of 32, 16, 8, 4 voxels cut from the features of all levels | `cut` in `RoiUNet.forward` |
| U-Net decoder on the ROI | `Decoder` |
| result implanted into the whole volume | `implant` in `RoiUNet.forward` |

The paper doesn't say how wide the layers are, what happens at a border, or how a ROI is cut while the
centre is still wrong early in training. Widths are chosen in `build.py`; a ROI is moved inward at a
border; and training may give the true centre (`at`) to cut around.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from bmx.nn.attention import CbamConv, NonLocal
from bmx.nn.blocks import ConvBlock, DoubleConv, DownSample, UpSample
from bmx.nn.roi import Shape, cut, implant, roi_start

OUTSIDE_LOGIT = -12.0
"""Outside the ROI the network is sure that there is nothing."""


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
        self.fuse = nn.Sequential(ConvBlock(maps, width), nn.Conv3d(width, 1, kernel_size=3, padding=1))

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Attention maps (b, 1, ...) of any sizes to centres (b, 3): z y x in [-1, 1]."""
        resized = [functional.interpolate(one, self.grid, mode="trilinear", align_corners=False) for one in maps]
        logits = self.fuse(torch.cat(resized, dim=1))  # (b, 1, *grid)
        probability = torch.softmax(logits.flatten(1), dim=1).reshape(-1, *self.grid)  # (b, *grid)
        centre = []
        for axis, size in enumerate(self.grid):
            others = [other + 1 for other in range(3) if other != axis]
            position = (torch.arange(size, device=logits.device, dtype=logits.dtype) + 0.5) / size * 2 - 1
            centre.append(probability.sum(dim=others) @ position)
        return torch.stack(centre, dim=1)


class Decoder(nn.Module):
    """The expanding path of a U-Net, on the ROI alone."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        pairs = list(pairwise(widths))[::-1]
        self.up = nn.ModuleList(UpSample(coarse, fine) for fine, coarse in pairs)
        self.join = nn.ModuleList(DoubleConv(2 * fine, fine) for fine, _ in pairs)
        self.head = nn.Conv3d(widths[0], 1, kernel_size=1)
        # Few voxels are foreground: begin by saying so.
        nn.init.constant_(self.head.bias, math.log(0.05 / 0.95))  # type: ignore[arg-type]  # made with a bias

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
    """(b, 3) z y x in [-1, 1]."""
    start: Tensor
    """(b, 3) first voxel of the ROI."""


class RoiUNet(nn.Module):
    """Find a small structure, then segment it at full resolution."""

    def __init__(self, *, encoder: Encoder, locator: Locator, decoder: Decoder, roi: Shape) -> None:
        super().__init__()
        self.encoder, self.locator, self.decoder, self.roi = encoder, locator, decoder, roi
        self.multiple = 2 ** len(encoder.down)

    def forward(self, volume: Tensor, at: Tensor | None = None) -> RoiPrediction:
        """Segment (b, 1, z, y, x); axes are padded to what the levels need and cut back.

        `at` (b, 3) replaces the predicted centre as the place where the ROI is cut.
        """
        inside = _shape(volume)
        short = [-size % self.multiple for size in inside]
        volume = functional.pad(volume, (0, short[2], 0, short[1], 0, short[0]))
        padded = _shape(volume)
        features, maps = self.encoder(volume)
        centre = self.locator(maps)
        start = roi_start(centre if at is None else at, padded, self.roi, self.multiple)
        cuts = [
            cut(level, start // 2**depth, (self.roi[0] >> depth, self.roi[1] >> depth, self.roi[2] >> depth))
            for depth, level in enumerate(features)
        ]
        roi_logits = self.decoder(cuts)  # (b, 1, *roi)
        logits = implant(roi_logits, start, padded, OUTSIDE_LOGIT)
        return RoiPrediction(logits[:, :, : inside[0], : inside[1], : inside[2]], roi_logits, centre, start)


def _shape(volume: Tensor) -> Shape:
    return volume.shape[-3], volume.shape[-2], volume.shape[-1]
