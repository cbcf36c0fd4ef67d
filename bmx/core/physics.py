"""What four images of one two-point Dixon acquisition must obey, and what that tells about their labels."""

from __future__ import annotations

from itertools import permutations
from typing import Final, NamedTuple

import numpy as np
from scipy import ndimage

from bmx.types import FloatVolume, IntVolume, Mask

VIOLATED: Final = 0.05
"""Residual from which on four images aren't what their labels say. In 24 simulated slabs (noise of 1.2 to 2.2 % of the
brightest signal) right labels give at most 0.008, each of the 22 wrong ways to label in and opposed 0.15 or more. What
is hardest to see is opposed and water exchanged: that residual is the fat fraction of the median voxel, 4 to 8 % if
a slab were nothing but muscle."""

_BODY = 0.1
"""Signal that counts as body, relative to the brightest percent."""
_NEXT_BEST = 0.1
"""Failure of the next best assignment from which on the best one is clear; simulated slabs give 0.15 or more."""
_SHELL = (2, 3)
"""Voxels from the skin that are subcutaneous fat; the first one is skin and air."""
_CORE = 8
"""Voxels from the skin from which on there is muscle and organs."""
_AGREE = 0.7
"""Part of the shell that must be fat: 0.78 or more in simulated slabs, 0.88 in a real lumbar exam at 2 mm."""
_CONTRAST = 0.2
"""How much less of the core may be fat; without a difference there is no shell to go by."""
_FEW = 200
"""Voxels of shell or core that are too few to judge by."""


class Assignment(NamedTuple):
    """Which of four images is in phase and which opposed; the other two are fat and water, in either order."""

    in_phase: int
    opposed_phase: int
    fat_and_water: tuple[int, int]


def physics_residual(*, fat: IntVolume, water: IntVolume, in_phase: IntVolume, opposed_phase: IntVolume) -> FloatVolume:
    """How far in = W + F and opposed = |W - F| fail over the body.

    It catches wrong labels and mixed visits; not swaps of fat and water, to which both relations are blind.

    Parameters
    ----------
    fat, water, in_phase, opposed_phase : (z, y, x) uint16, arbitrary scanner units

    Returns
    -------
    (2,) float32, fraction of in-phase signal: the median absolute failure of each relation; NaN without a body.

    Examples
    --------
    >>> fat, water = np.full((2, 4, 4), 300, np.uint16), np.full((2, 4, 4), 100, np.uint16)
    >>> physics_residual(fat=fat, water=water, in_phase=fat + water, opposed_phase=fat - water)
    array([0., 0.], dtype=float32)
    >>> physics_residual(fat=fat, water=water, in_phase=fat - water, opposed_phase=fat + water)
    array([1., 1.], dtype=float32)
    """
    # A median of every second row and column is as good, and the images are looked through four times faster.
    F, W, inside, opposed = (image[:, ::2, ::2].astype(np.float32) for image in (fat, water, in_phase, opposed_phase))
    body = _body(inside)
    if not body.any():
        return np.full(2, np.nan, np.float32)
    F, W, inside, opposed = F[body], W[body], inside[body], opposed[body]
    failures = (np.abs(inside - (W + F)), np.abs(opposed - np.abs(W - F)))
    return np.array([np.median(failure / inside) for failure in failures], dtype=np.float32)


def is_violated(residual: FloatVolume) -> bool:
    """Whether a residual says that four images aren't what their labels say; NaN says nothing.

    Examples
    --------
    >>> is_violated(np.float32([0.01, 0.3])), is_violated(np.float32([np.nan, np.nan]))
    (True, False)
    """
    return bool((residual > VIOLATED).any())


def assign_echoes(images: IntVolume) -> Assignment | None:
    """Tell which of four images of one acquisition is in phase and which opposed, by their signal alone.

    Parameters
    ----------
    images : (4, z, y, x) uint16, arbitrary scanner units; some slices are enough

    Returns
    -------
    The one assignment that obeys both relations, or None if none does, or two do.

    Examples
    --------
    >>> fat = np.arange(100, 900, 5, dtype=np.uint16).reshape(2, 8, 10)
    >>> water = 1000 - 3 * (fat // 4)
    >>> assign_echoes(np.stack([fat, np.maximum(fat, water) - np.minimum(fat, water), fat + water, water]))
    Assignment(in_phase=2, opposed_phase=1, fat_and_water=(0, 3))
    """
    signal = images.astype(np.float32)
    brightest = signal.max(axis=0)
    body = _body(brightest)
    if not body.any():
        return None
    signal, scale = signal[:, body], float(np.median(brightest[body]))
    failures: dict[Assignment, float] = {}
    for inside, opposed in permutations(range(4), 2):
        one, other = (i for i in range(4) if i not in (inside, opposed))
        failures[Assignment(inside, opposed, (one, other))] = sum(
            float(np.median(np.abs(signal[echo] - expected))) / scale
            for echo, expected in (
                (inside, signal[one] + signal[other]),
                (opposed, np.abs(signal[one] - signal[other])),
            )
        )
    (best, failure), (_, next_best) = sorted(failures.items(), key=lambda item: item[1])[:2]
    return best if failure <= VIOLATED and next_best >= max(_NEXT_BEST, 3 * failure) else None


def fat_of_pair(one: IntVolume, other: IntVolume) -> int | None:
    """Tell fat from water, to which the relations are blind: the shell of a body is fat, much of its core isn't.

    Parameters
    ----------
    one, other : (z, y, x) uint16, axial slices in voxels of some 2 mm, arbitrary scanner units

    Returns
    -------
    0 if the first image is fat, 1 if the second is; None if the shell doesn't say so clearly, as after a swap in
    one leg, or without a body.
    """
    total = one.astype(np.float32) + other
    shells, cores = [], []
    for body, first in zip(_body(total), one > other, strict=True):
        depth = _depth(body)
        shells.append(first[body & (depth >= _SHELL[0]) & (depth <= _SHELL[1])])
        cores.append(first[body & (depth >= _CORE)])
    shell, core = np.concatenate(shells), np.concatenate(cores)
    if min(len(shell), len(core)) < _FEW:
        return None
    share = float(shell.mean())
    deeper = float(core.mean())
    if share >= _AGREE and share - deeper >= _CONTRAST:
        return 0
    return 1 if share <= 1 - _AGREE and deeper - share >= _CONTRAST else None


def _body(signal: FloatVolume) -> Mask:
    return np.asarray((signal > 0) & (signal > _BODY * np.percentile(signal, 99)), np.bool_)


def _depth(body: Mask) -> IntVolume:
    """Voxels from the border of a section, (y, x), holes filled; 0 outside."""
    section = ndimage.binary_fill_holes(ndimage.binary_opening(body))
    # What reaches the edge of the image goes on beyond it: no border there.
    depth: IntVolume = ndimage.distance_transform_cdt(section, metric="chessboard")
    return depth
