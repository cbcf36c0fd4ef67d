"""How far work on a store is, as the disk tells it: seen from any process, without a cluster."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bmx.partitions.engine import log_name
from bmx.partitions.plan import Partition
from bmx.partitions.work import WorkFolder

_RECENT = 20
"""Partitions whose pace says when the rest will be done."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is done of a conversion or a run."""

    participants: int
    done: int
    """Participants of the partitions that are done."""
    failed: int
    """Of these, how many have a region whose measurement failed; 0 for a conversion, which has a report."""
    partitions: int
    partitions_done: int
    finished: bool
    """Whether everything is written and can be opened."""
    idle_s: float
    """Since the last partition was done; NaN if none is."""
    per_second: float
    """Participants, by the last twenty partitions; NaN if that can't be told."""

    @property
    def left_s(self) -> float:
        """What the rest will take at this pace, seconds; NaN if that can't be told."""
        return (self.participants - self.done) / self.per_second if self.per_second > 0 else float("nan")

    def __str__(self) -> str:
        """One line."""
        failed = f", {self.failed:,} failed" if self.failed else ""
        line = (
            f"{self.done:,} of {self.participants:,} participants done{failed} "
            f"({self.partitions_done:,} of {self.partitions:,} partitions)"
        )
        if self.finished:
            return f"{line}; finished"
        if self.per_second > 0:
            line += f"; {self.per_second:.2g} per second, {_spell(self.left_s)} left"
        return line if self.idle_s != self.idle_s else f"{line}; the last partition ended {_spell(self.idle_s)} ago"


def status(place: str | Path) -> Progress:
    """Tell how far a conversion or a run is, or was when it stopped.

    Parameters
    ----------
    place : of the store or the results, a path or URL; they needn't exist yet

    Raises
    ------
    StoreError
        If work on it was never begun.
    """
    work = WorkFolder.beside(place)
    plan = work.read_plan()
    missing = set(work.missing(plan))
    done = [part for part in plan.partitions() if part.index not in missing]
    told = list(_told(work, done))
    recent = sorted((one["ended"], one["seconds"], one["participants"]) for one in told)[-_RECENT:]
    spent = recent[-1][0] - (recent[0][0] - recent[0][1]) if recent else 0.0
    return Progress(
        participants=len(plan.eids),
        done=sum(len(part.eids) for part in done),
        failed=sum(one["failed"] for one in told),
        partitions=len(plan),
        partitions_done=len(done),
        finished=not missing and work.is_finished(plan),
        idle_s=max(time.time() - recent[-1][0], 0.0) if recent else float("nan"),
        per_second=sum(people for _, _, people in recent) / spent if spent > 0 else float("nan"),
    )


def logs(place: str | Path) -> Iterator[dict[str, Any]]:
    """What each partition that is done took, in their order: seconds, when it ended, on which process, how many failed.

    Parameters
    ----------
    place : of the store or the results

    Raises
    ------
    StoreError
        If work on it was never begun.
    """
    work = WorkFolder.beside(place)
    plan = work.read_plan()
    missing = set(work.missing(plan))
    yield from _told(work, [part for part in plan.partitions() if part.index not in missing])


def _told(work: WorkFolder, done: Sequence[Partition]) -> Iterator[dict[str, Any]]:
    """The log of each of these partitions that left one."""
    for part, told in zip(done, work.read_files(log_name(part.index) for part in done), strict=True):
        if told is not None:
            yield {
                "partition": part.index,
                "participants": len(part.eids),
                "first_eid": part.eids[0],
                "last_eid": part.eids[-1],
                **json.loads(told),
            }


def _spell(seconds: float) -> str:
    """A time as one says it.

    Examples
    --------
    >>> _spell(42), _spell(600), _spell(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
