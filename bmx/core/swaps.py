"""Find where fat and water are exchanged in the slabs of one exam (DOMAIN 3), and how sure that is.

First whole sides of slabs, all slabs together (`swap_chain`); then, in each slab, pieces of any shape that differ from
their side (`swap_cut`, `swap_judgement`); then their border on native voxels (`swap_border`). At last the exchanged
images are searched again: a piece that is found there a second time was no swap, or not that one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmx.core.stitch import SlabPair, index_map
from bmx.core.swap_border import refine, upsample
from bmx.core.swap_chain import Chain, solve_chain
from bmx.core.swap_cut import cut, link
from bmx.core.swap_evidence import Coarse, brightness_step, coarsen, local_evidence
from bmx.core.swap_judgement import judge_piece
from bmx.types import FloatVolume, Mask

_SURE_SIDE = 0.025
"""Evidence per voxel of a body's side, from which on it is exchanged as a whole."""

_TIE = 0.15
"""What two voxels that lie on one another, or beside each other across the midline, count."""

_SMALL = 60
"""Coarse voxels: some 5 mL. Less is left alone."""

_TYPICAL_STEP = 0.6
"""How much brighter fat is than water at most, as log of a ratio."""


class Swaps(NamedTuple):
    """What was found in one slab."""

    mask: Mask
    """(z, y, x) bool, where to exchange fat and water."""
    doubt: Mask
    """(z, y, x) bool, what may be exchanged, and isn't in the mask, or may not be, and is."""

    @property
    def corrected(self) -> bool:
        """Whether anything is to be exchanged."""
        return bool(self.mask.any())

    @property
    def suspected(self) -> bool:
        """Whether anything is in doubt."""
        return bool(self.doubt.any())


def find_swaps(slabs: Mapping[int, SlabPair]) -> dict[int, Swaps]:
    """Find the swaps of one exam.

    Parameters
    ----------
    slabs : by number, as acquired; any of them, and of any number of slices

    Returns
    -------
    Swaps by number. A slab whose images are zero everywhere has none.

    Examples
    --------
    >>> y, x = np.ogrid[-40:40, -40:40]
    >>> fat = np.where(np.hypot(y, x) < 36, 90, 0) * np.ones((16, 1, 1))
    >>> muscle = np.where(np.hypot(y, x) < 26, 90, 0) * np.ones((16, 1, 1))
    >>> affine = np.diag([2.2, 2.2, 4.5, 1])[:3]
    >>> right = SlabPair(np.uint16(5 * fat - 4.9 * muscle), np.uint16(2.5 * muscle), affine)
    >>> find_swaps({2: right})[2].corrected
    False
    >>> found = find_swaps({2: SlabPair(right.water, right.fat, affine)})[2]
    >>> found.corrected, found.mask.all()
    (True, np.True_)
    """
    found = _search(slabs)
    changed = {number: _exchange(slabs[number], swaps.mask) for number, swaps in found.items() if swaps.corrected}
    if not changed:
        return found
    again = _search({**slabs, **changed}, only=tuple(changed))
    return {number: _confirm(swaps, again[number]) if number in changed else swaps for number, swaps in found.items()}


def _search(slabs: Mapping[int, SlabPair], only: Sequence[int] | None = None) -> dict[int, Swaps]:
    """Find swaps, in all slabs or in `only` some of them."""
    numbers = sorted(slabs)
    coarse = {n: one for n in numbers if (one := coarsen(slabs[n].fat, slabs[n].water, slabs[n].affine)) is not None}
    sides = {number: _second_side(one) for number, one in coarse.items()}
    # One exam, one contrast: it is known best where no swap blurs it.
    steps = [abs(brightness_step(coarse[n], side)) for n, second in sides.items() for side in (second, ~second)]
    step = min(max(steps, default=0.0), _TYPICAL_STEP)
    evidence = {number: local_evidence(one, step) for number, one in coarse.items()}
    chain = _whole_sides(coarse, evidence, sides)
    found = {}
    for number in numbers if only is None else only:
        if number not in coarse:
            found[number] = Swaps(*np.zeros((2, *slabs[number].fat.shape), np.bool_))
            continue
        row = list(coarse).index(number)
        sure = chain.margin[row] >= _SURE_SIDE * np.maximum(_voxels(coarse[number], sides[number]), 1)
        whole = chain.swapped[row] & sure
        labels, doubt = _pieces(coarse[number], evidence[number], np.where(sides[number], whole[1], whole[0]))
        unsure = chain.swapped[row] & ~sure
        doubt |= np.where(sides[number], unsure[1], unsure[0])
        if not labels.any():
            mask = np.zeros(slabs[number].fat.shape, np.bool_)
        elif labels.all():
            mask = np.ones(slabs[number].fat.shape, np.bool_)
        else:
            mask = refine(slabs[number].fat, slabs[number].water, coarse[number], labels)
        found[number] = Swaps(mask, upsample(coarse[number], doubt, mask.shape))
    return found


def _whole_sides(
    coarse: Mapping[int, Coarse], evidence: Mapping[int, FloatVolume], second: Mapping[int, Mask]
) -> Chain:
    """Labels of both sides of all slabs; `second` is where the second side is, (z, y, x) that can be broadcast."""
    numbers = list(coarse)
    own = np.array([
        [float(evidence[n][np.broadcast_to(side, evidence[n].shape)].sum()) for side in (~second[n], second[n])]
        for n in numbers
    ]).reshape(-1, 2)  # fmt: skip
    across = np.array([_across(coarse[number], second[number]) for number in numbers])
    along = np.array([
        _along(coarse[one], coarse[other], second[one]) for one, other in pairwise(numbers)
    ]).reshape(-1, 2)  # fmt: skip
    return solve_chain(own, across, along)


def _second_side(coarse: Coarse) -> Mask:
    """(1, 1, x) which columns lie on the side of higher x."""
    columns = coarse.body.sum(axis=(0, 1))
    middle = float(np.average(np.arange(len(columns)), weights=columns)) if columns.any() else 0.0
    return np.asarray(np.arange(len(columns)) > middle)[None, None]


def _voxels(coarse: Coarse, second: Mask) -> npt.NDArray[np.int64]:
    return np.array([np.count_nonzero(coarse.body & side) for side in (~second, second)])


def _across(coarse: Coarse, second: Mask) -> float:
    """How much tissue goes on across the midline."""
    first = int(np.argmax(second[0, 0]))
    if not 0 < first < second.shape[2]:
        return 0.0
    return float(_TIE * (coarse.contrast[:, :, first - 1] * coarse.contrast[:, :, first]).sum())


def _along(one: Coarse, other: Coarse, second: Mask) -> list[float]:
    """How well two slabs agree where they overlap, by side of the first."""
    matrix, offset = index_map(one.affine, other.affine)
    seen = ndimage.affine_transform(other.contrast, matrix, offset, output_shape=one.contrast.shape, order=1)
    agreement = _TIE * seen * one.contrast
    return [float(agreement[np.broadcast_to(side, agreement.shape)].sum()) for side in (~second, second)]


def _pieces(coarse: Coarse, evidence: FloatVolume, whole: Mask) -> tuple[Mask, Mask]:
    """Labels of a slab's coarse voxels, and which are in doubt, (z, y, x) each.

    `whole` are the labels of its sides; a piece is what the best labelling has otherwise.
    """
    base = np.broadcast_to(whole, coarse.body.shape).copy()
    sign = np.where(base, np.float32(-1), np.float32(1))
    contrast, rest = coarse.contrast * sign, evidence * sign
    z, y, x = (link(contrast, coarse.brightness, coarse.body, axis) for axis in range(3))
    parts, count = ndimage.label(cut(rest, coarse.body, (z, y, x)))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    boxes = ndimage.find_objects(parts)
    doubt = np.zeros_like(base)
    for part in (number for number in range(1, count + 1) if sizes[number] >= _SMALL):
        piece = judge_piece(coarse, contrast, rest, parts == part)
        if piece.sure:
            base[boxes[part - 1]] ^= parts[boxes[part - 1]] == part
        elif piece.suspect:
            doubt[boxes[part - 1]] |= parts[boxes[part - 1]] == part
    return base, doubt


def _exchange(slab: SlabPair, mask: Mask) -> SlabPair:
    return SlabPair(np.where(mask, slab.water, slab.fat), np.where(mask, slab.fat, slab.water), slab.affine)


def _confirm(first: Swaps, second: Swaps) -> Swaps:
    """Keep what a second search doesn't take back."""
    back = first.mask & second.mask
    if np.count_nonzero(back) < 0.02 * np.count_nonzero(first.mask):
        return Swaps(first.mask, first.doubt | back)
    return Swaps(np.zeros_like(first.mask), first.doubt | first.mask)
