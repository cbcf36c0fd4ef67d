"""Simulated pairs of network input and mask, made on demand: what `bmx.train` learns from when nobody drew masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np

from bmx.core.preparation import InputContrast, prepare
from bmx.regions import Region
from bmx.simulation.bodies import simulate_participant
from bmx.simulation.people import draw_people, person_at
from bmx.types import FloatVolume, Mask

Example = tuple[FloatVolume, Mask]


class SimulatedExamples(Sequence[Example]):
    """`n` simulated participants as (volume, mask) of one region, kept in memory once made.

    volume : (z, y, x) float32, as `bmx.core.preparation.prepare` gives it
    mask : (z, y, x) bool, the truth

    The same `seed` gives the same participants; other seeds share none with them.
    """

    def __init__(self, region: Region, n: int, seed: int, contrast: InputContrast = "fat+water") -> None:
        self.region, self.seed, self.contrast = region, seed, contrast
        self._people = draw_people(n, seed)
        self._made: dict[int, tuple[np.ndarray, Mask]] = {}

    def __len__(self) -> int:
        return len(self._people)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        if index not in self._made:
            person = person_at(self._people, index)
            slab = simulate_participant(person, (self.region.slab,), self.seed)[self.region.slab]
            volume, box = prepare(slab.images["fat"], slab.images["water"], self.contrast)
            # Half precision: the images have 12 bits, and a hundred of them must fit.
            self._made[index] = volume.astype(np.float16), slab.masks[self.region.name][box]
        volume16, mask = self._made[index]
        return volume16.astype(np.float32), mask
