"""Boxes in volumes: cut one out of a feature map around a centre, and put it back."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from bmx.nn.frame import Shape, shape_of

OUTSIDE_LOGIT = -12.0
"""Outside the ROI a network is sure that there is nothing."""


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


def densest_places(weight: Tensor, roi: Shape, most: int, left_over: float = 0.05) -> list[Tensor]:
    """Centres of the boxes that together hold the weight of a map, the heaviest first.

    A box is put where it holds the most and then moved to the centre of mass of what it holds: a second blob
    elsewhere (the other femur) does not pull it off, as it would pull the centre of mass of the whole map.

    Parameters
    ----------
    weight : (z, y, x) float, not negative
    roi : (z, y, x) voxels of one box
    most : number of boxes; fewer are given once no more than `left_over` of the weight lies outside them

    Returns
    -------
    At least one (3,), z y x in [-1, 1].

    Examples
    --------
    >>> weight = torch.zeros(1, 4, 9)
    >>> weight[0, 1, 2], weight[0, 3, 8] = 2.0, 1.0
    >>> torch.stack(densest_places(weight, (1, 3, 3), most=2))
    tensor([[ 0.0000, -0.2500, -0.4444],
            [ 0.0000,  0.7500,  0.8889]])
    """
    size = shape_of(weight)
    box = (min(roi[0], size[0]), min(roi[1], size[1]), min(roi[2], size[2]))
    left, total = weight.clone(), float(weight.sum())
    places: list[Tensor] = []
    while not places or (len(places) < most and float(left.sum()) > left_over * total):
        held = functional.avg_pool3d(left[None], box, stride=1)[0]
        start = torch.stack(torch.unravel_index(held.argmax(), held.shape))
        inside = tuple(slice(int(first), int(first) + length) for first, length in zip(start, box, strict=True))
        centre = (start + _centre_of_mass(left[inside])) / torch.tensor(size, device=weight.device) * 2 - 1
        places.append(centre)
        z, y, x = roi_start(centre[None], size, box, multiple=1)[0].tolist()
        left[z : z + box[0], y : y + box[1], x : x + box[2]] = 0
        # What was found is done with, even where moving the box has bared a rim of it.
        left[inside] = 0
    return places


def _centre_of_mass(weight: Tensor) -> Tensor:
    """(z, y, x) to (3,) in voxels from the outer face; the middle of an empty map."""
    total = weight.sum()
    size = torch.tensor(weight.shape, device=weight.device)
    if float(total) == 0:
        return size / 2
    centre = []
    for axis, length in enumerate(weight.shape):
        others = [other for other in range(3) if other != axis]
        position = torch.arange(length, device=weight.device) + 0.5
        centre.append((weight.sum(dim=others) * position).sum() / total)
    return torch.stack(centre)
