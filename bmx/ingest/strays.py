"""Images that belong to an acquisition, though they lie elsewhere by their header or are cut smaller.

Study and time say where they belong. Their voxels are used where the images of the majority lie, or at
their place inside it; the slab is flagged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from bmx.acquisition import SLABS
from bmx.ingest.contrasts import Label
from bmx.ingest.stations import Station, offset
from bmx.sources.series import Series

_LEAST_PART: Final = 0.75
"""Rows and columns of a slab that a smaller image must have at least."""
_ON_GRID: Final = 0.25
"""Voxels by which a smaller image may miss the grid: it is never resampled."""


def is_cut_down(series: Series) -> bool:
    """Whether a series could be of a slab but for a smaller field of view."""
    rows, columns = series.first.rows, series.first.columns
    return any(
        _LEAST_PART * slab.rows <= rows <= slab.rows
        and _LEAST_PART * slab.columns <= columns <= slab.columns
        and (rows, columns) != (slab.rows, slab.columns)
        for slab in SLABS.values()
    )


def join_cut_down(stations: Sequence[Station], labels: Mapping[Series, Label]) -> None:
    """Add series with a smaller field of view to the acquisitions that lack their contrast.

    Parameters
    ----------
    stations : of all series of full size; changed in place
    labels : the smaller series, and what they say that they are
    """
    for series, label in labels.items():
        for station in stations:
            if label.contrast and label.contrast not in station.channels and _lies_inside(series, station):
                rows, columns = series.first.rows, series.first.columns
                station.channels[label.contrast] = series
                station.conflict |= label.conflict
                station.notes[series] = (
                    f"only {rows} × {columns} voxels, put where they lie among those of the other images"
                )
                break


def _lies_inside(series: Series, station: Station) -> bool:
    if not station.was_acquired_with(series) or not station.has_step_of(series):
        return False
    one, whole = series.first, station.reference.first
    if min(whole.spacing_mm) <= 0 or not np.allclose(one.spacing_mm, whole.spacing_mm, rtol=0.001):
        return False
    x, y, z = map(float, offset(series, station.reference))
    first, last = -station.start(station.reference), station.slices - station.start(station.reference)
    return (
        max(abs(index - round(index)) for index in (x, y, z)) <= _ON_GRID
        and 0 <= round(x) <= whole.columns - one.columns
        and 0 <= round(y) <= whole.rows - one.rows
        and first <= round(z) <= last - series.span
    )


def join_displaced(stations: Sequence[Station]) -> list[Station]:
    """Unite what was acquired together but lies apart: the majority says where.

    An image whose origin is wrong stands alone, or with few others, in a station of its own. It is put into that of
    the same study, time, size and number of slices which lacks its contrast and holds more images than it.

    Returns
    -------
    list of Station
        Those that are left; the images that were moved are among their `displaced`.
    """
    left: list[Station] = []
    for station in sorted(stations, key=lambda one: -len(one.channels)):
        for larger in left:
            if len(larger.channels) > len(station.channels) and _is_displaced(station, larger):
                _move(station, larger)
                break
        else:
            left.append(station)
    # As they were: the order of acquisition.
    return [station for station in stations if any(station is one for one in left)]


def _is_displaced(station: Station, majority: Station) -> bool:
    whole = majority.reference.first
    return not station.channels.keys() & majority.channels.keys() and all(
        majority.was_acquired_with(series)
        and majority.has_step_of(series)
        and (series.first.rows, series.first.columns) == (whole.rows, whole.columns)
        and series.span == majority.slices
        for series in station.channels.values()
    )


def _move(station: Station, majority: Station) -> None:
    for contrast, series in station.channels.items():
        distance = float(np.linalg.norm(series.affine[:, 3] - majority.affine[:, 3]))
        majority.channels[contrast] = series
        majority.displaced[series] = distance
        majority.notes[series] = f"its origin is {distance:.0f} mm away from that of the other images, which is used"
    majority.conflict |= station.conflict
