"""Which participants make which partition."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

SHARD_BYTES = 100_000_000
"""Size to aim at for one shard before compression: large enough for parallel file systems, small enough for memory."""

PARTITIONS_PER_WORKER = 4
"""Fewer, and one slow partition leaves the other workers idle at the end."""


@dataclass(frozen=True)
class Partition:
    """A range of participants that owns whole shards of every image array."""

    index: int
    start: int
    """First position on the participant axis."""
    stop: int
    """One past the last position."""
    eids: tuple[int, ...]

    @cached_property
    def digest(self) -> str:
        """Digest of the list of EIDs; a done-marker that holds another one is out of date.

        Examples
        --------
        >>> Partition(0, 0, 2, (7, 8)).digest == Partition(3, 6, 8, (7, 8)).digest
        True
        >>> Partition(0, 0, 2, (7, 8)).digest == Partition(0, 0, 2, (8, 7)).digest
        False
        """
        return _digest(self.eids)

    def first(self, count: int) -> Partition:
        """The first participants of this partition, as it was before it grew.

        Examples
        --------
        >>> Partition(3, 6, 8, (7, 8)).first(1)
        Partition(index=3, start=6, stop=7, eids=(7,))
        """
        return Partition(self.index, self.start, self.start + count, self.eids[:count])


@dataclass(frozen=True)
class Plan:
    """All participants in the order of the store, cut into partitions of `size`.

    Examples
    --------
    >>> [(part.start, part.stop) for part in Plan(eids=(11, 12, 13), size=2).partitions()]
    [(0, 2), (2, 3)]
    """

    eids: tuple[int, ...]
    size: int
    """Participants per partition, which is also participants per shard."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the tasks need to know besides; anything that JSON can hold."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"a partition needs at least one participant, found size {self.size}")
        if len(set(self.eids)) != len(self.eids):
            raise ValueError("an EID stands twice in the plan")

    @cached_property
    def digest(self) -> str:
        """Digest of the list of all EIDs."""
        return _digest(self.eids)

    def __len__(self) -> int:
        """Number of partitions."""
        return math.ceil(len(self.eids) / self.size)

    def partition(self, index: int) -> Partition:
        """Give partition `index`, counted from 0."""
        if not 0 <= index < len(self):
            raise IndexError(f"partition {index} of {len(self)}")
        start = index * self.size
        eids = self.eids[start : start + self.size]
        return Partition(index, start, start + len(eids), eids)

    def partitions(self) -> Iterator[Partition]:
        """Give all partitions in order."""
        return map(self.partition, range(len(self)))


def _digest(eids: tuple[int, ...]) -> str:
    return hashlib.blake2b(np.asarray(eids, "<i8").tobytes(), digest_size=16).hexdigest()


def choose_size(
    participants: int,
    *,
    bytes_per_shard_row: int,
    bytes_per_row: int,
    workers: int,
    max_memory: int,
    bytes_at_rest: int = 0,
) -> int:
    """Participants per shard: about 100 MB, within memory, and at least four partitions per worker.

    Parameters
    ----------
    participants : int
        How many there are.
    bytes_per_shard_row : int
        Bytes that one participant takes in one shard before compression.
    bytes_per_row : int
        Bytes that one participant takes in the memory of a task (its shard buffer, and the copies made of it).
    workers : int
        How many tasks run at once.
    max_memory : int
        Bytes that one task may use.
    bytes_at_rest : int
        Bytes that a task takes whatever the number of participants: interpreter and libraries.

    Raises
    ------
    ValueError
        If not even one participant fits into `max_memory`; the message says what would do.

    Examples
    --------
    >>> sizes = {"bytes_per_shard_row": 4_000_000, "bytes_per_row": 12_000_000}
    >>> choose_size(100_000, **sizes, workers=16, max_memory=700_000_000)
    25
    >>> choose_size(100_000, **sizes, workers=16, max_memory=60_000_000)
    5
    >>> choose_size(24, **sizes, workers=2, max_memory=700_000_000)
    3
    >>> choose_size(24, **sizes, workers=2, max_memory=1_000_000)
    Traceback (most recent call last):
    ...
    ValueError: one task may use 1,000,000 bytes, but one participant alone takes 12,000,000; allow at least 12 MB
    """
    least = bytes_at_rest + bytes_per_row
    if max_memory < least:
        raise ValueError(
            f"one task may use {max_memory:,} bytes, but one participant alone takes {least:,}; "
            f"allow at least {math.ceil(least / 1e6)} MB"
        )
    by_shard = SHARD_BYTES // bytes_per_shard_row
    by_memory = (max_memory - bytes_at_rest) // bytes_per_row
    by_workers = participants // (PARTITIONS_PER_WORKER * workers)
    return max(1, min(by_shard, by_memory, by_workers))
