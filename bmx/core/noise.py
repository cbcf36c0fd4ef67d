"""How bright a slab is, and how noisy: from the images alone."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bmx.core.preparation import BODY_THRESHOLD, bright_level
from bmx.types import Mask

_SAMPLE = 25_000
"""Voxels of a slab that its levels are read from: a regular grid of them, which costs a hundredth of the slab."""

_RAYLEIGH_MEDIAN = 1.17741
_NORMAL_MAD = 1.4826
_FEWEST = 30
"""Values below which a spread isn't worth estimating."""


class Levels(NamedTuple):
    """Brightness and noise of a slab, in units of its images."""

    bright: float
    """F + W of fatty tissue; 0 in a slab without any signal."""
    noise: float
    """Standard deviation of the noise of fat and of water, each, seen in air; 0 where air was blanked."""


def slab_levels(fat: npt.NDArray[Any], water: npt.NDArray[Any]) -> Levels:
    """Brightness of fatty tissue, and noise in air; a fat-water swap changes neither.

    In air fat and water are magnitudes of independent noise: together they follow a Rayleigh distribution, whose
    median gives the standard deviation.

    Parameters
    ----------
    fat, water : (z, y, x) any real dtype, arbitrary scanner units, acquired slices only

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> fat, water = np.abs(rng.normal(0, 5, (2, 20, 60, 60)))
    >>> fat[:, 20:40, 20:40] += 1000
    >>> [round(level) for level in slab_levels(fat, water)]
    [1018, 5]
    """
    step = max(int((fat.size / _SAMPLE) ** (1 / 3)), 1)
    seen = (slice(None, None, step),) * 3
    some_fat, some_water = (np.abs(image[seen].astype(np.float32)) for image in (fat, water))
    total = some_fat + some_water
    bright = bright_level(total)
    length = np.hypot(some_fat, some_water)[total < BODY_THRESHOLD * bright]
    noise = 0.0
    for _ in range(3):  # what is no air (lung, skin) leaves in the first round
        if length.size < _FEWEST:
            break
        noise = float(np.median(length)) / _RAYLEIGH_MEDIAN
        length = length[length < 4 * noise]
    return Levels(bright, noise)


def noise_inside(fat: npt.NDArray[Any], water: npt.NDArray[Any], inside: Mask) -> float:
    """Standard deviation of the noise of fat and of water, each, seen in the bends of F - W within a mask.

    Second differences are blind to what changes slowly; marbled marrow raises the estimate a little.

    Parameters
    ----------
    fat, water : (z, y, x) any real dtype
    inside : (z, y, x) bool

    Returns
    -------
    units of the images; NaN where fewer than 30 triples of neighbours lie inside.

    Examples
    --------
    >>> fat, water = np.random.default_rng(0).normal(500, 10, (2, 9, 20, 20))
    >>> round(noise_inside(fat, water, np.ones(fat.shape, bool)))
    10
    """
    apart = fat.astype(np.float32) - water.astype(np.float32)
    bends = []
    for axis in range(3):
        along, image = np.moveaxis(inside, axis, 0), np.moveaxis(apart, axis, 0)
        triple = along[:-2] & along[1:-1] & along[2:]
        bends.append((image[:-2] - 2 * image[1:-1] + image[2:])[triple])
    found = np.abs(np.concatenate(bends))
    if found.size < _FEWEST:
        return float("nan")
    # Six variances make a bend, and F - W has two.
    return float(_NORMAL_MAD * np.median(found) / np.sqrt(12))
