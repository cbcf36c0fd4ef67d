"""`convert`: from a folder of archives to a store, partition by partition, resumable at any moment."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bmx.acquisition import ContrastName
from bmx.errors import StoreError
from bmx.ingest.beginning import Asked, lay_out, plan_store, read_begun, refuse_other
from bmx.ingest.earlier import count_unreadable, read_again
from bmx.ingest.encode import encode_partition
from bmx.ingest.finalise import finalise
from bmx.ingest.memory import MAX_MEMORY
from bmx.partitions.engine import run_missing
from bmx.partitions.plan import Plan
from bmx.partitions.rescue import rescue
from bmx.partitions.work import WorkFolder, absolute_place

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """What a call of `convert` did."""

    store: str
    participants: int
    """In the store."""
    partitions: int
    """In the store."""
    done: int
    """Partitions that this call wrote; 0 if all it was asked for were there already."""
    missing: int = 0
    """Partitions that are still to be done by somebody."""
    finished: bool = True
    """Whether the store can be opened."""
    refused: int = 0
    """Archives in the folder of participants who have withdrawn; none of them was opened."""
    unreadable: int = 0
    """Archives that are gone or couldn't be read, of a store that can be opened."""

    def __str__(self) -> str:
        what = f"{self.store}: {self.participants} participants in {self.partitions} partitions"
        if self.refused:
            what += f", {self.refused} archives of participants who have withdrawn refused"
        if not self.finished:
            rest = f"{self.missing} are missing" if self.missing else "all are there, bmx convert --finalise ends it"
            return f"{what}, {self.done} of them written now, {rest}"
        if self.unreadable:
            what += f", {self.unreadable} archives unreadable (bmx convert --retry reads them again)"
        return f"{what}, {self.done} of them written now" if self.done else f"{what}, finished already: nothing to do"


def convert(
    source: str | Path,
    store: str | Path,
    *,
    slabs: int | Sequence[int] | None = None,
    contrasts: ContrastName | Sequence[ContrastName] | None = None,
    instance: int | None = None,
    client: Client | None = None,
    workers: int | None = None,
    max_memory: int = MAX_MEMORY,
    partitions: range | None = None,
    physics: bool | None = None,
    retry: bool = False,
) -> ConvertReport:
    """Turn a folder of `EID_20201_I_0.zip` archives into a store for `bmx.open_store`.

    Exams may also be kept as NIfTI files `EID_20201_I_0_slab_N_CONTRAST.nii.gz` (N from 1 to 6; CONTRAST fat, water,
    in_phase, opposed_phase, or F, W, in, opp) as `bmx.export` writes them, or as folders `EID_20201_I_0` of DICOM
    files. One folder holds one kind; its names say which.

    Call it again after any interruption: only what is missing is done, and a finished store is left
    alone. Participants whose archives were added to the folder go to the end of the store; those it
    holds stay as they are, even if their archives are gone.

    Parameters
    ----------
    source : folder (or URL) of archives, searched with its subfolders
    store : where the store goes, `something.zarr`; `something.zarr.work` beside it keeps what a restart needs
    slabs : which of the six to keep; by default all, or what the store was begun with
    contrasts : which of in_phase, opposed_phase, fat, water to keep; all four add the physics residual. By
        default fat and water, or what the store was begun with
    instance : imaging visit, 2 for the first (the default), 3 for the repeat
    client, workers : Dask client to work on (default: the active one), or the number of local processes
    max_memory : bytes that one task may use
    partitions : do these partitions of a plan that `bmx.ingest.planning.plan` has written, and no more; the
        folder isn't searched again, and somebody must call `finish` when all are there
    physics : check each slab's in = W + F and opposed = |W - F|; images that aren't kept are read for it,
        so that four are inflated where two are kept. By default, if all four are kept
    retry : read archives again that were gone or couldn't be read, and can be opened now. Everybody else stays as the
        store has them, even if their archives are gone; `bmx.run` measures anew whose archive is another one

    Returns
    -------
    ConvertReport
        How many participants and partitions there are, and how many were written now.

    Raises
    ------
    SourceError
        If the folder holds no such archive, or a participant has two; or if it is gone as a whole later on.
    StoreError
        If the store has another format version, other slabs or contrasts, can't be written, or mixes
        simulated and real exams.
    ValueError
        If a slab, contrast, instance or partition is unknown, `max_memory` is too small for one participant, or
        `retry` is asked of single partitions.

    An archive that is damaged, or gone since the folder was searched, doesn't stop the conversion: see `slab_status`
    and `slab_reason`. Nor does one that kills the process that reads it: its slabs are `unreadable`, for the reason
    `worker died`.
    """
    asked = Asked.of(slabs, contrasts, instance, physics)
    if partitions is not None:
        if retry:
            raise ValueError("retry looks for archives of all partitions; call convert without partitions")
        work, plan = _written_plan(store)
        refuse_other(plan, asked, work)
        _check_range(partitions, plan)
        done = _encode(work, plan, client=client, workers=workers, only=partitions)
        return _report(work, plan, done=done, finished=work.is_finished(plan))
    work, plan, refused = plan_store(source, store, asked, client=client, workers=workers, max_memory=max_memory)
    if retry and work.has_plan():
        count = read_again(work, work.read_plan(), now=plan)
        logger.info("convert: %d archives that couldn't be read can be opened now, and are read again", count)
    if work.is_finished(plan) and not work.missing(plan):
        logger.info("convert: %s is finished, nothing to do", work.store_url)
        return _report(work, plan, done=0, finished=True, refused=refused)
    lay_out(work, plan)
    done = _encode(work, plan, client=client, workers=workers)
    finalise(work, plan)
    return _report(work, plan, done=done, finished=True, refused=refused)


def finish(store: str | Path) -> ConvertReport:
    """Make a store readable whose partitions were all done with `convert(partitions=...)`.

    Raises
    ------
    StoreError
        If work on it was never begun, or a partition is missing; the message lists them.
    """
    work, plan = _written_plan(store)
    if not work.is_finished(plan) or work.missing(plan):
        finalise(work, plan)
    return _report(work, plan, done=0, finished=True)


def share(store: str | Path, index: int, *, of: int) -> range:
    """Partitions of one of several equal shares of a written plan, for a job that knows its own number alone.

    Raises
    ------
    StoreError
        If no plan was written.
    ValueError
        If there is no such share.
    """
    if not 0 <= index < of:
        raise ValueError(f"asked for share {index} of {of}; they are counted from 0 to {of - 1}")
    _, plan = _written_plan(store)
    return range(index * len(plan) // of, (index + 1) * len(plan) // of)


def _encode(
    work: WorkFolder, plan: Plan, *, client: Client | None, workers: int | None, only: range | None = None
) -> int:
    return run_missing(
        encode_partition,
        work,
        plan,
        client=client,
        workers=workers,
        label="convert",
        only=only,
        rescue=partial(rescue, task=encode_partition),
    )


def _report(work: WorkFolder, plan: Plan, *, done: int, finished: bool, refused: int = 0) -> ConvertReport:
    missing = 0 if finished else len(work.missing(plan))
    if unreadable := count_unreadable(work, plan) if finished else 0:
        logger.warning(
            "convert: %d archives are gone or couldn't be read; replace them and call convert with retry=True "
            "(bmx convert --retry)", unreadable,
        )  # fmt: skip
    return ConvertReport(work.store_url, len(plan.eids), len(plan), done, missing, finished, refused, unreadable)


def _written_plan(store: str | Path) -> tuple[WorkFolder, Plan]:
    """The plan that several calls share; each must find it as the others do."""
    work = WorkFolder.beside(absolute_place(store))
    plan = read_begun(work)
    if plan is None:
        raise StoreError(
            f"{work.url} holds no plan for single partitions to go by; write it first: bmx plan SOURCE STORE --write"
        )
    return work, plan


def _check_range(partitions: range, plan: Plan) -> None:
    if partitions and not (0 <= partitions[0] <= partitions[-1] < len(plan)):
        raise ValueError(
            f"asked for partitions {partitions[0]} to {partitions[-1]}, but the plan has {len(plan)}, "
            f"0 to {len(plan) - 1}; bmx plan shows it"
        )
