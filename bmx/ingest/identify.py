"""Say of every series of an exam what it is, whether it is used, and why.

Series are labelled (`contrasts`) and gathered into stations (`stations`), with images of a wrong place or
size among them (`strays`). Conflicts of labels are settled (`content`), and the stations put into the chain
of slabs (`chain`). This module draws the conclusions: status and flags of each slab, a line of provenance
for each series.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bmx.acquisition import PIXEL_MM, SLABS, ContrastName
from bmx.ingest.chain import Chain, Place, find_chain
from bmx.ingest.content import Pixels, settle_labels
from bmx.ingest.contrasts import Label, label_contrast
from bmx.ingest.stations import Station, build_stations, possible_slabs
from bmx.ingest.strays import is_cut_down, join_cut_down, join_displaced
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


def identify(
    headers: Iterable[Header], *, contrasts: Sequence[ContrastName], pixels: Pixels | None = None
) -> Identified:
    """Find the slabs of one exam.

    Parameters
    ----------
    headers : of all images of the exam, in any order
    contrasts : those that a slab must have to be complete
    pixels : reads one image, (y, x); called only where labels conflict. Without it, tags alone decide.

    Returns
    -------
    Identified
        The slabs that are there, by number, and one line for each series.
    """
    labels = {series: label_contrast(series.first) for series in group_series(headers)}
    shaped = {series: label for series, label in labels.items() if not _why_not(series)}
    smaller = {
        series: label
        for series, label in labels.items()
        if series not in shaped and _has_slices(series) and is_cut_down(series)
    }
    stations = join_displaced(build_stations(shaped))
    join_cut_down(stations, smaller)
    stations, lost = settle_labels(stations, shaped | smaller, pixels)
    chain = find_chain(stations)
    slabs = {
        number: _conclude(number, place, bool(chain.rivals[number]), contrasts)
        for number, place in chain.chosen.items()
    }
    homes = _homes(chain)
    return Identified(slabs, tuple(_line(series, label, homes.get(series), lost) for series, label in labels.items()))


def _has_slices(series: Series) -> bool:
    return series.is_axial and len(series.headers) > 1


def _why_not(series: Series) -> str:
    """Why a series can't be part of a slab, whatever it shows; empty if it can."""
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


@dataclass(frozen=True, slots=True)
class _Home:
    """Where a series ended up."""

    slab: int
    place: Place
    chosen: bool
    contrast: ContrastName | None
    """None if its acquisition is known, but not what it shows."""


def _homes(chain: Chain) -> dict[Series, _Home]:
    homes: dict[Series, _Home] = {}
    for number, rivals in chain.rivals.items():
        for place, chosen in [*((rival, False) for rival in rivals), (chain.chosen[number], True)]:
            for contrast, series in place.station.channels.items():
                homes[series] = _Home(number, place, chosen, contrast)
            for series in place.station.dropped:
                homes[series] = _Home(number, place, False, None)
    return homes


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
    if station.displaced:
        flags.append("wrong_origin")
    smaller = {
        name: (series.first.rows, series.first.columns)
        for name, series in station.channels.items()
        if (series.first.rows, series.first.columns) != (slab.rows, slab.columns)
    }
    if station.slices > slab.slices or smaller:
        flags.append("unexpected_shape")
    absent = [name for name in contrasts if name not in station.channels]
    if absent:
        problems.append(f"no {' and no '.join(absent)} image")
    problems += [
        f"{name} has {size[0]} × {size[1]} of {slab.rows} × {slab.columns} voxels"
        for name, size in smaller.items()
        if name in contrasts
    ]
    lacking = station.missing_slices(contrasts)
    problems += [f"{name} lacks {count} of {station.slices} slices" for name, count in lacking.items()]
    if station.slices < slab.slices:
        problems.append(f"{station.slices} of {slab.slices} slices")
    if lacking or station.slices < slab.slices:
        flags.append("missing_slices")
    return SlabImages(station, tuple(flags), "; ".join(problems))


def _line(series: Series, label: Label, home: _Home | None, lost: Mapping[Series, str]) -> SeriesLine:
    if home is None:
        silent = label.reason if label.contrast is None else ""
        reason = lost.get(series) or silent or _why_not(series) or "its position fits no place in the chain of slabs"
        return SeriesLine(series, 0, label.contrast, False, reason)
    station = home.place.station
    if home.contrast is None:
        return SeriesLine(series, home.slab, None, False, station.dropped[series])
    if not home.chosen:
        reason = f"a repeat of slab {home.slab}; a more complete or newer one is used"
        return SeriesLine(series, home.slab, home.contrast, False, reason)
    said = f"{label.reason}; {note}" if (note := station.notes.get(series)) else label.reason
    where = "series number, not position, says" if home.place.ambiguous else "size and position say"
    return SeriesLine(series, home.slab, home.contrast, True, f"{said}; {where} slab {home.slab}")
