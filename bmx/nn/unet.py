"""The 3-D U-Net of Çiçek et al. 2016, the baseline of Morris et al. 2024 (Table 2).

| Çiçek 2016, Fig. 2 | here |
|---|---|
| two 3 x 3 x 3 convolutions a level, each with batch norm and ReLU | two `ConvBlock`, with ReLU and instance norm |
| 2 x 2 x 2 max pooling of stride 2 | 3 x 3 x 3 convolution of stride 2, as in the paper's own network |
| 2 x 2 x 2 up-convolution of stride 2, skip connection by concatenation | `UpSample`, `torch.cat` |
| 1 x 1 x 1 convolution to the classes | `UNet.head` |
| no padding, so that the result is smaller than the input | zeros at the border, so that it has the size of the input |

Batch norm would tie a volume to its batch, which is often of one. Morris et al. don't say how wide or deep their
baseline was, nor its loss: widths are chosen in `build.py`, and the loss is Dice and cross-entropy, as is common.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bmx.nn.blocks import RARE, DoubleConv, DownSample, UpSample
from bmx.nn.frame import pad_to_multiple, shape_of
from bmx.nn.losses import dice_and_entropy
from bmx.nn.network import Network


class UNet(nn.Module):
    """Encoder and decoder with skip connections: every voxel at full resolution, any number of classes.

    Parameters
    ----------
    widths : channels of each level, finest first
    classes : output channels, background included
    inputs : input channels
    """

    def __init__(self, widths: tuple[int, ...], classes: int, inputs: int = 1) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.enter = DoubleConv(inputs, widths[0])
        self.down = nn.ModuleList(DownSample(fine, coarse) for fine, coarse in pairs)
        self.encode = nn.ModuleList(DoubleConv(coarse, coarse) for _, coarse in pairs)
        self.up = nn.ModuleList(UpSample(coarse, fine) for fine, coarse in pairs[::-1])
        self.decode = nn.ModuleList(DoubleConv(2 * fine, fine) for fine, _ in pairs[::-1])
        self.head = nn.Conv3d(widths[0], classes, kernel_size=1)
        self.multiple = 2 ** len(pairs)

    def forward(self, volume: Tensor) -> Tensor:
        """(b, inputs, z, y, x) to logits (b, classes, z, y, x); axes are padded for the levels and cut back."""
        z, y, x = shape_of(volume)
        features = self.enter(pad_to_multiple(volume, (self.multiple, self.multiple, self.multiple)))
        skips = []
        for down, encode in zip(self.down, self.encode, strict=True):
            skips.append(features)
            features = encode(down(features))
        for up, decode, skip in zip(self.up, self.decode, skips[::-1], strict=True):
            features = decode(torch.cat([up(features), skip], dim=1))
        logits: Tensor = self.head(features)
        return logits[..., :z, :y, :x]


def begin_rare(unet: UNet) -> UNet:
    """Let a U-Net of one class begin with the opinion that few voxels are foreground."""
    nn.init.constant_(unet.head.bias, RARE)  # type: ignore[arg-type]  # made with a bias
    return unet


class WholePrediction(NamedTuple):
    """Logits of the whole volume, and nothing else."""

    logits: Tensor
    """(b, 1, z, y, x)."""

    def loss(self, target: Tensor, centre: Tensor) -> Tensor:
        """Dice and cross-entropy over the whole volume; `centre` is not needed."""
        del centre
        return dice_and_entropy(self.logits, target)


class WholeUNet(Network):
    """Segment every voxel; there is no ROI, so `at` changes nothing."""

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        self.unet = begin_rare(unet)

    def forward(self, volume: Tensor, at: Tensor | None = None) -> WholePrediction:
        """Segment (b, 1, z, y, x) of any size."""
        del at
        return WholePrediction(self.unet(volume))
