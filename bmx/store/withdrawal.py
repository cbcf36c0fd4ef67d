"""Erase participants from a Zarr store of bmx: slabs, masks or results.

A row can't be taken out: all later rows would have to move, and every partition with them. It becomes a
tombstone (FORMAT.md), and nothing of it remains in the chunks, whether inside the arrays or beyond their ends.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from bmx.partitions.work import WorkFolder, sweep_partial
from bmx.store.layout import consolidate, open_for_writing, replace_rows
from bmx.variables import SLAB_STATUS, VARIABLES, Variable

REASON = "the participant has withdrawn"
"""What stands where a reason stands."""

_SERIES, _WHO = "series", "series_participant"


def tombstone(position: int) -> int:
    """The EID that stands where somebody has withdrawn: unique, and never an EID.

    Examples
    --------
    >>> tombstone(0), tombstone(41)
    (-1, -42)
    """
    return -(position + 1)


def is_tombstone(eid: int) -> bool:
    """Whether this is nobody's EID."""
    return eid < 0


def tombstone_value(variable: Variable) -> Any:
    """What one variable holds in the row of somebody who has withdrawn; `participant` depends on the row.

    Examples
    --------
    >>> tombstone_value(VARIABLES["affine"]), tombstone_value(VARIABLES["native_slices"])
    (nan, 0)
    """
    if variable.name == "slab_status":
        return SLAB_STATUS["withdrawn"]
    if variable.dtype == "string":
        return REASON if variable.name in ("slab_reason", "reason") else ""
    return np.nan if np.dtype(variable.dtype).kind == "f" else 0


def count_participants(url: str, eids: Collection[int]) -> int:
    """How many of these a store holds."""
    return len(_rows(open_for_writing(url), eids))


def erase_participants(url: str, eids: Collection[int], *, scratch: WorkFolder, line: str) -> int:
    """Erase participants from one store; give how many it held.

    Called again after it was killed at any moment, it finishes: the participants themselves are the
    last array that is changed. Shards are exchanged whole, and what they hold of others is not encoded anew.

    Parameters
    ----------
    url : of a store of any of the three formats
    eids : whom to erase; those that it doesn't hold are passed over
    scratch : where columns are kept while they are exchanged
    line : goes into the history of the store, once; none if empty
    """
    root = open_for_writing(url)
    rows = _rows(root, eids)
    if _SERIES in root:
        group = root[_SERIES]
        assert isinstance(group, zarr.Group)
        _drop_series(group, eids, scratch)
    arrays = dict(_of_participants(root))
    if len(rows):
        for path, array in arrays.items():
            if path != "participant":
                _bury(array, rows)
        arrays["participant"].oindex[rows] = np.array([tombstone(row) for row in rows.tolist()], np.int64)
    sweep_partial(url)
    earlier = str(root.attrs.get("history", ""))
    # Also if nobody was found: an earlier call may have been killed just before this.
    consolidate(url, **({"history": _with_line(earlier, line)} if line else {}))
    return len(rows)


def withdrawals_in(history: str) -> list[str]:
    r"""The lines of a history that tell of withdrawals, which every later history must keep.

    Examples
    --------
    >>> withdrawals_in("2025-01-01 bmx convert, 9 participants\n2025-01-02 bmx withdraw, 1 participant")
    ['2025-01-02 bmx withdraw, 1 participant']
    """
    return [line for line in history.split("\n") if " withdraw, " in line]


def _with_line(history: str, line: str) -> str:
    lines = [part for part in history.split("\n") if part]
    return "\n".join(lines if line in lines else [*lines, line])


def _rows(root: zarr.Group, eids: Collection[int]) -> npt.NDArray[np.intp]:
    participant = root["participant"]
    assert isinstance(participant, zarr.Array)
    return np.flatnonzero(np.isin(np.asarray(participant[:]), np.fromiter(eids, np.int64, len(eids))))


def _of_participants(root: zarr.Group) -> Iterator[tuple[str, zarr.Array[Any]]]:
    """All arrays of the tree with a row for each participant, whoever added them."""
    for path, member in root.members(max_depth=None):
        if isinstance(member, zarr.Array) and (_dims(member) or ("",))[0] == "participant":
            yield path, member


def _dims(array: zarr.Array[Any]) -> tuple[str | None, ...]:
    return tuple(getattr(array.metadata, "dimension_names", None) or ())


def _bury(array: zarr.Array[Any], rows: npt.NDArray[np.intp]) -> None:
    variable = VARIABLES.get(array.basename)
    value = array.fill_value if variable is None else tombstone_value(variable)
    if isinstance(value, str):
        # Spelled out for every row: from a single text of 16 letters or more, Zarr makes empty ones.
        array.oindex[rows] = np.full((len(rows), *array.shape[1:]), value, object)
    else:
        array.oindex[rows] = value


def _drop_series(group: zarr.Group, eids: Collection[int], scratch: WorkFolder) -> None:
    """Take out the series of these participants, column by column, and who they are of at the end.

    A column that is half exchanged can't be told from one that is not. So what it is going to hold is kept in
    the scratch folder from before the first change until after the last one.
    """
    who = group[_WHO]
    assert isinstance(who, zarr.Array)
    gone = np.isin(np.asarray(who[:]), np.fromiter(eids, np.int64, len(eids)))
    # Once the last column is under way, its own rows don't tell any more which rows of the others are to go.
    others_done = scratch.read_file(_kept_file(who)) is not None
    columns = [] if others_done else [array for _, array in group.arrays() if array.basename != _WHO]
    for array in (*columns, who):
        kept = scratch.read_file(_kept_file(array))
        if kept is None:
            if not gone.any() or array.shape[0] != len(gone):
                continue
            kept = json.dumps(np.asarray(array[:])[~gone].tolist()).encode()
            scratch.write_file(_kept_file(array), kept)
        values = json.loads(kept)
        is_text = array.dtype.kind not in "biuf"
        replace_rows(array, np.array(values, object if is_text else array.dtype).reshape(-1, *array.shape[1:]))
        scratch.remove_file(_kept_file(array))


def _kept_file(array: zarr.Array[Any]) -> str:
    return f"withdrawing/{array.basename}.json"
