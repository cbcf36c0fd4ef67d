"""Outlines of the body: how wide and how deep skin, muscle and cavity are at each height."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

Column = npt.NDArray[np.float32]
"""(z, 1, 1), one value at each height."""

Numbers = npt.NDArray[np.float64]


class Section(NamedTuple):
    """One outline at some heights, each (z, 1, 1) float32, mm."""

    left: Column
    right: Column
    front: Column
    back: Column
    middle: Column
    power: Column
    power_back: Column


@dataclass(frozen=True, slots=True)
class Contour:
    """Superellipses stacked along z, each with four half axes of its own; all arrays (n,), mm."""

    z: Numbers
    """Heights of the knots, rising; beyond them nothing changes."""
    left: Numbers
    """Half width towards -x."""
    right: Numbers
    """Half width towards +x."""
    front: Numbers
    """y of the foremost point."""
    back: Numbers
    """y of the hindmost point."""
    middle: Numbers
    """y where it is widest."""
    power: Numbers
    """2 is an ellipse, more is squarer."""
    power_back: Numbers
    """The same behind `middle`: a back that is lain upon is flat."""

    def at(self, z: npt.NDArray[np.float32]) -> Section:
        """Section at these heights (mm)."""
        knots = np.stack([self.left, self.right, self.front, self.back, self.middle, self.power, self.power_back])
        inside = np.clip(z.astype(np.float64).ravel(), self.z[0], self.z[-1])
        values = PchipInterpolator(self.z, knots, axis=1)(inside).astype(np.float32)
        return Section(*(one[:, None, None] for one in values))


def wavering(rng: np.random.Generator, count: int, sd: float) -> Numbers:
    """Factors about 1, one a knot, that vary slowly from knot to knot."""
    steps = rng.normal(0, 1, count + 4)
    smooth = np.convolve(steps, np.hanning(7)[1:-1], mode="valid")
    factors: Numbers = 1 + sd * smooth / np.sqrt(np.sum(np.hanning(7) ** 2))
    return factors
