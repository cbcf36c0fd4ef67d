"""Boxes in volumes: cut one out of a feature map around a centre, and put it back."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

Shape = tuple[int, int, int]


def roi_start(centre: Tensor, volume: Shape, roi: Shape, multiple: int) -> Tensor:
    """First voxel of a box of shape `roi` around `centre`, moved so that it stays inside the volume.

    Parameters
    ----------
    centre : (b, 3) float, z y x in [-1, 1], where ±1 are the outer faces of the volume
    multiple : the start is rounded to this many voxels, so that every level of an encoder can be cut alike

    Returns
    -------
    (b, 3) int64. Where the box is larger than the volume it starts at 0, and the cut is padded.

    Examples
    --------
    >>> roi_start(torch.tensor([[0.0, 0.0, 0.9]]), (16, 64, 64), (16, 32, 32), 8)
    tensor([[ 0, 16, 32]])
    """
    size = torch.tensor(volume, device=centre.device)
    box = torch.tensor(roi, device=centre.device)
    middle = (centre.detach() + 1) / 2 * size
    start = torch.round((middle - box / 2) / multiple).long() * multiple
    return torch.minimum(start.clamp(min=0), (size - box).clamp(min=0))


def cut(features: Tensor, start: Tensor, roi: Shape) -> Tensor:
    """Cut a box out of each volume of a batch: (b, c, z, y, x) to (b, c, *roi), zeros beyond the volume."""
    boxes = []
    for volume, (z, y, x) in zip(features, start.tolist(), strict=True):
        box = volume[:, z : z + roi[0], y : y + roi[1], x : x + roi[2]]
        short = [want - have for want, have in zip(roi, box.shape[1:], strict=True)]
        boxes.append(functional.pad(box, (0, short[2], 0, short[1], 0, short[0])))
    return torch.stack(boxes)


def implant(boxes: Tensor, start: Tensor, volume: Shape, background: float) -> Tensor:
    """Put boxes (b, c, *roi) back into volumes (b, c, *volume) that hold `background` elsewhere."""
    whole = []
    for box, (z, y, x) in zip(boxes, start.tolist(), strict=True):
        box = box[:, : volume[0] - z, : volume[1] - y, : volume[2] - x]
        after = (volume[0] - z - box.shape[1], volume[1] - y - box.shape[2], volume[2] - x - box.shape[3])
        whole.append(functional.pad(box, (x, after[2], y, after[1], z, after[0]), value=background))
    return torch.stack(whole)
