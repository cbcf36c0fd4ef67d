"""Attention: the modified CBAM and the non-local layer of the paper's encoder (section 2.7)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bmx.nn.blocks import ConvBlock


class ChannelAttention(nn.Module):
    """Weigh channels by what is in them: average and maximum over space through one small network (CBAM)."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(channels // reduction, 2)
        self.weigh = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, channels))

    def forward(self, features: Tensor) -> Tensor:
        """(b, c, z, y, x) to the same shape."""
        weights = self.weigh(features.mean(dim=(2, 3, 4))) + self.weigh(features.amax(dim=(2, 3, 4)))  # (b, c)
        return features * torch.sigmoid(weights)[:, :, None, None, None]


class CbamConv(nn.Module):
    """A convolution block followed by a modified CBAM.

    The original CBAM derives its spatial map from average and maximum over channels; here one 1 x 1 x 1
    convolution gives a single map (paper 2.7), which is also handed on to locate the ROI.
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.conv = ConvBlock(channels, channels)
        self.channel = ChannelAttention(channels, reduction)
        self.spatial = nn.Conv3d(channels, 1, kernel_size=1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(b, c, z, y, x) to features of the same shape and a map (b, 1, z, y, x) of logits."""
        features = self.channel(self.conv(features))
        attention = self.spatial(features)
        return features * torch.sigmoid(attention), attention


class NonLocal(nn.Module):
    """Let every position look at every other one (Wang et al. 2018, embedded Gaussian)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // 2, 1)
        self.query = nn.Conv3d(channels, inner, kernel_size=1)
        self.key = nn.Conv3d(channels, inner, kernel_size=1)
        self.value = nn.Conv3d(channels, inner, kernel_size=1)
        self.project = nn.Conv3d(inner, channels, kernel_size=1)
        # It begins as the identity, so that training starts from a plain encoder.
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)  # type: ignore[arg-type]  # a Conv3d made with bias has one

    def forward(self, features: Tensor) -> Tensor:
        """(b, c, z, y, x) to the same shape."""
        layers = (self.query, self.key, self.value)
        # One head, said as an axis of its own: torch then never holds the weights of all pairs of positions.
        query, key, value = (layer(features).flatten(2).transpose(1, 2)[:, None] for layer in layers)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)  # (b, 1, positions, inner)
        mixed = mixed[:, 0].transpose(1, 2).reshape(len(mixed), -1, *features.shape[2:])
        projected: Tensor = self.project(mixed)
        return features + projected
