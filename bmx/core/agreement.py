"""All that is said about one mask held against its reference, and about many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bmx.core.overlap import dice
from bmx.core.surface import hausdorff95

IDEAL = {"dice": 1.0, "hausdorff95_mm": 0.0, "volume_error_ml": 0.0, "volume_error_percent": 0.0}
"""Columns of a table of agreement, and the value that a perfect mask has."""

EMPTY = ("the mask is empty", "the reference is empty", "both masks are empty")
"""Reasons why a number is NaN, where a mask is empty."""


class Agreement(NamedTuple):
    """One mask and its reference."""

    dice: float
    """0 to 1; NaN where both are empty."""
    hausdorff95: float
    """mm; NaN where one is empty."""
    volume: float
    """mL"""
    reference_volume: float
    """mL"""
    apart: str = ""
    """Why the two can't be compared, or not in all, though neither is empty: they lie in different slabs."""

    @property
    def volume_error(self) -> float:
        """mL, mask minus reference."""
        return self.volume - self.reference_volume

    @property
    def volume_error_percent(self) -> float:
        """Of the reference; NaN where that is empty."""
        return 100 * self.volume_error / self.reference_volume if self.reference_volume else float("nan")

    def row(self) -> dict[str, float | str]:
        """All of it under the names that tables have, with units."""
        return {
            "dice": self.dice,
            "hausdorff95_mm": self.hausdorff95,
            "volume_ml": self.volume,
            "reference_ml": self.reference_volume,
            "volume_error_ml": self.volume_error,
            "volume_error_percent": self.volume_error_percent,
            "reason": self.reason,
        }

    @property
    def reason(self) -> str:
        """Why a number is NaN; blank where none is."""
        if self.apart:
            return self.apart
        if self.volume and self.reference_volume:
            return ""
        mask, reference, both = EMPTY
        if self.volume or self.reference_volume:
            return reference if self.volume else mask
        return both


def compare_masks(mask: npt.NDArray[Any], reference: npt.NDArray[Any], spacing: Sequence[float]) -> Agreement:
    """Hold a mask against its reference.

    Parameters
    ----------
    mask, reference : (z, y, x) bool or 0/1, same shape
    spacing : z, y, x, mm

    Examples
    --------
    >>> reference = np.ones((2, 2, 5), bool)
    >>> found = compare_masks(reference[..., ::-1] & (np.arange(5) < 4), reference, (5.0, 2.0, 2.0))
    >>> round(found.dice, 3), found.hausdorff95, round(found.volume_error, 3), round(found.volume_error_percent)
    (0.889, 2.0, -0.08, -20)
    """
    voxel_ml = math.prod(spacing) / 1000
    volume, expected = (float(np.count_nonzero(one)) * voxel_ml for one in (mask, reference))
    return Agreement(dice(mask, reference), hausdorff95(mask, reference, spacing), volume, expected)


def together(one: Agreement, other: Agreement) -> Agreement:
    """A mask and its reference that lie on two grids, in parts: neighbouring slabs.

    Volumes and what they have in common are added; the distance is the larger of the two, and NaN where a part has
    no counterpart on its own grid.

    Examples
    --------
    >>> nothing = Agreement(float("nan"), float("nan"), 0.0, 0.0)
    >>> together(nothing, Agreement(0.8, 2.0, 5.0, 5.0))
    Agreement(dice=0.8, hausdorff95=2.0, volume=5.0, reference_volume=5.0, apart='')
    >>> together(Agreement(1.0, 0.0, 3.0, 3.0), Agreement(0.0, float("nan"), 2.0, 0.0))
    Agreement(dice=0.75, hausdorff95=nan, volume=5.0, reference_volume=3.0, apart='parts lie in different slabs')
    """
    sums = [part.volume + part.reference_volume for part in (one, other)]
    if not all(sums):
        return one if sums[0] else other
    common = sum(part.dice * volume / 2 for part, volume in zip((one, other), sums, strict=True))
    distance = float(np.maximum(one.hausdorff95, other.hausdorff95))
    volume, reference = one.volume + other.volume, one.reference_volume + other.reference_volume
    apart = "parts lie in different slabs" if volume and reference and math.isnan(distance) else ""
    return Agreement(2 * common / sum(sums), distance, volume, reference, apart)


class Spread(NamedTuple):
    """A statistic over cases."""

    n: int
    """Cases with a value."""
    mean: float
    """NaN if n is 0."""
    sd: float
    """NaN if n is below 2."""
    worst: float
    """The value that lies furthest from what is ideal."""


def spread(values: npt.ArrayLike, *, ideal: float) -> Spread:
    """Mean, standard deviation and worst of what isn't NaN.

    Examples
    --------
    >>> spread([0.9, 0.8, float("nan")], ideal=1.0)
    Spread(n=2, mean=0.85..., sd=0.0707..., worst=0.8)
    """
    numbers = np.asarray(values, np.float64)
    numbers = numbers[~np.isnan(numbers)]
    if not len(numbers):
        return Spread(0, *[float("nan")] * 3)
    deviation = float(np.std(numbers, ddof=1)) if len(numbers) > 1 else float("nan")
    worst = float(numbers[np.argmax(np.abs(numbers - ideal))])
    return Spread(len(numbers), float(np.mean(numbers)), deviation, worst)
