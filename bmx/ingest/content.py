"""Which image is which by content, where labels conflict: tags contradict each other, or two series claim one contrast.

in = W + F and opposed = |W - F| tell the echoes from fat and water; the shell of the body, which is fat, tells those
two apart. Where the content isn't clear, tags that are consistent are kept, and claims that aren't are dropped:
a slab without fat is better than one whose fat is water. Pixels are read in such conflicts only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bmx.acquisition import CONTRASTS, ContrastName
from bmx.core.physics import assign_echoes, fat_of_pair
from bmx.errors import SourceError
from bmx.ingest.contrasts import Label
from bmx.ingest.stations import Station, possible_slabs
from bmx.sources.header import Header
from bmx.sources.series import Series
from bmx.types import IntVolume

Pixels = Callable[[Header], IntVolume]

_SLICES: Final = 5
"""Slices of each image to look at."""
_MIDDLE: Final = (0.2, 0.8)
"""Part of a slab that is free of ghosts and of the loss of signal at its ends."""

_BY_PHYSICS = "in ≈ W + F and opposed ≈ |W - F| tell the echoes"
_BY_SHELL = "the fat under the skin tells fat from water"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the content says."""

    channels: dict[ContrastName, Series]
    """Empty if nothing is clear."""
    decided_by: str


def settle_labels(
    stations: Sequence[Station], labels: Mapping[Series, Label], pixels: Pixels | None
) -> tuple[list[Station], dict[Series, str]]:
    """Settle all conflicts of labels in the acquisitions of one exam.

    Parameters
    ----------
    stations : changed in place
    labels : of all series that could be of a slab; those without a contrast are in no station yet
    pixels : reads one image, or raises SourceError; without it, no content is clear

    Returns
    -------
    The stations that are left, and, of acquisitions in which no image could be named, each series and why.
    """
    left, lost = list(stations), dict[Series, str]()
    unnamed = [series for series, label in labels.items() if label.contrast is None]
    for station in stations:
        if station not in left:
            continue
        others = [one for one in left if one is not station and _is_same_acquisition(one, station)]
        nameless = [one for one in unnamed if station.was_acquired_with(one) and station.fits(one)]
        claims = [series for one in (station, *others) for series in one.channels.values()] + nameless
        if len(claims) != len(CONTRASTS) or not (others or nameless or station.conflict):
            continue
        _settle(station, claims, labels, pixels)
        left = [one for one in left if one not in others and (one is not station or one.channels)]
        unnamed = [one for one in unnamed if one not in nameless]
        if not station.channels:
            lost |= station.dropped
    return left, lost


def _is_same_acquisition(one: Station, station: Station) -> bool:
    return all(station.was_acquired_with(series) and station.fits(series) for series in one.channels.values())


def _settle(station: Station, claims: Sequence[Series], labels: Mapping[Series, Label], pixels: Pixels | None) -> None:
    """Give the four images of one acquisition their names."""
    verdict = _look(station, claims, labels, pixels)
    station.conflict = True
    # Somebody must say where the acquisition lies: an image of full size whose origin is right.
    is_placed = any(possible_slabs(one) and one not in station.displaced for one in verdict.channels.values())
    station.channels = verdict.channels if is_placed else {}
    # What was aligned with images that are gone now has lost its place.
    station.channels = {
        name: one
        for name, one in station.channels.items()
        if one not in station.displaced or one.span == station.slices
    }
    for series in claims:
        if series in station.channels.values():
            station.notes[series] = verdict.decided_by
        else:
            station.dropped[series] = f"{labels[series].reason}, but that is contested and content isn't clear"


def _look(station: Station, claims: Sequence[Series], labels: Mapping[Series, Label], pixels: Pixels | None) -> Verdict:
    """Name the four images by what they show; by their tags where that isn't clear."""
    images = None if pixels is None else _sample(station, claims, pixels)
    assigned = None if images is None else assign_echoes(images)
    if images is None or assigned is None:
        names = [labels[series].contrast for series in claims]
        alone = {name: one for name, one in zip(names, claims, strict=True) if name and names.count(name) == 1}
        return Verdict(alone, "no other image claims that, and content isn't clear")
    echoes: dict[ContrastName, Series] = {
        "in_phase": claims[assigned.in_phase],
        "opposed_phase": claims[assigned.opposed_phase],
    }
    one, other = (claims[place] for place in assigned.fat_and_water)
    fat = fat_of_pair(*(images[place] for place in assigned.fat_and_water))
    if fat is not None:
        pair = (one, other) if fat == 0 else (other, one)
        return Verdict({**echoes, "fat": pair[0], "water": pair[1]}, f"{_BY_PHYSICS}, {_BY_SHELL}")
    said = {labels[series].contrast for series in (one, other)} & {"fat", "water"}
    if not said or labels[one].contrast == labels[other].contrast:
        return Verdict(echoes, _BY_PHYSICS)
    one_is_fat = labels[one].contrast == "fat" or labels[other].contrast == "water"
    pair = (one, other) if one_is_fat else (other, one)
    return Verdict({**echoes, "fat": pair[0], "water": pair[1]}, f"{_BY_PHYSICS}, tags tell fat from water")


def _sample(station: Station, claims: Sequence[Series], pixels: Pixels) -> IntVolume | None:
    """Some slices of what all four images show, (4, z, y, x); None if there are none or they can't be read."""
    places = [dict(zip((station.start(one) + one.indices).tolist(), one.headers, strict=True)) for one in claims]
    common = sorted(set.intersection(*(set(place) for place in places)))
    inner = common[int(_MIDDLE[0] * len(common)) : int(np.ceil(_MIDDLE[1] * len(common)))]
    if not inner:
        return None
    chosen = sorted({inner[int(place)] for place in np.linspace(0, len(inner) - 1, _SLICES)})
    windows = _windows(station, claims)
    try:
        return np.stack(
            [
                [one.turned(pixels(place[z]))[window] for z in chosen]
                for one, place, window in zip(claims, places, windows, strict=True)
            ]
        )
    except SourceError:
        return None


def _windows(station: Station, claims: Sequence[Series]) -> list[tuple[slice, slice]]:
    """Of each image, rows and columns that all have: one may have a smaller field of view."""
    corners = [station.corner(one) for one in claims]
    left, top = (max(corner[axis] for corner in corners) for axis in (0, 1))
    right = min(x + one.first.columns for (x, _), one in zip(corners, claims, strict=True))
    bottom = min(y + one.first.rows for (_, y), one in zip(corners, claims, strict=True))
    return [(slice(top - y, bottom - y), slice(left - x, right - x)) for x, y in corners]
