"""Which station is which slab: by size and spacing, and by where it lies in the chain from neck to knee.

Slabs 2, 3 and 4 look alike, and an exam may be restarted, so that numbers tell nothing. But the tops of
the slabs of one exam have known distances (`bmx.acquisition.slab_top_mm`). Each way to say "this
station is that slab" fixes where the chain begins; the beginning that explains most wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bmx.acquisition import CONTRASTS, SLABS, slab_top_mm
from bmx.ingest.stations import Station, possible_slabs

_REACH_MM = 60.0
"""How far a station may lie from its place in the chain; look-alikes are 161 mm apart."""
_COHERENT_MM = 15.0
"""How far stations of one undisturbed exam lie from their places."""


@dataclass(frozen=True, slots=True)
class Place:
    """A station that was given a place in the chain."""

    station: Station
    residual_mm: float
    """How far above its expected place it lies."""
    ambiguous: bool = False
    """Whether only the series number told it from its look-alikes."""

    @property
    def is_coherent(self) -> bool:
        """Whether it lies where an undisturbed exam would have it."""
        return abs(self.residual_mm) <= _COHERENT_MM


@dataclass(frozen=True, slots=True)
class Chain:
    """The stations chosen for the slabs, and their rivals."""

    chosen: dict[int, Place]
    rivals: dict[int, list[Place]]
    """Stations at the place of a slab that were not chosen: repeats."""


def find_chain(stations: Sequence[Station]) -> Chain:
    """Choose at most one station for each slab.

    Of two exams that are equally complete the newer one is taken. Where several beginnings of the chain explain the
    same stations equally well (slab 3 alone could be 2 or 4), the series number decides, and the places are marked as
    ambiguous. Stations that lie too far away for any place are those of an exam at another landmark: the slabs that
    they are without a doubt were repeated.
    """
    best = _best_chain(stations)
    placed = {id(place.station) for number, first in best.chosen.items() for place in (first, *best.rivals[number])}
    left = [station for station in stations if id(station) not in placed]
    if not (left and best.chosen):
        return best
    other = find_chain(left)
    rivals = {number: [*others, *_certain(other, number)] for number, others in best.rivals.items()}
    return Chain(best.chosen, rivals)


def _certain(chain: Chain, number: int) -> list[Place]:
    """The stations of a chain that are this slab, if only this one is possible."""
    place = chain.chosen.get(number)
    return [] if place is None or place.ambiguous else [*chain.rivals[number], place]


def _best_chain(stations: Sequence[Station]) -> Chain:
    """The chain that explains most."""
    candidates = [(station, {slab.number for slab in possible_slabs(station.reference)}) for station in stations]
    chains = [_chain_from(begin, candidates) for begin in _beginnings(candidates)]
    if not chains:
        return Chain({}, {})
    # The newer of two whole exams before the numbers: those of the first are always as they should be.
    best = max(chains, key=lambda chain: (_explained(chain), _newness(chain), _prior(chain)))
    rivals = [
        chain for chain in chains if _explained(chain) == _explained(best) and set(chain.chosen) != set(best.chosen)
    ]
    if not rivals:
        return best
    alternatives = [{id(place.station): slab for slab, place in chain.chosen.items()} for chain in rivals]
    chosen = {
        slab: Place(
            place.station,
            place.residual_mm,
            ambiguous=any(other.get(id(place.station), slab) != slab for other in alternatives),
        )
        for slab, place in best.chosen.items()
    }
    return Chain(chosen, best.rivals)


def _beginnings(candidates: Sequence[tuple[Station, set[int]]]) -> Iterator[float]:
    """Heights at which slab 1 could have its top."""
    for station, numbers in candidates:
        for number in numbers:
            yield station.top_mm + slab_top_mm(number)


def _chain_from(begin: float, candidates: Sequence[tuple[Station, set[int]]]) -> Chain:
    """The chain whose slab 1 has its top at `begin`: among repeats the most complete, coherent, then newest."""
    chosen, rivals = {}, {}
    for slab in SLABS.values():
        expected = begin - slab_top_mm(slab.number)
        places = [
            Place(station, station.top_mm - expected)
            for station, numbers in candidates
            if slab.number in numbers and abs(station.top_mm - expected) <= _REACH_MM
        ]
        places.sort(key=_preference)
        if places:
            chosen[slab.number], rivals[slab.number] = places[-1], places[:-1]
    return Chain(chosen, rivals)


def _preference(place: Place) -> tuple[float, bool, str, int]:
    station = place.station
    return (_completeness(station), place.is_coherent, station.acquired, max(station.series_numbers))


def _completeness(station: Station) -> float:
    """Part of the four images' slices that are there; of the slab's, or an acquisition that was stopped is whole."""
    whole = max([station.slices, *(slab.slices for slab in possible_slabs(station.reference))])
    return sum(len(series.headers) for series in station.channels.values()) / (len(CONTRASTS) * whole)


def _explained(chain: Chain) -> tuple[float, int]:
    places = chain.chosen.values()
    return (round(sum(_completeness(place.station) for place in places), 6), sum(place.is_coherent for place in places))


def _prior(chain: Chain) -> int:
    """For how many stations the series number agrees: a weak hint, used between equals only."""
    return sum(
        slab == (number - 1) // len(CONTRASTS) + 1
        for slab, place in chain.chosen.items()
        for number in place.station.series_numbers
    )


def _newness(chain: Chain) -> list[str]:
    """When its stations were acquired, the first one first; the same if others of the chain stand for other slabs."""
    return sorted(place.station.acquired for place in chain.chosen.values())
