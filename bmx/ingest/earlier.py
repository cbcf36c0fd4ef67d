"""What a partition already holds: its participants come from the store, not from archives that may be gone.

It holds some when it grew, and when the archives among it that couldn't be read are to be read again. Its marker tells:
it holds the digest of those for whom it was done, and stays until the partition is done anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import zarr

from bmx.acquisition import SLABS, ContrastName, Slab
from bmx.errors import SourceError
from bmx.ingest.options import ConvertOptions
from bmx.ingest.provenance import SERIES
from bmx.partitions.plan import Partition, Plan
from bmx.partitions.work import WorkFolder
from bmx.sources.base import Source
from bmx.sources.find import source_of
from bmx.store.slabs import read_images
from bmx.types import IntVolume
from bmx.variables import SLAB_FLAGS

Record = Mapping[str, npt.NDArray[Any]]

RETRY: Final = "retry "
"""In front of the digest in a marker: archives of this partition that couldn't be read are to be read again."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """Participants of a partition that stay as an earlier call of `convert` left them."""

    store_url: str
    part: Partition
    kept: tuple[int, ...]
    """Which they are, counted from 0; none if the partition is new."""
    record: Record
    """Of all for whom the partition was done."""

    @property
    def others(self) -> list[int]:
        """Those whose archives are to be read, counted from 0."""
        kept = set(self.kept)
        return [row for row in range(len(self.part.eids)) if row not in kept]

    def joined(self, new: Record) -> dict[str, npt.NDArray[Any]]:
        """The record of all, in the order of the partition, from that of `others`."""
        if not self.kept:
            return dict(new)
        rows = {eid: row for row, eid in enumerate(self.part.eids)}
        held = [self.part.eids[row] for row in self.kept]
        series = f"{SERIES}/series_participant"
        ours = np.isin(self.record[series], held)
        owners = np.concatenate([self.record[series][ours], new[series]])
        lines = np.argsort([rows[eid] for eid in owners.tolist()], kind="stable")
        people = np.argsort([*self.kept, *self.others])
        joined = {}
        for name, values in new.items():
            is_series = name.startswith(f"{SERIES}/")
            both = np.concatenate([self.record[name][ours if is_series else list(self.kept)], values])
            joined[name] = both[lines if is_series else people]
        return joined

    def fill(self, slab: Slab, images: Mapping[ContrastName, IntVolume]) -> None:
        """Put their images of a slab into their rows of these buffers, (participant, z, y, x) each."""
        if self.kept:
            start = self.part.start
            for name, buffer in images.items():
                held = read_images(self.store_url, slab, name, start=start, stop=start + self.kept[-1] + 1)
                for row in self.kept:  # one by one: with a list of rows, NumPy would make a copy of all
                    buffer[row] = held[row]


def find_earlier(work: WorkFolder, part: Partition, slabs: Sequence[int]) -> Earlier:
    """Say which participants of a partition needn't be read.

    Record and shards may be of an earlier length or of a later one, and know of archives that couldn't be read or
    hold what was read again, so that a task that was killed can be done again.

    Parameters
    ----------
    work, part : the work folder, and a partition of its plan
    slabs : those that the store keeps
    """
    count, retry = _done_for(work, part)
    if not count:
        return Earlier(work.store_url, part, (), {})
    record = work.read_record(part.index)
    unread = set(_unread(record, slabs, count)) if retry else set()
    return Earlier(work.store_url, part, tuple(row for row in range(count) if row not in unread), record)


def read_again(work: WorkFolder, plan: Plan, *, now: Plan) -> int:
    """Mark partitions as not done that hold archives which couldn't be read, and can be opened now; give how many.

    The store counts as unfinished from then on, and readers see it as it was.

    Parameters
    ----------
    work, plan : as an earlier call left them
    now : the same participants, perhaps more, with the places where their archives lie now
    """
    options = ConvertOptions.from_plan(now)
    source = source_of(options.source, layout=options.layout, instance=options.instance)
    indexes: Iterable[int] = range(len(plan))
    if work.is_finished(plan):
        indexes = np.unique(_unreadable_rows(work, options) // plan.size).tolist()
    total = 0
    for part in map(plan.partition, indexes):
        count, _ = _done_for(work, part)
        unread = _unread(work.read_record(part.index), options.slabs, count) if count else []
        if opened := sum(_opens(source, options.where[part.start + row]) for row in unread):
            # First: if all are done again and the columns aren't written, a later call must not see a finished store.
            work.remove_file("finished")
            work.write_marker(part.index, RETRY + part.first(count).digest)
            total += opened
    return total


def count_unreadable(work: WorkFolder, plan: Plan) -> int:
    """How many archives of a finished store are gone or couldn't be read."""
    return len(_unreadable_rows(work, ConvertOptions.from_plan(plan)))


def _unreadable_rows(work: WorkFolder, options: ConvertOptions) -> npt.NDArray[np.intp]:
    flags = zarr.open_group(work.store_url, mode="r")[f"{SLABS[options.slabs[0]].name}/slab_flags"]
    assert isinstance(flags, zarr.Array)
    return np.flatnonzero(np.asarray(flags[:]) & SLAB_FLAGS["archive_unreadable"])


def _opens(source: Source, where: str) -> bool:
    try:
        with source.open_exam(where):
            return True
    except (SourceError, FileNotFoundError):
        return False


def _done_for(work: WorkFolder, part: Partition) -> tuple[int, bool]:
    """For how many of its participants a partition was done, and whether archives are to be read again."""
    marker = work.read_marker(part.index) or ""
    digest = marker.removeprefix(RETRY)
    for count in range(len(part.eids), 0, -1):
        if digest == part.first(count).digest:
            return count, digest != marker
    return 0, False


def _unread(record: Record, slabs: Sequence[int], count: int) -> list[int]:
    """Who of the first participants of a record has an archive that couldn't be read, which every slab says."""
    flags = record[f"{SLABS[slabs[0]].name}/slab_flags"][:count]
    unread: list[int] = np.flatnonzero(flags & SLAB_FLAGS["archive_unreadable"]).tolist()
    return unread
