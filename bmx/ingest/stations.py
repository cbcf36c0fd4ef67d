"""Stations: the up to four images that came out of one Dixon acquisition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from bmx.acquisition import SLABS, ContrastName, Slab
from bmx.ingest.contrasts import Label
from bmx.sources.series import Series
from bmx.types import Affine

_SAME_PLACE_MM: Final = 1.0
"""Images of one acquisition have the same origin in plane and lie on the same grid of slices."""
_MIN_OVERLAP: Final = 0.5
"""Least common part of their extents: more than the 37 mm that neighbouring slabs share."""
_SPACING_TOLERANCE: Final = 0.02


@dataclass
class Station:
    """One acquisition: series of the same place, no contrast twice."""

    channels: dict[ContrastName, Series] = field(default_factory=dict)
    conflict: bool = False
    """Whether the tags of a series contradict each other."""

    @property
    def reference(self) -> Series:
        """The series with most slices, which speaks for the geometry."""
        return max(self.channels.values(), key=lambda series: len(series.headers))

    @property
    def bottom_mm(self) -> float:
        """Height of the lowest slice of any channel."""
        return min(float(series.heights[0]) for series in self.channels.values())

    @property
    def top_mm(self) -> float:
        """Height of the upper edge of the highest slice of any channel."""
        return max(float(series.heights[-1]) for series in self.channels.values()) + self.step_mm

    @property
    def step_mm(self) -> float:
        """Slice spacing."""
        return self.reference.step_mm

    @property
    def slices(self) -> int:
        """Slices from the lowest to the highest of any channel, gaps counted."""
        return max(self.start(series) + series.span for series in self.channels.values())

    def start(self, series: Series) -> int:
        """Index of the lowest slice of `series` on the grid of the station."""
        return round((float(series.heights[0]) - self.bottom_mm) / self.step_mm)

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
        if not np.isclose(series.step_mm, self.step_mm, rtol=_SPACING_TOLERANCE):
            return False
        offset = (float(series.heights[0]) - float(reference.heights[0])) / self.step_mm
        if abs(offset - round(offset)) * self.step_mm > _SAME_PLACE_MM:
            return False
        # On an oblique grid the origin moves in plane from slice to slice.
        expected = reference.affine[:, 3] + round(offset) * reference.affine[:, 2]
        if np.abs(series.affine[:, 3] - expected).max() > _SAME_PLACE_MM:
            return False
        bottoms = (float(series.heights[0]), self.bottom_mm)
        tops = (float(series.heights[-1]) + self.step_mm, self.top_mm)
        common = (min(tops) - max(bottoms)) / self.step_mm
        together = (max(tops) - min(bottoms)) / self.step_mm
        room = max(slab.stored_slices for slab in possible_slabs(reference))
        return common > _MIN_OVERLAP * min(series.span, reference.span) and round(together) <= room


def possible_slabs(series: Series) -> tuple[Slab, ...]:
    """Slabs whose rows, columns, spacings and number of slices these are.

    A series may have as many slices as the store has room for; fewer make it incomplete, not foreign.
    """
    first = series.first
    return tuple(
        slab
        for slab in SLABS.values()
        if (first.rows, first.columns) == (slab.rows, slab.columns)
        and np.isclose(series.step_mm, slab.slice_mm, rtol=_SPACING_TOLERANCE)
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
        # The latest station first: its channels were acquired together with this one.
        for station in reversed(stations):
            if label.contrast not in station.channels and station.fits(series):
                break
        else:
            station = Station()
            stations.append(station)
        station.channels[label.contrast] = series
        station.conflict |= label.conflict
    return stations
