"""Erase participants from a work folder: records, markers and plan, of `convert` and of `run` alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bmx.errors import StoreError
from bmx.partitions.plan import Partition, Plan
from bmx.partitions.work import WorkFolder
from bmx.store.withdrawal import tombstone, tombstone_value
from bmx.variables import VARIABLES

_UNDECLARED = {"simulated": -1}
"""Columns of records that are no variables of a store, and what they hold of somebody unknown."""
_PLACES = "where"
"""Option of a plan with the place of each participant's archive, whose name is the EID."""


def refuse_unfinished(work: WorkFolder, *, verb: str) -> None:
    """Refuse a work folder whose work is under way: what is written next could bring somebody back.

    Raises
    ------
    StoreError
        If a partition is missing, or all are done but the store isn't finished.
    """
    if not work.has_plan():
        return
    plan = work.read_plan()
    if (missing := len(work.missing(plan))) or not work.is_finished(plan):
        raise StoreError(
            f"{work.store_url} is not finished ({missing} of {len(plan)} partitions are missing); nobody can be taken "
            f"out of it now. Call bmx.{verb} again to finish it, or delete it with its work folder"
        )


def erase_from_work(work: WorkFolder, eids: Collection[int]) -> None:
    """Erase participants from records, markers and plan; called again after it was killed, it finishes.

    The plan, which says in which rows they are, is written last.
    """
    if not work.has_plan():
        return
    plan = work.read_plan()
    gone = set(eids)
    buried = _buried(plan, gone)
    for before, after in zip(plan.partitions(), buried.partitions(), strict=True):
        if before.eids == after.eids:
            continue
        work.write_record(before.index, _without(work.read_record(before.index), before, gone))
        # Not what isn't done: a marker must never say more than was true.
        if work.read_marker(before.index) == before.digest:
            work.write_marker(before.index, after.digest)
    if buried != plan:
        if work.is_finished(plan):
            work.write_finished(buried)
        work.write_plan(buried)


def _buried(plan: Plan, gone: Collection[int]) -> Plan:
    """The plan with tombstones in place of these participants, whose archives lie nowhere."""
    rows = {row for row, eid in enumerate(plan.eids) if eid in gone}
    eids = tuple(tombstone(row) if row in rows else eid for row, eid in enumerate(plan.eids))
    options = dict(plan.options)
    if _PLACES in options:
        options[_PLACES] = ["" if row in rows else one for row, one in enumerate(options[_PLACES])]
    return replace(plan, eids=eids, options=options)


def _without(
    record: Mapping[str, npt.NDArray[Any]], part: Partition, gone: Collection[int]
) -> dict[str, npt.NDArray[Any]]:
    """A record without these participants: their rows are tombstones, their series are left out."""
    rows = np.flatnonzero(np.isin(part.eids, list(gone)))
    kept = {}
    for path, values in record.items():
        folder, _, name = path.rpartition("/")
        variable = VARIABLES.get(name)
        if variable is not None and variable.dims[0] == "series":
            kept[path] = _narrow(values[~np.isin(record[f"{folder}/series_participant"], list(gone))])
            continue
        if variable is None and name not in _UNDECLARED:
            raise StoreError(
                f"the record of partition {part.index} holds {path!r}, which this version of bmx doesn't know; "
                "withdraw with the version that wrote it"
            )
        # Text in a record is of fixed width, and would cut what is longer.
        column = values.astype(object) if values.dtype.kind == "U" else values.copy()
        column[rows] = _UNDECLARED[name] if variable is None else tombstone_value(variable)
        kept[path] = _narrow(column.astype(np.str_)) if values.dtype.kind == "U" else column
    return kept


def _narrow(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Text no wider than its longest entry: the width must not depend on who is gone."""
    return np.array(values.tolist(), np.str_) if values.dtype.kind == "U" else values
