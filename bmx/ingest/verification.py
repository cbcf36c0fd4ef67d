"""`verify`: read archives again, and compare what they give now with what the store holds."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import zarr

from bmx._console import progress_line
from bmx.acquisition import SLABS
from bmx.errors import BmxError
from bmx.ingest.encode import Block, open_exam
from bmx.ingest.options import ConvertOptions
from bmx.ingest.provenance import SERIES
from bmx.partitions.cluster import dask_client
from bmx.partitions.plan import Plan
from bmx.partitions.work import WorkFolder, absolute_place
from bmx.sources.find import source_of
from bmx.sources.places import open_place
from bmx.store.layout import check_format
from bmx.store.slabs import FORMAT, VERSION, read_images
from bmx.store.withdrawal import is_tombstone

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger(__name__)

Outcome = Literal["equal", "differs", "source_missing", "source_changed"]
OUTCOMES: tuple[Outcome, ...] = ("equal", "differs", "source_missing", "source_changed")

_DIGEST = "source_digest"

SAMPLE = 32
"""Participants that are looked at unless the caller says otherwise."""

_UNDECODABLE = (RuntimeError, ValueError, OSError)
"""What a damaged shard raises: Blosc, the checksum of a shard's index, a file that is too short."""


def verify(
    store: str | Path,
    *,
    sample: int | None = SAMPLE,
    seed: int = 0,
    client: Client | None = None,
    workers: int | None = None,
) -> pd.DataFrame:
    """Compare a store with the archives it was made from.

    Every voxel that is stored, affine, status, flag and reason is compared with what reading and identification
    give today, so that a damaged disk shows as well as a program that has changed.

    Parameters
    ----------
    store : from `bmx.convert`, finished; its work folder says where the archives lie
    sample : how many participants, drawn at random; None for all
    seed : the same seed draws the same participants
    client, workers : Dask client to work on (default: the active one), or the number of local processes

    Returns
    -------
    DataFrame
        A row for each participant looked at, in the order of the store: participant, outcome and detail. The outcome
        is *equal*; *differs*, if the archive is the same as then and gives something else; *source_missing*; or
        *source_changed*, if its digest is another one, so that nothing can be said. Where it couldn't be read then,
        `bmx.convert` with `retry=True` reads it.

    Raises
    ------
    StoreError
        If there is no finished store, or its work folder is gone.
    BmxError
        If archives kill the processes that read them again and again.
    """
    url = absolute_place(store)
    check_format(url, FORMAT, VERSION, unfinished="call bmx.convert again: it does only what is missing")
    work = WorkFolder.beside(url)
    plan = work.read_plan()
    present = np.array([row for row, eid in enumerate(plan.eids) if not is_tombstone(eid)], np.intp)
    chosen = present
    if sample is not None and sample < len(present):
        chosen = np.sort(np.random.default_rng(seed).choice(present, sample, replace=False))
    rows = chosen.tolist()
    logger.info("verify: %d of %d participants of %s", len(rows), len(present), url)
    told = _check_all(work, plan, rows, client=client, workers=workers)
    lines = [(plan.eids[row], *told[row]) for row in rows]
    counts = Counter(outcome for _, outcome, _ in lines)
    logger.info("verify: %s", ", ".join(f"{counts[name]} {name}" for name in OUTCOMES))
    return pd.DataFrame(lines, columns=["participant", "outcome", "detail"])


def _check_all(
    work: WorkFolder, plan: Plan, rows: Sequence[int], *, client: Client | None, workers: int | None
) -> dict[int, tuple[Outcome, str]]:
    """Outcome and detail of each row; a task does those of one partition."""
    from distributed import KilledWorker, as_completed

    groups: dict[int, list[int]] = {}
    for row in rows:
        groups.setdefault(row // plan.size, []).append(row)
    told: dict[int, tuple[Outcome, str]] = {}
    if not groups:
        return told
    with dask_client(client, workers=workers) as active, progress_line() as progress:
        bar = progress.add_task("verify", total=len(rows))
        sent = active.map(_check_rows, [work.url] * len(groups), list(groups.values()), pure=False)
        futures = dict(zip(sent, groups.values(), strict=True))
        for future in as_completed(futures, loop=active.loop):
            try:
                done = future.result()
            except KilledWorker as exc:
                eids = ", ".join(str(plan.eids[row]) for row in futures[future])
                raise BmxError(
                    f"the workers that read participants {eids} again died one after another, of an archive that "
                    "crashes its reader or for want of memory; give the workers more, or look at these archives one "
                    "by one with bmx inspect"
                ) from exc
            told |= done
            progress.advance(bar, len(done))
    return told


def _check_rows(work_url: str, rows: Sequence[int]) -> dict[int, tuple[Outcome, str]]:
    """Check participants of one partition; reads the plan itself."""
    work = WorkFolder(work_url)
    plan = work.read_plan()
    options = ConvertOptions.from_plan(plan)
    stored = zarr.open_group(work.store_url, mode="r", use_consolidated=True)
    return {row: _check(stored, work.store_url, options, row, plan.eids[row]) for row in rows}


def _check(stored: zarr.Group, url: str, options: ConvertOptions, row: int, eid: int) -> tuple[Outcome, str]:
    """Outcome and detail of one participant."""
    where = options.where[row]
    if not _is_there(where, options):
        return "source_missing", f"there is nothing at {where}"
    source = source_of(options.source, layout=options.layout, instance=options.instance)
    block = Block(options, [0])
    with ExitStack() as stack:
        block.read(0, open_exam(stack, source, options, eid, where))
    record = block.record([eid])
    different = [
        problem
        for name, values in record.items()
        if name in stored and not name.startswith(SERIES) and (problem := _compare(stored, name, row, values[0]))
    ]
    before, now = _digest(stored, row), str(record[_DIGEST][0])
    if before is not None and before != now:
        return "source_changed", f"the digest of {where} was {before or 'none'}, now {now or 'none: it is unreadable'}"
    for number, images in block.images.items():
        for contrast, buffer in images.items():
            name = f"{SLABS[number].name}/{contrast}"
            try:
                held = read_images(url, SLABS[number], contrast, start=row, stop=row + 1)
            except _UNDECODABLE as exc:
                different.append(f"{name} (can't be decoded: {exc})")
                continue
            if count := int(np.count_nonzero(held != buffer)):
                different.append(f"{name} ({count} of {buffer.size} voxels)")
    return ("differs", ", ".join(different)) if different else ("equal", "")


def _is_there(where: str, options: ConvertOptions) -> bool:
    """Whether anything of an exam is left; of NIfTI files the address is what their names have in common."""
    fs, path = open_place(where)
    fs.invalidate_cache()
    return bool(fs.exists(path) or (options.layout == "nifti" and fs.glob(f"{path}_slab_*")))


def _digest(stored: zarr.Group, row: int) -> str | None:
    """Digest of the archive when it was converted, None if the store can't tell any more."""
    try:
        return str(_value(stored, _DIGEST, row))
    except _UNDECODABLE:
        return None


def _compare(stored: zarr.Group, name: str, row: int, now: Any) -> str:
    """What is different about one small value; empty if nothing is. NaN is NaN."""
    try:
        held = _value(stored, name, row)
    except _UNDECODABLE as exc:
        return f"{name} (can't be decoded: {exc})"
    if now.dtype.kind == "U":
        same = str(held) == str(now)
    else:
        same = np.array_equal(held, now, equal_nan=now.dtype.kind == "f")
    return "" if same else name


def _value(stored: zarr.Group, name: str, row: int) -> Any:
    array = stored[name]
    assert isinstance(array, zarr.Array)
    return array[row]
