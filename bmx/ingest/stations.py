"""Stations: the up to four images that came out of one Dixon acquisition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isclose
from typing import Final

import numpy as np
import numpy.typing as npt

from bmx.acquisition import SLABS, ContrastName, Slab
from bmx.ingest.contrasts import Label
from bmx.sources.header import Header
from bmx.sources.series import Series
from bmx.types import Affine, IntVolume

_SAME_PLACE_MM: Final = 1.0
"""Images of one acquisition have the same origin in plane and lie on the same grid of slices."""
_MIN_OVERLAP: Final = 0.5
"""Least common part of their extents: more than the 37 mm that neighbouring slabs share."""
_SPACING_TOLERANCE: Final = 0.02
_SAME_TIME_S: Final = 5.0
"""Images of one acquisition have its time; a slab takes longer than this."""


@dataclass(eq=False)
class Station:
    """One acquisition: series of the same place, no contrast twice."""

    channels: dict[ContrastName, Series] = field(default_factory=dict)
    conflict: bool = False
    """Whether tags contradict each other, or two series claimed one contrast."""
    displaced: dict[Series, float] = field(default_factory=dict)
    """Channels whose origin is wrong, and by how many mm: the others say where they lie."""
    dropped: dict[Series, str] = field(default_factory=dict)
    """Series of this acquisition that nobody can tell what they are, and why."""
    notes: dict[Series, str] = field(default_factory=dict)
    """What is to be said of a channel besides its label."""

    @property
    def placed(self) -> list[Series]:
        """Channels whose own geometry counts."""
        return [series for series in self.channels.values() if series not in self.displaced]

    @property
    def reference(self) -> Series:
        """The series with most voxels, which speaks for the geometry."""
        return max(self.placed, key=lambda one: one.first.rows * one.first.columns * len(one.headers))

    @property
    def bottom_mm(self) -> float:
        """Height of the lowest slice of any channel."""
        return min(float(series.heights[0]) for series in self.placed)

    @property
    def top_mm(self) -> float:
        """Height of the upper edge of the highest slice of any channel."""
        return max(float(series.heights[-1]) for series in self.placed) + self.step_mm

    @property
    def step_mm(self) -> float:
        """Slice spacing."""
        return self.reference.step_mm

    @property
    def slices(self) -> int:
        """Slices from the lowest to the highest of any channel, gaps counted."""
        return max(self.start(series) + series.span for series in self.placed)

    def start(self, series: Series) -> int:
        """Index of the lowest slice of `series` on the grid of the station."""
        if series in self.displaced:
            return 0
        return round((float(series.heights[0]) - self.bottom_mm) / self.step_mm)

    def read(self, contrast: ContrastName, pixels: Callable[[Header], IntVolume], out: IntVolume) -> None:
        """Read one channel into `out`, (z, y, x) on the grid of the station; what it doesn't cover stays as it was."""
        series = self.channels[contrast]
        rows, columns = series.first.rows, series.first.columns
        x, y = self.corner(series)
        series.volume(pixels, out[:, y : y + rows, x : x + columns], start=self.start(series))

    def corner(self, series: Series) -> tuple[int, int]:
        """Index (x, y) of the first voxel of `series` on the grid of the station; not (0, 0) for a smaller one."""
        first, whole = series.first, self.reference.first
        if (first.rows, first.columns) == (whole.rows, whole.columns):
            return 0, 0
        x, y, _ = np.rint(offset(series, self.reference)).astype(int).tolist()
        return x, y

    @property
    def affine(self) -> Affine:
        """Voxel index (x, y, z, 1) on the grid of the station to RAS+ millimetres, (3, 4)."""
        affine = self.reference.affine.copy()
        affine[:, 3] -= self.start(self.reference) * affine[:, 2]
        return affine

    @property
    def acquired(self) -> str:
        """Date and time; sorts by time."""
        return max(series.first.acquired for series in self.channels.values())

    @property
    def series_numbers(self) -> set[int]:
        """SeriesNumber of all channels."""
        return {series.first.series_number for series in self.channels.values()}

    def missing_slices(self, contrasts: Iterable[ContrastName]) -> dict[ContrastName, int]:
        """How many slices of the station's grid each of these contrasts lacks, if any."""
        lacking = {name: self.slices - len(self.channels[name].headers) for name in contrasts if name in self.channels}
        return {name: count for name, count in lacking.items() if count}

    def fits(self, series: Series) -> bool:
        """Whether `series` can come from the same acquisition."""
        reference = self.reference
        one, other = series.first, reference.first
        if (one.study_uid, one.rows, one.columns) != (other.study_uid, other.rows, other.columns):
            return False
        if not self.has_step_of(series):
            return False
        apart = (float(series.heights[0]) - float(reference.heights[0])) / self.step_mm
        if abs(apart - round(apart)) * self.step_mm > _SAME_PLACE_MM:
            return False
        # On an oblique grid the origin moves in plane from slice to slice.
        expected = reference.affine[:, 3] + round(apart) * reference.affine[:, 2]
        if np.abs(series.affine[:, 3] - expected).max() > _SAME_PLACE_MM:
            return False
        bottoms = (float(series.heights[0]), self.bottom_mm)
        tops = (float(series.heights[-1]) + self.step_mm, self.top_mm)
        common = (min(tops) - max(bottoms)) / self.step_mm
        together = (max(tops) - min(bottoms)) / self.step_mm
        room = max(slab.stored_slices for slab in possible_slabs(reference))
        return common > _MIN_OVERLAP * min(series.span, reference.span) and round(together) <= room

    def has_step_of(self, series: Series) -> bool:
        """Whether the slices of `series` are as far apart."""
        return isclose(series.step_mm, self.step_mm, rel_tol=_SPACING_TOLERANCE)

    def was_acquired_with(self, series: Series) -> bool:
        """Whether study and time say that `series` is of this acquisition, wherever it claims to lie."""
        return any(_same_moment(series.first, one.first) for one in self.channels.values())


def offset(series: Series, reference: Series) -> npt.NDArray[np.float64]:
    """Voxel index (x, y, z) of the first voxel of `series` on the grid of `reference`, (3,), not rounded."""
    between = series.affine[:, 3] - reference.affine[:, 3]
    return np.asarray(np.linalg.solve(reference.affine[:, :3], between), np.float64)


def _same_moment(one: Header, other: Header) -> bool:
    if one.study_uid != other.study_uid or not one.acquired:
        return False
    try:
        # Not strptime, which is slower by a hundred times, and asked some hundred times for each exam.
        moments = [datetime.fromisoformat(f"{at[:8]}T{at[8:14]}") for at in (one.acquired, other.acquired)]
    except ValueError:
        return one.acquired == other.acquired
    return abs((moments[0] - moments[1]).total_seconds()) <= _SAME_TIME_S


def possible_slabs(series: Series) -> tuple[Slab, ...]:
    """Slabs whose rows, columns, spacings and number of slices these are.

    A series may have as many slices as the store has room for; fewer make it incomplete, not foreign.
    """
    first = series.first
    return tuple(
        slab
        for slab in SLABS.values()
        if (first.rows, first.columns) == (slab.rows, slab.columns)
        and isclose(series.step_mm, slab.slice_mm, rel_tol=_SPACING_TOLERANCE)
        and series.span <= slab.stored_slices
    )


def build_stations(labels: Mapping[Series, Label]) -> list[Station]:
    """Gather series into stations, in the order of time and series number.

    A series whose contrast the station already has begins another one: that is a repeat.
    """
    stations: list[Station] = []
    for series, label in sorted(labels.items(), key=lambda item: (item[0].first.acquired, item[0].first.series_number)):
        if label.contrast is None:
            continue
        lacking = [one for one in stations if label.contrast not in one.channels and one.fits(series)]
        if lacking:
            station = max(lacking, key=lambda one: _togetherness(one, series, stations))
        else:
            station = Station()
            stations.append(station)
        station.channels[label.contrast] = series
        station.conflict |= label.conflict
    return stations


def _togetherness(station: Station, series: Series, stations: Sequence[Station]) -> tuple[bool, int, int]:
    """Acquired at the same time: the station with most images, so that a copy of one of them draws none away."""
    together = station.was_acquired_with(series)
    return together, len(station.channels) if together else 0, stations.index(station)
