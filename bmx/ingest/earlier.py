"""What a partition held before it grew: its participants come from the store, not from archives that may be gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bmx.acquisition import ContrastName, Slab
from bmx.ingest.provenance import SERIES
from bmx.partitions.plan import Partition
from bmx.partitions.work import WorkFolder
from bmx.store.slabs import read_images
from bmx.types import IntVolume

Record = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Earlier:
    """The first participants of a partition, as an earlier call of `convert` left them."""

    store_url: str
    start: int
    """Position of the first of them on the participant axis."""
    eids: tuple[int, ...]
    """None if the partition is new."""
    record: Record

    @property
    def participants(self) -> int:
        """How many there are."""
        return len(self.eids)

    def joined(self, new: Record) -> dict[str, npt.NDArray[Any]]:
        """The record of all: theirs in front of that of the new participants."""
        if not self.eids:
            return dict(new)
        ours = np.isin(self.record[f"{SERIES}/series_participant"], self.eids)
        return {
            name: np.concatenate(
                [self.record[name][ours if name.startswith(f"{SERIES}/") else slice(self.participants)], values]
            )
            for name, values in new.items()
        }

    def fill(self, slab: Slab, images: Mapping[ContrastName, IntVolume]) -> None:
        """Put their images of a slab into the first rows of these buffers, (participant, z, y, x) each."""
        if self.eids:
            for name, buffer in images.items():
                stop = self.start + self.participants
                buffer[: self.participants] = read_images(self.store_url, slab, name, start=self.start, stop=stop)


def find_earlier(work: WorkFolder, part: Partition) -> Earlier:
    """Say which participants of a partition were done when it was shorter.

    Its marker tells: it holds the digest of their EIDs, and stays until the grown partition is done. Record and
    shards may be of either length, but begin with them in any case, so that a task that was killed can be done again.
    """
    marker = work.read_marker(part.index)
    for count in range(len(part.eids) - 1, 0, -1):
        if marker is not None and marker == part.first(count).digest:
            return Earlier(work.store_url, part.start, part.eids[:count], work.read_record(part.index))
    return Earlier(work.store_url, part.start, (), {})
