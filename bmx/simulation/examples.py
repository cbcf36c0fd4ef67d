"""Simulated pairs of network input and mask, made on demand: what `bmx.train` learns from when nobody drew masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from bmx.core.preparation import InputContrast, prepare
from bmx.regions import Region
from bmx.simulation.bodies import Placement, draw_body, image_body
from bmx.simulation.faults.apply import apply_faults
from bmx.simulation.faults.base import Stage
from bmx.simulation.faults.placement import Positioning
from bmx.simulation.faults.registry import FAULTS
from bmx.simulation.people import draw_people, person_at
from bmx.simulation.randomised_slabs import draw_randomised_slab
from bmx.types import FloatVolume, IntVolume, Mask

Example = tuple[FloatVolume, Mask]

_STAGES: tuple[Stage, ...] = ("person", "body", "placement")
"""Faults that change what F + W shows: those of images and files don't."""

_SCALE = 1000.0
"""Scanner units of bright tissue."""


@dataclass(frozen=True, slots=True)
class Variety:
    """How far examples go beyond people without anything unusual."""

    unusual: float = 0.0
    """Share of realistic people who have one unusual thing: scoliosis, an implant, an exam begun too high, ..."""
    randomised: float = 0.0
    """Share of images whose body, contrast and artefacts are drawn at random, far from any person."""


REALISTIC = Variety()
UNUSUAL = Variety(unusual=0.5)
TRAINING = Variety(unusual=0.3, randomised=0.3)
"""What networks whose weights ship learn from."""


class SimulatedExamples(Sequence[Example]):
    """`n` simulated participants as (volume, mask) of one region, kept in memory once made.

    volume : (z, y, x) float32, as `bmx.core.preparation.prepare` gives it
    mask : (z, y, x) bool, the truth

    The same `seed` gives the same participants; other seeds share none with them. `realistic` says which of them are
    people with nothing unusual, `identity` what sets the examples apart: no image has to be made for either.
    """

    simulated = True

    def __init__(
        self,
        region: Region,
        n: int,
        seed: int,
        contrast: InputContrast = "fat+water",
        variety: Variety = REALISTIC,
    ) -> None:
        self.region, self.seed, self.contrast, self.variety = region, seed, contrast, variety
        self._people = draw_people(n, seed)
        self.identity = f"{n} of {region.name}, {contrast}, seed {seed}, {variety}"
        self.realistic = tuple(not any(self._cast(index)[1:]) for index in range(n))
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
            fat, water, mask = self._draw(index)
            volume, box = prepare(fat, water, self.contrast)
            # Half precision: the images have 12 bits, and a hundred of them must fit.
            self._made[index] = volume.astype(np.float16), np.ascontiguousarray(mask[box])
        volume16, mask = self._made[index]
        return volume16.astype(np.float32), mask

    def _draw(self, index: int) -> tuple[IntVolume, IntVolume, Mask]:
        """Fat, water and mask of one participant."""
        rng, randomised, unusual = self._cast(index)
        if randomised:
            image, mask = draw_randomised_slab(self.region, rng)
            # One channel, whatever it shows, stands for the sum that the network is given.
            units = np.clip(image * _SCALE, 0, np.iinfo(np.uint16).max).astype(np.uint16)
            return units, np.zeros_like(units), mask
        names = [str(rng.choice(self._unusual()))] if unusual else []
        known = {"seed": self.seed, "index": index}
        person, _ = apply_faults("person", person_at(self._people, index), names, **known)
        anatomy, _ = apply_faults("body", draw_body(person, self.seed), names, **known)
        lying, _ = apply_faults("placement", Positioning((self.region.slab,)), names, **known)
        placement = Placement(lying.shift_mm)
        slab = image_body(anatomy, person, (self.region.slab,), self.seed, placement=placement)[self.region.slab]
        return slab.images["fat"], slab.images["water"], slab.masks[self.region.name]

    def _cast(self, index: int) -> tuple[np.random.Generator, bool, bool]:
        """The randomness of one participant, whether they are randomised, and whether a realistic one is unusual."""
        rng = np.random.default_rng([self.seed, index, 23])
        randomised = rng.random() < self.variety.randomised
        return rng, randomised, not randomised and rng.random() < self.variety.unusual

    def _unusual(self) -> list[str]:
        """Names of faults that can change this region's image."""
        return [
            name
            for name, kind in FAULTS.items()
            if kind.stage in _STAGES and self.region.name in kind.regions and kind.cause != "data structure"
        ]
