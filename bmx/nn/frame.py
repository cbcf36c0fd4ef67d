"""Axes padded to what the levels of a network need, and coordinates that survive it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

Shape = tuple[int, int, int]


def shape_of(volume: Tensor) -> Shape:
    """Give (z, y, x) of a tensor that ends with them."""
    return volume.shape[-3], volume.shape[-2], volume.shape[-1]


def pad_to_multiple(volume: Tensor, multiple: Shape) -> Tensor:
    """Append zeros until every axis is a multiple: (b, c, z, y, x) to (b, c, Z, Y, X).

    Where one multiple would be the whole volume, x gets a second one: instance norm is undefined for the single
    value that would be left at the coarsest level.

    Examples
    --------
    >>> pad_to_multiple(torch.zeros(1, 1, 9, 8, 3), (4, 4, 4)).shape
    torch.Size([1, 1, 12, 8, 4])
    >>> pad_to_multiple(torch.zeros(1, 1, 3, 3, 3), (4, 4, 4)).shape
    torch.Size([1, 1, 4, 4, 8])
    """
    size = shape_of(volume)
    z, y, x = (-length % step for length, step in zip(size, multiple, strict=True))
    if all(length <= step for length, step in zip(size, multiple, strict=True)):
        x += multiple[2]
    return functional.pad(volume, (0, x, 0, y, 0, z)) if z or y or x else volume


def in_padded(centre: Tensor, volume: Shape, padded: Shape) -> Tensor:
    """Coordinates of a volume as coordinates of the same volume with zeros appended: (b, 3) to (b, 3).

    Examples
    --------
    >>> in_padded(torch.tensor([[1.0, 0.0, -1.0]]), (6, 6, 6), (8, 8, 6))
    tensor([[ 0.5000, -0.2500, -1.0000]])
    """
    ratio = torch.tensor(volume, device=centre.device) / torch.tensor(padded, device=centre.device)
    return (centre + 1) * ratio - 1


def out_of_padded(centre: Tensor, volume: Shape, padded: Shape) -> Tensor:
    """Undo `in_padded`: coordinates of the padded volume as those of the volume as it came, (b, 3) to (b, 3).

    Examples
    --------
    >>> out_of_padded(torch.tensor([[0.5, -0.25, -1.0]]), (6, 6, 6), (8, 8, 6))
    tensor([[ 1.,  0., -1.]])
    """
    ratio = torch.tensor(padded, device=centre.device) / torch.tensor(volume, device=centre.device)
    return (centre + 1) * ratio - 1
