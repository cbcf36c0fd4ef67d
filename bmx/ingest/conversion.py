"""`convert`: from a folder of archives to a store, partition by partition, resumable at any moment."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bmx.acquisition import SLABS, ContrastName
from bmx.errors import StoreError
from bmx.ingest.encode import BYTES_AT_REST, bytes_per_participant, encode_partition
from bmx.ingest.finalise import finalise
from bmx.ingest.options import ConvertOptions
from bmx.partitions.cluster import worker_count
from bmx.partitions.engine import run_missing
from bmx.partitions.plan import Plan, choose_size
from bmx.partitions.work import WorkFolder, absolute_place
from bmx.sources.find import find_layout, source_of
from bmx.store.layout import find_store
from bmx.store.slabs import FORMAT, VERSION, create_store

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger(__name__)

MAX_MEMORY = 700_000_000
"""Bytes that one task may use unless the caller says otherwise."""


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """What a call of `convert` did."""

    store: str
    participants: int
    """In the store."""
    partitions: int
    """In the store."""
    done: int
    """Partitions that this call wrote; 0 if the store was finished already."""

    def __str__(self) -> str:
        what = f"{self.store}: {self.participants} participants in {self.partitions} partitions"
        return f"{what}, {self.done} of them written now" if self.done else f"{what}, finished already: nothing to do"


def convert(
    source: str | Path,
    store: str | Path,
    *,
    slabs: Sequence[int] = tuple(SLABS),
    contrasts: Sequence[ContrastName] = ("fat", "water"),
    instance: int = 2,
    client: Client | None = None,
    workers: int | None = None,
    max_memory: int = MAX_MEMORY,
) -> ConvertReport:
    """Turn a folder of `EID_20201_I_0.zip` archives into a store for `bmx.open_store`.

    Call it again after any interruption: only what is missing is done, and a finished store is left
    alone. Participants whose archives were added to the folder go to the end of the store.

    Parameters
    ----------
    source : folder (or URL) of archives, searched with its subfolders
    store : where the store goes, `something.zarr`; `something.zarr.work` beside it keeps what a restart needs
    slabs : which of the six to keep
    contrasts : which of in_phase, opposed_phase, fat, water to keep; all four add the physics residual
    instance : imaging visit, 2 for the first, 3 for the repeat
    client, workers : Dask client to work on (default: the active one), or the number of local processes
    max_memory : bytes that one task may use

    Returns
    -------
    ConvertReport
        How many participants and partitions there are, and how many were written now.

    Raises
    ------
    SourceError
        If the folder holds no such archive, or a participant has two.
    StoreError
        If the store has another format version, other slabs or contrasts, can't be written, or mixes
        simulated and real exams.
    ValueError
        If a slab or contrast is unknown, or `max_memory` is too small for one participant.

    An archive that is damaged doesn't stop the conversion: see `slab_status` and `slab_reason`.
    """
    url = absolute_place(store)
    place = absolute_place(source)
    layout = find_layout(place)
    found = source_of(place, layout=layout, instance=instance).list_exams()
    options = ConvertOptions(place, layout, instance, tuple(sorted(slabs)), tuple(contrasts), ())
    work = WorkFolder.beside(url)
    plan = _grow(work.read_plan(), found, options, url) if _begun(url, work) else None
    if plan is None:
        plan = _first_plan(found, options, worker_count(client, workers=workers), max_memory)
    if work.is_finished(plan) and not work.missing(plan):
        logger.info("convert: %s is finished, nothing to do", url)
        return ConvertReport(url, len(plan.eids), len(plan), 0)
    work.write_plan(plan)
    create_store(
        url,
        participants=len(plan.eids),
        shard=plan.size,
        slabs=options.slabs,
        contrasts=options.contrasts,
        instance=instance,
    )
    done = run_missing(encode_partition, work, plan, client=client, workers=workers, label="convert")
    finalise(work, plan)
    return ConvertReport(url, len(plan.eids), len(plan), done)


def _begun(url: str, work: WorkFolder) -> bool:
    """Whether this store was begun by an earlier call."""
    exists = find_store(url, FORMAT, VERSION) is not None
    if exists and not work.has_plan():
        raise StoreError(
            f"{url} exists, but {work.url} is gone, which says how it was made; "
            "convert into another place, or delete the store first"
        )
    if not work.has_plan():
        return False
    plan = work.read_plan()
    if not exists and len(work.missing(plan)) < len(plan):
        raise StoreError(f"{url} is gone, but {work.url} says that it was made; delete that folder to start anew")
    return True


def _first_plan(found: Mapping[int, str], options: ConvertOptions, workers: int, max_memory: int) -> Plan:
    in_shard, in_memory = bytes_per_participant(options.slabs, options.contrasts)
    size = choose_size(
        len(found),
        bytes_per_shard_row=in_shard,
        bytes_per_row=in_memory,
        workers=workers,
        max_memory=max_memory,
        bytes_at_rest=BYTES_AT_REST,
    )
    peak = BYTES_AT_REST + size * in_memory
    logger.info("convert: %d participants per partition, at most %d MB per task", size, peak // 10**6)
    return Plan(tuple(found), size, replace(options, where=tuple(found.values())).for_plan())


def _grow(plan: Plan, found: Mapping[int, str], options: ConvertOptions, url: str) -> Plan:
    """The plan of an earlier call, with archives that are new at its end; old ones may have moved."""
    before = ConvertOptions.from_plan(plan)
    different = [
        f"{name} {getattr(before, name)}, asked for {getattr(options, name)}"
        for name in ("slabs", "contrasts", "instance")
        if _as_set(getattr(before, name)) != _as_set(getattr(options, name))
    ]
    if different:
        raise StoreError(f"{url} was made with {'; '.join(different)}; convert into another place, or ask for the same")
    known = dict(zip(plan.eids, before.where, strict=True))
    new = {eid: where for eid, where in found.items() if eid not in known}
    where = [found.get(eid, place) for eid, place in known.items()]
    grown = replace(before, source=options.source, where=(*where, *new.values()))
    return Plan((*plan.eids, *new), plan.size, grown.for_plan())


def _as_set(value: object) -> object:
    """The order in which slabs or contrasts were named doesn't matter."""
    return set(value) if isinstance(value, tuple) else value
