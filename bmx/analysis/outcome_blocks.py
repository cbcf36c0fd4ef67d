"""Thousands of outcomes, a block of columns at a time, from a flat table, a Dataset, or an array of traits on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bmx.analysis.columns import Columns, Data, refuse_misleading, take_columns
from bmx.errors import AnalysisError

Floats = npt.NDArray[np.float64]

_BLOCK = 128 * 2**20
"""Bytes of outcomes held at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some outcomes of the selected participants."""

    names: list[str]
    values: Any
    """(n, q) floating NumPy or Dask array, NaN where missing."""
    reasons: dict[int, str] = field(default_factory=dict)
    """Of outcomes that no model can be about, by position."""
    failed: int = 0
    """Values left out because they failed QC."""
    notes: tuple[str, ...] = ()
    """What a table of results must say of them."""


def iterate_outcomes(
    data: Data,
    outcomes: Sequence[str],
    *,
    participants: pd.Index,
    region: str | None,
    qc: Literal["passed"] | None,
    where: object,
) -> Iterator[Block]:
    """Give outcomes in blocks; nothing is computed before a block is asked for, and of Dask arrays nothing at all.

    Parameters
    ----------
    data : Dataset or DataFrame, see `take_columns`
    outcomes : names of columns; or of a variable on participant and one more dimension, which stands for all its
        columns: `trait` on (participant, phenotype) for `trait_<phenotype>`
    participants : EIDs in the order of the rows
    region, qc, where : see `take_columns`
    """
    flat: list[str] = []
    for name in outcomes:
        array = data[name] if isinstance(data, xr.Dataset) and name in data.data_vars else None
        if array is None or region is not None or array.ndim != 2 or "participant" not in array.dims:
            flat.append(name)
            continue
        (along,) = (str(dim) for dim in array.dims if dim != "participant")
        labels = [f"{name}_{label}" for label in array[along].to_numpy().tolist()]
        if along == "region":
            flat += labels
            continue
        yield from _flat_blocks(data, flat, participants, region, qc, where)
        flat = []
        yield from _array_blocks(array.transpose("participant", along), labels, participants)
    yield from _flat_blocks(data, flat, participants, region, qc, where)


def _array_blocks(array: xr.DataArray, labels: list[str], participants: pd.Index) -> Iterator[Block]:
    if array.dtype.kind not in "fiub":
        raise AnalysisError(f"{array.name} has dtype {array.dtype}, expected numbers; make it float first")
    at = array.indexes["participant"].get_indexer(participants)
    if not np.array_equal(at, np.arange(array.sizes["participant"])):
        array = array.isel(participant=at)
    values = array.data
    if values.dtype.kind != "f":
        values = values.astype(np.float64)
    width = len(labels)  # what is in memory already is looked at where it lies
    if array.chunks is not None:
        # Chunks as they are stored, put together or cut to columns that fit in memory.
        width = _width(len(participants), values.dtype.itemsize)
        widest = max(array.chunks[1])
        width = max(1, width // widest) * widest if widest <= width else width
        values = values.rechunk({1: width})
    for first in range(0, len(labels), width):
        yield Block(labels[first : first + width], values[:, first : first + width])


def _flat_blocks(
    data: Data,
    names: list[str],
    participants: pd.Index,
    region: str | None,
    qc: Literal["passed"] | None,
    where: object,
) -> Iterator[Block]:
    width = _width(len(participants), 8)
    for first in range(0, len(names), width):
        some = list(dict.fromkeys(names[first : first + width]))
        columns = take_columns(data, some, region=region, qc=qc, where=where)
        values = np.full((len(participants), len(some)), np.nan)
        reasons = {}
        for j, name in enumerate(some):
            column = columns.table[name]
            try:
                refuse_misleading(Columns(columns.table[[name]], {name: columns.flat[name]}, {}), frozenset())
                if not pd.api.types.is_numeric_dtype(column):
                    raise AnalysisError(f"holds text, as {column.dropna().iloc[0]!r}" if column.notna().any() else "")
            except AnalysisError as exc:
                reasons[j] = str(exc) or "no participant has a value"
            else:
                values[:, j] = column.to_numpy(np.float64)
        failed = sum(int(bad.sum()) for bad in columns.failed.values())
        yield Block(some, values, reasons, failed, columns.notes)


def _width(n: int, itemsize: int) -> int:
    return max(1, _BLOCK // max(1, n * itemsize))
