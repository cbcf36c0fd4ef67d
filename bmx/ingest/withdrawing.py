"""`withdraw`: erase participants from everything that bmx made of their images."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bmx.partitions.withdrawn import (
    LIST,
    PENDING,
    Withdrawal,
    read_eids,
    read_pending,
    read_withdrawn,
    write_pending,
    write_withdrawn,
)
from bmx.partitions.work import WorkFolder, absolute_place
from bmx.store import results as results_stores
from bmx.store import slabs as slab_stores
from bmx.store.layout import check_format, find_store
from bmx.store.results import masks_beside
from bmx.store.traces import Traces, erase_pictures_beside, erase_traces
from bmx.store.withdrawal import count_participants, erase_participants
from bmx.store.withdrawn_records import erase_from_work, refuse_unfinished

logger = logging.getLogger(__name__)

_LISTED = 10
"""Files to name in a message."""
_OURS = ("records/", "done/")
_OUR_FILES = ("plan.json", "finished", LIST, PENDING)


@dataclass(frozen=True, slots=True)
class WithdrawReport:
    """What a call of `withdraw` did."""

    store: str
    asked: int
    """Participants that were named, now or in a call that was killed."""
    erased: int
    """How many of them the store held."""
    results: int
    """Results stores that were gone through."""
    files: int
    """Pictures, logs and tables that were changed or removed."""
    unread: tuple[str, ...] = ()
    """Compressed files that weren't looked into (zip, xlsx, xz ...): they may hold somebody, and are yours to check."""

    def __str__(self) -> str:
        what = f"{self.store}: {self.erased} of {self.asked} participants erased, {self.asked - self.erased} not in it"
        what += f"; {self.results} results stores and {self.files} other files cleared; none of them comes back"
        if not self.unread:
            return what
        more = f" and {len(self.unread) - _LISTED} more" if len(self.unread) > _LISTED else ""
        return (
            f"{what}. Compressed, and not looked into: {', '.join(self.unread[:_LISTED])}{more}; see to them yourself"
        )


def withdraw(
    store: str | Path,
    eids: int | str | Path | Iterable[int],
    *,
    results: str | Path | Sequence[str | Path] = (),
    folders: str | Path | Sequence[str | Path] = (),
) -> WithdrawReport:
    """Erase participants for good: images, masks, results, series, records, logs and pictures.

    Their rows become tombstones (FORMAT.md): nothing of them remains, and everybody else stays where they are,
    to the last bit. The store keeps a list of digests, by which `convert` refuses their archives later, and a line
    in its `history` that says how many went, and when. Whoever is named and not in the store is refused, too.
    Killed at any moment and called again, it finishes. What it can't reach is yours to delete: the archives
    themselves, backups and earlier versions that a disk or bucket keeps, copies under other names.

    Parameters
    ----------
    store : from `bmx.convert`, finished
    eids : whom to erase, or the list that UK Biobank sends, a file of one a line; none to finish a call that was killed
    results : every results store that was made from it; its masks and its work folder are cleared, too, and
        pictures and exported images beside it whose names hold one of the EIDs are removed
    folders : of pictures, logs and tables (as `save_table` writes them), with all subfolders; pictures whose names name
        nobody are removed, since they may show anybody. Compressed files other than gzip and Parquet are named in the
        report

    Raises
    ------
    StoreError
        If the store or a results store isn't there, or `convert` or `run` hasn't finished it.
    ValueError
        If nobody is named, and no earlier call is to be finished; a number is no EID; or the list isn't there, or
        holds anything else.
    BmxError
        If there is a Parquet table in a folder, and pyarrow isn't installed; call again when it is.
    """
    url = absolute_place(store)
    work = WorkFolder.beside(url)
    results, folders = ([one] if isinstance(one, (str, Path)) else list(one) for one in (results, folders))
    if isinstance(eids, (str, Path)):
        eids = read_eids(eids)
    asked = sorted(set(map(int, eids if isinstance(eids, Iterable) else [eids])))
    if wrong := [eid for eid in asked if eid <= 0]:
        raise ValueError(f"expected EIDs, which are positive numbers, found {wrong[0]}")
    before = read_pending(work)
    if before is None and not asked:
        raise ValueError("no participants were named, and no earlier withdrawal is to be finished; give their EIDs")
    done = WithdrawReport(url, 0, 0, 0, 0)
    if before is not None:
        logger.info("withdraw: finishing the withdrawal of %d participants that was begun before", len(before.eids))
        done = _finish(url, work, before)
    if not asked or (before is not None and set(asked) == set(before.eids) and not results and not folders):
        return done
    _check(url, work, places := tuple(map(absolute_place, results)))
    erased = count_participants(url, asked)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    request = Withdrawal(
        eids=tuple(asked),
        results=places,
        folders=tuple(map(absolute_place, folders)),
        line=f"{now} bmx {version('bmx')} withdraw, {erased} participants",
        erased=erased,
    )
    write_pending(work, request)
    return _finish(url, work, request)


def _check(url: str, work: WorkFolder, results: Sequence[str]) -> None:
    """Refuse before anything is written."""
    again = "call bmx.{verb} again: it does only what is missing"
    check_format(url, slab_stores.FORMAT, slab_stores.VERSION, unfinished=again.format(verb="convert"))
    refuse_unfinished(work, verb="convert")
    for place in results:
        unfinished = again.format(verb="run")
        check_format(place, results_stores.RESULTS_FORMAT, results_stores.VERSION, unfinished=unfinished)
        refuse_unfinished(WorkFolder.beside(place), verb="run")


def _finish(url: str, work: WorkFolder, request: Withdrawal) -> WithdrawReport:
    """Do what was asked for; every step may be done twice."""
    write_withdrawn(work, read_withdrawn(work).with_eids(request.eids))
    pictures, cleared = 0, []
    for place in request.results:
        beside = WorkFolder.beside(place)
        for store in (*_masks_of(place, beside), place):
            erase_participants(store, request.eids, scratch=beside, line=request.line)
        cleared.append(_clear_work(beside, request))
        pictures += erase_pictures_beside(place, request.eids)
    erase_participants(url, request.eids, scratch=work, line=request.line if request.erased else "")
    cleared.append(_clear_work(work, request))
    pictures += erase_pictures_beside(url, request.eids)
    cleared += [erase_traces(folder, request.eids) for folder in request.folders]
    work.remove_file(PENDING)
    files = pictures + sum(one.changed for one in cleared)
    unread = tuple(path for one in cleared for path in one.unread)
    return WithdrawReport(url, len(request.eids), request.erased, len(request.results), files, unread)


def _clear_work(work: WorkFolder, request: Withdrawal) -> Traces:
    erase_from_work(work, request.eids)
    work.sweep()
    return erase_traces(work.url, request.eids, keep=lambda name: name.startswith(_OURS) or name in _OUR_FILES)


def _masks_of(results: str, work: WorkFolder) -> list[str]:
    """Where masks of these results lie: where the run put them, and beside, should both have been moved."""
    planned = [str(work.read_plan().options["masks"])] if work.has_plan() else []
    places = dict.fromkeys([*planned, masks_beside(results)])
    form = (results_stores.MASKS_FORMAT, results_stores.VERSION)
    found = [place for place in places if find_store(place, *form) is not None]
    if not found:
        logger.warning("withdraw: no masks lie beside %s; if they lie elsewhere, delete them there", results)
    return found
