"""The convolution blocks that every network here is made of."""

from __future__ import annotations

from torch import nn


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
