"""How far a BMFF may lie from what a noise-free image shows inside the true mask.

Four causes, each seen in the image itself, are added as variances:

- **noise**, propagated through 100·F/(F + W) for each voxel, and averaged as independent;
- **border**: how much the value moves when the mask grows or shrinks by half a voxel in plane. That is partial volume
  and the doubt about the mask;
- **slab ends**: how much it moves without the two slices next to each end of the slab, or next to those that are left
  out there: the other end folds over, and what is left out may differ;
- **unseen**: what nothing in fat and water shows: phases that the scanner corrects imperfectly turn some water into fat
  over the whole region, and a mask may hold a piece too much or too little, in the spine more than in a femur. It is
  one number for each region.

The weights are fitted to simulated exams with the shipped networks; `benchmarks/uncertainty.py` prints how many of the
truths lie within 1.96 standard errors. How they do on people is unknown. Not in it: what two points can't see
(T2*, so that this is no PDFF), swaps, a wrong structure, and what a recipe other than `mask_aware` does to the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmx.core.fat_fraction import fat_fraction
from bmx.core.noise import Levels, noise_inside
from bmx.types import Mask

_IN_PLANE = ndimage.generate_binary_structure(2, 1)[np.newaxis]
_NEXT = 2
"""Slices at each end of a slab whose value is doubted, beyond those that are left out."""
_FEWEST = 10
"""Voxels that a smaller mask must have for its mean to say anything."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What each cause counts; chosen so that `benchmarks/uncertainty.py` covers what it should."""

    border: float = 1.0
    """Of the change by half a voxel."""
    ends: float = 1.5
    """Of the change without the slices at the ends."""
    unseen: float = 0.22
    """Percentage points."""


WEIGHTS: Mapping[str, Weights] = {
    "spine": Weights(unseen=0.42),
    "femoral_head": Weights(unseen=0.29),
    "total_hip": Weights(unseen=0.24),
    "femoral_diaphysis": Weights(unseen=0.22),
}
"""By region; the right femur has those of the left."""


class Doubt(NamedTuple):
    """What may have moved one BMFF, percentage points, each with its sign where it has one."""

    noise: float
    """Standard error of the mean from noise alone."""
    border: float
    """Root mean square of the changes when the mask grows and shrinks by half a voxel."""
    ends: float
    """The value, minus what it is without two slices next to each end of the slab; 0 where the mask has none there, NaN
    where it has too little elsewhere."""

    def standard_error(self, weights: Weights) -> float:
        """All causes together, percentage points."""
        parts = (self.noise, weights.border * self.border, weights.ends * self.ends, weights.unseen)
        return float(np.sqrt(sum(part**2 for part in parts)))


def doubt(
    fat: npt.NDArray[Any],
    water: npt.NDArray[Any],
    measured: Mask,
    usable: Mask,
    *,
    levels: Levels,
    native_slices: int,
    first_slice: int = 0,
    end_slices: int = 0,
) -> Doubt:
    """What may have moved the mean fat fraction of a mask.

    Parameters
    ----------
    fat, water : (z, y, x) any real dtype, a slab or a crop with one voxel around the mask; not smoothed
    measured : (z, y, x) bool, after erosion
    usable : (z, y, x) bool, where there is signal, also outside the mask
    levels : of the whole slab
    native_slices : int, slices that were acquired
    first_slice : int, slice of the slab at which a crop starts
    end_slices : int, slices at each end of the slab that were left out

    Returns
    -------
    Doubt; NaN where no voxel is usable, `ends` also where nearly all of the mask lies at the ends of the slab.

    Examples
    --------
    >>> fat, water = np.full((9, 9, 9), 900.0), np.full((9, 9, 9), 100.0)
    >>> mask = np.zeros(fat.shape, bool)
    >>> mask[3:6, 3:6, 3:6] = True
    >>> doubt(fat, water, mask, mask, levels=Levels(1000, 10), native_slices=9)
    Doubt(noise=0.174..., border=0.0, ends=0.0)
    """
    within = measured & usable
    count = int(np.count_nonzero(within))
    if not count:
        return Doubt(np.nan, np.nan, np.nan)
    seen = noise_inside(fat, water, within)
    noise = levels.noise if np.isnan(seen) else max(seen, levels.noise)
    fat_there, water_there = (image[within].astype(np.float64) for image in (fat, water))
    # d(F/S) = (W dF - F dW) / S²
    slopes = (fat_there**2 + water_there**2) / (fat_there + water_there) ** 4
    percent = fat_fraction(fat, water)
    mean = float(percent[within].mean(dtype=np.float64))

    def mean_of(other: Mask, otherwise: float = mean) -> float:
        found = other & usable
        return float(percent[found].mean(dtype=np.float64)) if np.count_nonzero(found) >= _FEWEST else otherwise

    # A whole voxel is the least that a mask can move: half of that change is what half a voxel brings.
    grown, shrunk = (
        (mean_of(operation(measured, _IN_PLANE)) - mean) / 2
        for operation in (ndimage.binary_dilation, ndimage.binary_erosion)
    )
    numbers = np.arange(first_slice, first_slice + len(measured))
    inner = (numbers >= end_slices + _NEXT) & (numbers < native_slices - end_slices - _NEXT)
    inside = measured & inner[:, None, None]
    return Doubt(
        noise=100 * noise * float(np.sqrt(slopes.sum())) / count,
        border=float(np.sqrt((grown**2 + shrunk**2) / 2)),
        ends=0.0 if inside.sum() == measured.sum() else mean - mean_of(inside, np.nan),
    )
