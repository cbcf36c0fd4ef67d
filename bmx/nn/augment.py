"""Variation of training examples, drawn anew at every step: size, window, brightness, contrast, shading, noise."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def augment(volume: Tensor, mask: Tensor, rng: np.random.Generator, *, zoom: bool) -> tuple[Tensor, Tensor]:
    """Vary one example.

    Parameters
    ----------
    volume, mask : (z, y, x) float32
    zoom : whether the body may be made smaller or larger; not where the mask has a fixed length in mm
    """
    if zoom:
        volume, mask = _zoom(volume, mask, rng)
    volume, mask = _window(volume, mask, rng)
    volume = volume.clamp(min=0) ** float(np.exp(rng.normal(0, 0.15))) * float(np.exp(rng.normal(0, 0.1)))
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    coarse = torch.randn((1, 1, 3, 4, 4), generator=generator)
    shading = functional.interpolate(coarse, volume.shape, mode="trilinear", align_corners=True)[0, 0]
    volume = volume * torch.exp(float(rng.uniform(0, 0.15)) * shading)
    noise = torch.randn(volume.shape, generator=generator)
    return volume + float(rng.uniform(0, 0.03)) * noise, mask


def _zoom(volume: Tensor, mask: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Make the body smaller or larger: few examples are of very small or very tall people."""
    in_plane = rng.uniform(0.85, 1.12)
    factors = (in_plane * rng.uniform(0.95, 1.05), in_plane, in_plane)
    size = [max(round(length * factor), 1) for length, factor in zip(volume.shape, factors, strict=True)]
    both = functional.interpolate(torch.stack([volume, mask])[None], size, mode="trilinear", align_corners=False)[0]
    return both[0], (both[1] > 0.5).float()


def _window(volume: Tensor, mask: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Drop up to an eighth of each axis, never a voxel of the mask: the body is never cut twice alike."""
    window = []
    for axis, size in enumerate(volume.shape):
        others = tuple(other for other in range(3) if other != axis)
        inside = torch.nonzero(mask.amax(dim=others))[:, 0]
        first, last = (int(inside[0]), int(inside[-1])) if len(inside) else (size // 2, size // 2)
        before = int(rng.integers(0, min(first, size // 16) + 1))
        after = int(rng.integers(0, min(size - 1 - last, size // 16) + 1))
        window.append(slice(before, size - after))
    return volume[window[0], window[1], window[2]], mask[window[0], window[1], window[2]]
