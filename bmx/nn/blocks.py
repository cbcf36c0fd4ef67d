"""The convolution blocks that every network here is made of."""

from __future__ import annotations

import math

from torch import Tensor, nn

RARE = math.log(0.05 / 0.95)
"""Logit with which heads begin: few voxels are foreground, and training needn't first find that out."""


SMALL = 20480
"""Channels x z x y up to which torch convolves one volume on a CPU by its own kernel instead of oneDNN's."""


class Conv(nn.Conv3d):
    """A 3-D convolution that is quick for one small volume, too.

    Torch keeps oneDNN for large volumes and for batches, and its own kernel is several times slower. A second, equal
    volume that nobody copies and whose result nobody reads makes it a batch: twice the work in less time
    (`benchmarks/segment.py` prints by how much).
    """

    def forward(self, volume: Tensor) -> Tensor:
        """(b, inputs, z, y, x) to (b, outputs, ...)."""
        batch, channels, z, y, _ = volume.shape
        if batch == 1 and volume.device.type == "cpu" and channels * z * y <= SMALL:
            return super().forward(volume.expand(2, -1, -1, -1, -1))[:1]
        return super().forward(volume)


class ConvBlock(nn.Sequential):
    """3-D convolution, ReLU, instance norm (paper 2.7: "3D conv + Relu + Instance normalization")."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            Conv(inputs, outputs, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.InstanceNorm3d(outputs, affine=True),
        )


class DownSample(Conv):
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
