"""The convolution blocks that every network here is made of."""

from __future__ import annotations

import math

from torch import nn

RARE = math.log(0.05 / 0.95)
"""Logit with which heads begin: few voxels are foreground, and training needn't first find that out."""


class ConvBlock(nn.Sequential):
    """3-D convolution, ReLU, instance norm (paper 2.7: "3D conv + Relu + Instance normalization")."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv3d(inputs, outputs, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.InstanceNorm3d(outputs, affine=True),
        )


class DownSample(nn.Conv3d):
    """Halve every axis by a 3 x 3 x 3 convolution of stride 2 (paper 2.7)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, kernel_size=3, stride=2, padding=1)


class UpSample(nn.ConvTranspose3d):
    """Double every axis by a transposed convolution, as the 3-D U-Net does."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, kernel_size=2, stride=2)


class DoubleConv(nn.Sequential):
    """Two convolution blocks, as at each level of a U-Net."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(ConvBlock(inputs, outputs), ConvBlock(outputs, outputs))
