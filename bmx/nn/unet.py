"""The 3-D U-Net (Çiçek et al. 2016): every voxel at full resolution, any number of classes."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from bmx.nn.blocks import DoubleConv, DownSample, UpSample


class UNet(nn.Module):
    """Encoder and decoder with skip connections; instance norm and strided convolutions as in the other networks.

    Parameters
    ----------
    widths : channels of each level, finest first
    classes : output channels, background included
    """

    def __init__(self, widths: tuple[int, ...], classes: int) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.enter = DoubleConv(1, widths[0])
        self.down = nn.ModuleList(DownSample(fine, coarse) for fine, coarse in pairs)
        self.encode = nn.ModuleList(DoubleConv(coarse, coarse) for _, coarse in pairs)
        self.up = nn.ModuleList(UpSample(coarse, fine) for fine, coarse in pairs[::-1])
        self.decode = nn.ModuleList(DoubleConv(2 * fine, fine) for fine, _ in pairs[::-1])
        self.head = nn.Conv3d(widths[0], classes, kernel_size=1)
        self.multiple = 2 ** len(pairs)

    def forward(self, volume: Tensor) -> Tensor:
        """(b, 1, z, y, x) to logits (b, classes, z, y, x); axes are padded to what the levels need and cut back."""
        inside = volume.shape[-3:]
        short = [-size % self.multiple for size in inside]
        features = self.enter(functional.pad(volume, (0, short[2], 0, short[1], 0, short[0])))
        skips = []
        for down, encode in zip(self.down, self.encode, strict=True):
            skips.append(features)
            features = encode(down(features))
        for up, decode, skip in zip(self.up, self.decode, skips[::-1], strict=True):
            features = decode(torch.cat([up(features), skip], dim=1))
        logits: Tensor = self.head(features)
        return logits[..., : inside[0], : inside[1], : inside[2]]
