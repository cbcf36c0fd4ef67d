"""Corrections of the two-point bias, region by region, that a user brings along."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bmx.regions import get_region

Percent = npt.NDArray[np.floating[Any]]
Correct = Callable[[Percent, str], Percent] | Mapping[str, tuple[float, float]]
"""A function of fat fractions (percent) and the name of a region; or by region slope and intercept of a line."""


@dataclass(frozen=True, slots=True)
class Lines:
    """A straight line for each region: slope · percent + intercept; other regions stay as they are.

    That of a left region holds on the right as well, unless this has its own.
    """

    by_region: Mapping[str, tuple[float, float]]

    def __call__(self, percent: Percent, region: str) -> Percent:
        """Correct fat fractions, percent."""
        known = self.by_region
        slope, intercept = known.get(region) or known.get(get_region(region).site, (1.0, 0.0))
        return np.asarray(slope * percent + intercept, dtype=percent.dtype)


def as_correction(correct: Correct | None) -> Callable[[Percent, str], Percent] | None:
    """Make a function of what `measure(correct=...)` takes.

    Raises
    ------
    ValueError
        If a mapping names an unknown region, or its values are no pairs of finite numbers.

    Examples
    --------
    >>> halve = as_correction({"spine": (0.5, 1.0)})
    >>> halve(np.float32([40]), "spine"), halve(np.float32([40]), "total_hip")
    (array([21.], dtype=float32), array([40.], dtype=float32))
    """
    if correct is None or isinstance(correct, Lines):
        return correct
    if not isinstance(correct, Mapping):
        return correct
    for region, line in correct.items():
        get_region(region)
        if np.shape(line) != (2,) or not np.isfinite(line).all():
            raise ValueError(
                f"the correction of {region} must be (slope, intercept), two finite numbers, found {line!r}; "
                "for anything but a line give a function of percent and region"
            )
    return Lines({region: (float(slope), float(intercept)) for region, (slope, intercept) in correct.items()})


def describe_correction(correct: Correct | None) -> str:
    """What a results Dataset says of the correction; empty for none.

    Examples
    --------
    >>> describe_correction({"spine": (1.25, -2)})
    'spine: 1.25 x - 2'
    >>> def by_phantom(percent, region): ...
    >>> describe_correction(by_phantom)
    'by_phantom'
    """
    if correct is None:
        return ""
    lines = correct.by_region if isinstance(correct, Lines) else correct
    if isinstance(lines, Mapping):
        return "; ".join(
            f"{region}: {slope:g} x {'-' if intercept < 0 else '+'} {abs(intercept):g}"
            for region, (slope, intercept) in lines.items()
        )
    return str(getattr(lines, "__qualname__", repr(lines))).rpartition("<locals>.")[2]


def slope_at(correct: Callable[[Percent, str], Percent], percent: float, region: str) -> float:
    """How much a corrected value moves when the value moves by one: what stretches its standard error."""
    low, high = correct(np.array([percent - 0.5, percent + 0.5]), region).tolist()
    return abs(float(high - low))
