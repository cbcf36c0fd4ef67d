"""Say of every series of an exam what it is, whether it is used, and why.

Series are labelled (`contrasts`), gathered into stations (`stations`), and the stations put into the
chain of slabs (`chain`). This module draws the conclusions: status and flags of each slab, a line of
provenance for each series.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bmx.acquisition import PIXEL_MM, SLABS, ContrastName
from bmx.ingest.chain import Chain, Place, find_chain
from bmx.ingest.contrasts import Label, label_contrast
from bmx.ingest.stations import Station, build_stations, possible_slabs
from bmx.sources.header import Header
from bmx.sources.series import Series, group_series

_PIXEL_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class SlabImages:
    """What an exam holds of one slab."""

    station: Station
    flags: tuple[str, ...]
    """Names among `bmx.variables.SLAB_FLAGS`."""
    problem: str
    """Why it is not complete; empty if it is."""


@dataclass(frozen=True, slots=True)
class SeriesLine:
    """What became of one series."""

    series: Series
    slab: int
    """0 if it is of no slab."""
    contrast: ContrastName | None
    used: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Identified:
    """What an exam holds."""

    slabs: dict[int, SlabImages]
    lines: tuple[SeriesLine, ...]


def identify(headers: Iterable[Header], *, contrasts: Sequence[ContrastName]) -> Identified:
    """Find the slabs of one exam.

    Parameters
    ----------
    headers : of all images of the exam, in any order
    contrasts : those that a slab must have to be complete

    Returns
    -------
    Identified
        The slabs that are there, by number, and one line for each series.
    """
    labels = {series: label_contrast(series.first) for series in group_series(headers)}
    usable = {series: label for series, label in labels.items() if not _why_not(series, label)}
    chain = find_chain(build_stations(usable))
    slabs = {
        number: _conclude(number, place, bool(chain.rivals[number]), contrasts)
        for number, place in chain.chosen.items()
    }
    home = _homes(chain)
    return Identified(slabs, tuple(_line(series, label, home) for series, label in labels.items()))


def _why_not(series: Series, label: Label) -> str:
    """Why a series can't be part of a slab; empty if it can."""
    if label.contrast is None:
        return label.reason
    if not series.is_axial:
        return "slices are not axial"
    if len(series.headers) == 1:
        return "a single slice"
    if not possible_slabs(series):
        first = series.first
        return (
            f"no slab of the protocol has {first.rows} × {first.columns} × {series.span} voxels "
            f"with slices every {series.step_mm:.2f} mm"
        )
    return ""


def _homes(chain: Chain) -> dict[Series, tuple[int, Place, bool]]:
    """Series -> its slab, its place, and whether the station was chosen."""
    home: dict[Series, tuple[int, Place, bool]] = {}
    for number, rivals in chain.rivals.items():
        for place, chosen in [*((rival, False) for rival in rivals), (chain.chosen[number], True)]:
            for series in place.station.channels.values():
                home[series] = (number, place, chosen)
    return home


def _conclude(number: int, place: Place, repeated: bool, contrasts: Sequence[ContrastName]) -> SlabImages:
    """Status and flags of one slab."""
    slab, station = SLABS[number], place.station
    flags, problems = [], []
    if repeated:
        flags.append("repeated_series")
    if station.conflict:
        flags.append("label_conflict")
    if place.ambiguous or not place.is_coherent:
        flags.append("unexpected_position")
    if any(abs(spacing / PIXEL_MM - 1) > _PIXEL_TOLERANCE for spacing in station.reference.first.spacing_mm):
        flags.append("unexpected_spacing")
    if station.slices > slab.slices:
        flags.append("unexpected_shape")
    absent = [name for name in contrasts if name not in station.channels]
    if absent:
        problems.append(f"no {' and no '.join(absent)} image")
    lacking = station.missing_slices(contrasts)
    problems += [f"{name} lacks {count} of {station.slices} slices" for name, count in lacking.items()]
    if station.slices < slab.slices:
        problems.append(f"{station.slices} of {slab.slices} slices")
    if lacking or station.slices < slab.slices:
        flags.append("missing_slices")
    return SlabImages(station, tuple(flags), "; ".join(problems))


def _line(series: Series, label: Label, home: dict[Series, tuple[int, Place, bool]]) -> SeriesLine:
    if series not in home:
        reason = _why_not(series, label) or "its position fits no place in the chain of slabs"
        return SeriesLine(series, 0, label.contrast, False, reason)
    number, place, chosen = home[series]
    if not chosen:
        reason = f"a repeat of slab {number}; a more complete or newer one is used"
    elif place.ambiguous:
        reason = f"{label.reason}; series number, not position, says slab {number}"
    else:
        reason = f"{label.reason}; size and position say slab {number}"
    return SeriesLine(series, number, label.contrast, chosen, reason)
