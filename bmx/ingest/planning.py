"""`plan`: what a conversion will take, before it is begun or while it is under way."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from bmx.acquisition import SLABS, ContrastName
from bmx.ingest.beginning import Asked, advise_anew, lay_out, plan_store
from bmx.ingest.encode import encode_partition
from bmx.ingest.forecast import Forecast, Rate
from bmx.ingest.memory import BYTES_AT_REST, MAX_MEMORY, bytes_per_participant
from bmx.ingest.options import ConvertOptions
from bmx.partitions.cluster import worker_count
from bmx.partitions.engine import log_name
from bmx.partitions.plan import Plan
from bmx.partitions.work import WorkFolder
from bmx.sources.find import exam_bytes
from bmx.store.slabs import stored_bytes

if TYPE_CHECKING:
    from distributed import Client

Item = TypeVar("Item")

_TRIALS = 3
"""Exams to convert for a forecast; the first one is slow, and the median doesn't mind."""
_SAMPLE = 50
"""Archives or partitions to look at: enough for a mean, few enough for a slow file system."""


def plan(
    source: str | Path,
    store: str | Path,
    *,
    slabs: int | Sequence[int] | None = None,
    contrasts: ContrastName | Sequence[ContrastName] | None = None,
    instance: int | None = None,
    physics: bool | None = None,
    client: Client | None = None,
    workers: int | None = None,
    max_memory: int = MAX_MEMORY,
    write: bool = False,
) -> Forecast:
    """Say what `bmx.convert` with these arguments would do: partitions, memory, disk and time.

    Eager: it searches the folder, and converts up to three exams into a temporary folder to see how long one takes,
    unless the store was begun already: then its finished partitions tell.

    Parameters
    ----------
    source, store, slabs, contrasts, instance, physics, client, workers, max_memory : as in `bmx.convert`
    write : write the plan and lay out the store, so that several calls of `convert(partitions=...)` can share it

    Raises
    ------
    SourceError, StoreError, ValueError
        As `bmx.convert`; without `write` nothing is left on disk.
    """
    asked = Asked.of(slabs, contrasts, instance, physics)
    work, planned, _ = plan_store(source, store, asked, client=client, workers=workers, max_memory=max_memory)
    if write and not work.is_finished(planned):
        lay_out(work, planned)
    options = ConvertOptions.from_plan(planned)
    missing = work.missing(planned) if work.has_plan() else list(range(len(planned)))
    done = sorted(set(range(len(planned))) - set(missing))
    _, in_memory = bytes_per_participant(options.slabs, options.contrasts)
    per_participant = sum(2 * int(np.prod(SLABS[number].stored_shape)) for number in options.slabs)
    return Forecast(
        store=work.store_url,
        participants=len(planned.eids),
        left=sum(len(planned.partition(index).eids) for index in missing),
        partitions=len(planned),
        done=len(done),
        partition_size=planned.size,
        workers=worker_count(client, workers=workers),
        memory_per_task=BYTES_AT_REST + min(planned.size, len(planned.eids)) * in_memory,
        archive_bytes=_archive_bytes(options.where),
        raw_bytes=len(planned.eids) * per_participant * len(options.contrasts),
        shards=len(planned) * len(options.slabs) * len(options.contrasts),
        rate=_rate_so_far(work, planned, done) or _try_out(planned),
        advice=advise_anew(planned, worker_count(client, workers=workers), max_memory),
    )


def _archive_bytes(places: Sequence[str]) -> int:
    """Bytes of all archives, from the mean of some."""
    asked = _spread([place for place in places if place], _SAMPLE)  # who has withdrawn has none
    # Of a participant that the store holds, the archive may be gone.
    sizes = [size for place in asked if (size := exam_bytes(place))]
    return round(statistics.mean(sizes) * len(places)) if sizes else 0


def _rate_so_far(work: WorkFolder, planned: Plan, done: Sequence[int]) -> Rate | None:
    """What the partitions took that are done, None if there are none."""
    options = ConvertOptions.from_plan(planned)
    logs = {index: work.read_file(log_name(index)) for index in _spread(done, _SAMPLE)}
    seconds = {
        index: json.loads(log)["seconds"] / len(planned.partition(index).eids)
        for index, log in logs.items()
        if log is not None
    }
    if not seconds:
        return None
    stored = stored_bytes(work.store_url, slabs=options.slabs, contrasts=options.contrasts, shards=list(seconds))
    participants = sum(len(planned.partition(index).eids) for index in seconds)
    basis = f"from the record of {len(seconds)} finished partitions"
    return Rate(statistics.median(seconds.values()), stored / participants, basis)


def _try_out(planned: Plan) -> Rate:
    """Convert some exams into a temporary folder, with the very code that will convert all."""
    options = ConvertOptions.from_plan(planned)
    rows = _spread(range(len(planned.eids)), _TRIALS)
    some = replace(options, where=tuple(options.where[row] for row in rows))
    with tempfile.TemporaryDirectory() as folder:
        work = WorkFolder.beside(f"{folder}/trial.zarr")
        trial = Plan(tuple(planned.eids[row] for row in rows), 1, some.for_plan())
        lay_out(work, trial)
        seconds = []
        for index in range(len(trial)):
            began = time.perf_counter()
            encode_partition(work.url, index)
            seconds.append(time.perf_counter() - began)
        stored = stored_bytes(
            work.store_url, slabs=options.slabs, contrasts=options.contrasts, shards=range(len(trial))
        )
    return Rate(statistics.median(seconds), stored / len(rows), f"measured now on {len(rows)} exams")


def _spread(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of these, evenly spread."""
    count = min(count, len(items))
    return [items[i * len(items) // count] for i in range(count)]
