"""Which participants a store holds in which order: the plan of a new store, or that of an earlier call, grown."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bmx.acquisition import CONTRASTS, SLABS, ContrastName
from bmx.errors import StoreError
from bmx.ingest.memory import BYTES_AT_REST, bytes_per_participant
from bmx.ingest.options import FIRST_VISIT, ConvertOptions
from bmx.partitions.cluster import worker_count
from bmx.partitions.plan import Plan, choose_size
from bmx.partitions.withdrawn import leave_out_withdrawn, refuse_pending
from bmx.partitions.work import WorkFolder, absolute_place, holds_anything
from bmx.sources.find import MEANING, Layout, find_layout, source_of
from bmx.store.layout import find_store
from bmx.store.slabs import FORMAT, VERSION, create_store

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger(__name__)

_FAR_LARGER = 4
"""How many times larger partitions would have to be today for a word about it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller asks of a store; None is what the store was begun with, or the usual."""

    slabs: Sequence[int] | None = None
    contrasts: Sequence[ContrastName] | None = None
    instance: int | None = None
    physics: bool | None = None

    @classmethod
    def of(
        cls,
        slabs: int | Sequence[int] | None,
        contrasts: ContrastName | Sequence[ContrastName] | None,
        instance: int | None,
        physics: bool | None,
    ) -> Self:
        """What a caller says, who may mean a list of one."""
        return cls(
            [slabs] if isinstance(slabs, int) else slabs,
            [contrasts] if isinstance(contrasts, str) else contrasts,
            instance,
            physics,
        )

    def differs_from(self, before: ConvertOptions) -> list[str]:
        """What a store that was begun already can't give."""
        return [
            f"{name} {getattr(before, name)}, asked for {_sorted(asked)}"
            for name in ("slabs", "contrasts", "instance", "physics")
            if (asked := getattr(self, name)) is not None and _sorted(asked) != _sorted(getattr(before, name))
        ]


def plan_store(
    source: str | Path, store: str | Path, asked: Asked, *, client: Client | None, workers: int | None, max_memory: int
) -> tuple[WorkFolder, Plan, int]:
    """Look for archives and give the plan of the store, which is not written yet, and how many archives it refuses.

    Those of participants who have withdrawn are refused.

    Raises
    ------
    SourceError, StoreError, ValueError
        As `bmx.convert`.
    """
    work, place = WorkFolder.beside(absolute_place(store)), absolute_place(source)
    before = read_begun(work)
    instance = asked.instance
    if instance is None:
        instance = FIRST_VISIT if before is None else ConvertOptions.from_plan(before).instance
    layout = find_layout(place)
    contrasts = ("fat", "water") if asked.contrasts is None else tuple(asked.contrasts)
    options = ConvertOptions(
        source=place,
        layout=layout,
        instance=instance,
        slabs=tuple(sorted(SLABS if asked.slabs is None else asked.slabs)),
        contrasts=contrasts,
        where=(),
        physics=set(contrasts) == set(CONTRASTS) if asked.physics is None else asked.physics,
    )
    if before is not None:
        refuse_other(before, asked, work)
        _refuse_other_kind(ConvertOptions.from_plan(before).layout, layout, work, place)
    found = source_of(place, layout=layout, instance=instance).list_exams()
    kept = leave_out_withdrawn(work, found)
    refused = len(found) - len(kept)
    tasks = worker_count(client, workers=workers)
    if before is None:
        return work, _first_plan(kept, options, tasks, max_memory), refused
    grown = _grow(before, kept, place)
    if len(grown.eids) > len(before.eids) and (advice := advise_anew(grown, tasks, max_memory)):
        logger.warning("convert: %s", advice)
    return work, grown, refused


def lay_out(work: WorkFolder, plan: Plan) -> None:
    """Write the plan, and the arrays that its partitions fill; a call that was stopped may be made again."""
    options = ConvertOptions.from_plan(plan)
    if not (work.has_plan() and work.read_plan() == plan):  # jobs that share it may be reading it
        work.write_plan(plan)
    create_store(
        work.store_url,
        participants=len(plan.eids),
        shard=plan.size,
        slabs=options.slabs,
        contrasts=options.contrasts,
        instance=options.instance,
    )


def read_begun(work: WorkFolder) -> Plan | None:
    """Give the plan of an earlier call, None if there was none; refuse a store or a work folder that is alone."""
    refuse_pending(work)
    exists = find_store(work.store_url, FORMAT, VERSION) is not None
    if exists and not work.has_plan():
        raise StoreError(
            f"{work.store_url} exists, but {work.url} is gone, which says how it was made; "
            "convert into another place, or delete the store first"
        )
    if not work.has_plan():
        if holds_anything(work.store_url):
            raise StoreError(
                f"{work.store_url} holds something already that is no store, as the folder of the archives would; "
                "convert into a place of its own"
            )
        return None
    plan = work.read_plan()
    if not exists and len(work.missing(plan)) < len(plan):
        raise StoreError(
            f"{work.store_url} is gone, but {work.url} says that it was made; delete that folder to start anew"
        )
    return plan


def refuse_other(plan: Plan, asked: Asked, work: WorkFolder) -> None:
    """Half of a store with fat and water, the other half with fat alone would be of no use."""
    if different := asked.differs_from(ConvertOptions.from_plan(plan)):
        raise StoreError(
            f"{work.store_url} was made with {'; '.join(different)}; convert into another place, or ask for the same"
        )


def _refuse_other_kind(before: Layout, layout: Layout, work: WorkFolder, place: str) -> None:
    """A plan has one way to open all its exams."""
    if layout != before:
        raise StoreError(
            f"{work.store_url} was begun with {MEANING[before]}, but below {place} there are {MEANING[layout]}; "
            "convert those into another place, or give exams of the same kind"
        )


def advise_anew(plan: Plan, workers: int, max_memory: int) -> str:
    """Advice to begin a store anew that was begun small, and would be of far fewer shards today; empty if it wouldn't.

    Raises
    ------
    ValueError
        If one participant takes more than `max_memory`.
    """
    options = ConvertOptions.from_plan(plan)
    size = _size(len(plan.eids), options, workers, max_memory)
    if size < _FAR_LARGER * plan.size:
        return ""
    arrays = len(options.slabs) * len(options.contrasts)
    anew = -(-len(plan.eids) // size)
    return (
        f"the store was begun with {plan.size} participants in a partition, which makes {len(plan) * arrays:,} shards "
        f"of all {len(plan.eids):,}; begun now, it would have {size} in a partition and {anew * arrays:,} shards. "
        "Convert into another place if so many files or objects are too many"
    )


def _size(participants: int, options: ConvertOptions, workers: int, max_memory: int) -> int:
    in_shard, in_memory = bytes_per_participant(options.slabs, options.contrasts)
    return choose_size(
        participants,
        bytes_per_shard_row=in_shard,
        bytes_per_row=in_memory,
        workers=workers,
        max_memory=max_memory,
        bytes_at_rest=BYTES_AT_REST,
    )


def _first_plan(found: Mapping[int, str], options: ConvertOptions, workers: int, max_memory: int) -> Plan:
    size = _size(len(found), options, workers, max_memory)
    peak = BYTES_AT_REST + size * bytes_per_participant(options.slabs, options.contrasts)[1]
    logger.info("convert: partitions of %d, at most %.0f MB per task", size, peak / 1e6)
    return Plan(tuple(found), size, replace(options, where=tuple(found.values())).for_plan())


def _grow(plan: Plan, found: Mapping[int, str], source: str) -> Plan:
    """The plan of an earlier call, with archives that are new at its end; old ones may have moved."""
    before = ConvertOptions.from_plan(plan)
    known = dict(zip(plan.eids, before.where, strict=True))
    new = {eid: where for eid, where in found.items() if eid not in known}
    where = [found.get(eid, place) for eid, place in known.items()]
    grown = replace(before, source=source, where=(*where, *new.values()))
    return Plan((*plan.eids, *new), plan.size, grown.for_plan())


def _sorted(value: object) -> object:
    """The order in which slabs or contrasts were named doesn't matter."""
    return value if isinstance(value, int) else tuple(sorted(value))  # type: ignore[call-overload]
