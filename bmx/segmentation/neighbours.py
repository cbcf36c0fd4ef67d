"""Look for a region in the neighbouring slabs, where it lies if an exam was begun too high or too low.

A model has learned where in its slab a region lies. So the slabs are joined to one body, and the model is shown windows
of this body, as long as its slab and up to three quarters of that higher or lower, until it is as sure as it is of
regions that lie where they belong. One that can't say how sure it is is believed what it draws away from the ends of a
window. What is drawn is laid onto the native voxels of the slab that covers it best.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bmx.core.geometry import to_world
from bmx.core.stitch import GHOST_SLICES, SlabPair, Stitched, bring_back, index_map, stitch
from bmx.models.base import Drawing, RegionModel, Side
from bmx.types import Affine, Mask

_STEPS = (1, 2, 3)
"""Quarters of a slab by which windows are moved."""

_CUT = 0.1
"""Confidence that a drawing at the end of its window loses: there may be more of it."""

_CLEARLY = 0.02
"""By which something elsewhere must be surer than what was drawn first."""


class Found(NamedTuple):
    """Where a region is best measured."""

    slab: int
    drawing: Drawing
    """On the acquired voxels of this slab."""


def look_around(
    model: RegionModel, slabs: Mapping[int, SlabPair], own: int, first: Drawing, *, side: Side = "left"
) -> Found:
    """Look for a region in its slab and the two beside it.

    Parameters
    ----------
    model : draws the region
    slabs : those of the exam that can be used, by number; `own` must be among them
    own : the slab of the region
    first : what the model draws in it
    side : of the body, that was drawn

    Returns
    -------
    Found: `first`, unless something surer lies elsewhere in the body, or another slab covers it better. Without a
    confidence: `first`, unless that is empty or may be cut, and a window shows the region away from its ends.
    """
    here = Found(own, first)
    near = [number for number in (own - 1, own, own + 1) if number in slabs]
    length = len(slabs[own].fat)
    if len(near) == 1 or not _may_lie_elsewhere(first, model.sure, length):
        return here
    body = stitch([slabs[number] for number in near], like=near.index(own))
    best, most, drawn = -np.inf, first.confidence, None
    for start in _windows(body, length, first.mask):
        window = slice(start, start + length)
        affine = np.column_stack([body.affine[:, :3], to_world(body.affine, np.array([start, 0, 0]))])
        found = model.draw(body.fat[window], body.water[window], affine, side=side)
        score = _worth(found, length)
        if found.mask.any() and score > best:
            best, most = score, found.confidence
            drawn = np.zeros(body.fat.shape, np.bool_)
            drawn[window] = found.mask > 0
        if best >= model.sure or best == np.inf:
            break
    was_sure = first.mask.any() and first.confidence >= model.sure
    if drawn is None or best < _worth(first, length) + _CLEARLY:
        return here
    slab = max(near, key=lambda number: (_covered(drawn, body.affine, slabs[number]), number == own))
    if slab == own and was_sure:
        return here
    there = slabs[slab]
    mask = bring_back(drawn, body.affine, there.affine, (len(there.fat), *there.fat.shape[1:]))
    return Found(slab, Drawing(mask.astype(np.uint8), most))


def _worth(drawing: Drawing, slices: int) -> float:
    """How sure a model is of a drawing, less at the end of its window, where there may be more of it.

    One that can't say is as sure as can be of what it draws away from the ends, and of nothing else.
    """
    if not drawing.mask.any():
        return -np.inf
    near_end = _near_end(drawing.mask, slices)
    if np.isnan(drawing.confidence):
        return -np.inf if near_end else np.inf
    return drawing.confidence - _CUT * near_end


def _may_lie_elsewhere(drawing: Drawing, sure: float, slices: int) -> bool:
    """Whether a drawing is empty, unsure, or lies where slabs are folded over; an unknown confidence is no doubt."""
    return not drawing.mask.any() or drawing.confidence < sure or _near_end(drawing.mask, slices)


def _near_end(mask: npt.NDArray[np.uint8], slices: int) -> bool:
    filled = np.flatnonzero(mask.any(axis=(1, 2)))
    return bool(filled.size) and bool(filled[0] < GHOST_SLICES or filled[-1] >= slices - GHOST_SLICES)


def _windows(body: Stitched, length: int, first: npt.NDArray[np.uint8]) -> Iterator[int]:
    """First slices of the windows of a body, those first at the end of the slab near which something was drawn."""
    filled = np.flatnonzero(first.any(axis=(1, 2)))
    upwards = bool(filled.size) and filled.mean() > (length - 1) / 2
    seen = {body.first}
    for step in _STEPS:
        for sign in (1, -1) if upwards else (-1, 1):
            start = min(max(body.first + sign * step * length // 4, 0), len(body.fat) - length)
            if start not in seen:
                seen.add(start)
                yield start


def _covered(mask: Mask, affine: Affine, slab: SlabPair) -> float:
    """Voxels of a mask that a slab holds; those in slices that may be folded over count half."""
    voxels = mask.sum(axis=(1, 2))
    matrix, offset = index_map(affine, slab.affine)
    rows, columns = (np.array(mask.shape[1:]) - 1) / 2
    z = matrix[0, 0] * np.arange(len(mask)) + matrix[0, 1] * rows + matrix[0, 2] * columns + offset[0]
    last = len(slab.fat) - 1
    inside, clean = (z >= -0.5) & (z <= last + 0.5), (z >= GHOST_SLICES) & (z <= last - GHOST_SLICES)
    return float((voxels * (inside / 2 + clean / 2)).sum())
