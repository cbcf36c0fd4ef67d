"""Erase participants from files that are compressed: gzip and Parquet, which bmx writes; others are only told apart."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bmx._optional import require

_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_OTHERS = (
    b"PK\x03\x04", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\x04\x22\x4d\x18",
    b"PARE",
)  # fmt: skip
"""How zip (and xlsx, docx, npz), bzip2, xz, zstd, 7z, rar, lz4 and encrypted Parquet begin."""
_HEADER = 300
"""Bytes at the beginning of a gzip file that may hold the name of the file inside."""

Without = Callable[[str, bytes, Collection[int]], bytes | None]
"""What is left of a file of this name and content; None if it must go."""


class NotReadError(Exception):
    """A file is compressed in a way that isn't read here."""


def is_packed(content: bytes) -> bool:
    """Whether what a file holds can't be seen in its bytes."""
    return content.startswith((_GZIP, _PARQUET, *_OTHERS))


def unpack_without(name: str, content: bytes, eids: Collection[int], *, without: Without) -> bytes | None:
    """What is left of a compressed file; None if it must go.

    Parameters
    ----------
    name, content : of the file; `table.csv.gz` holds `table.csv`
    eids : whom to erase
    without : does the same to what is inside

    Raises
    ------
    NotReadError
        If it is compressed in another way and names nobody in what can be seen, or is damaged.
    """
    if content.startswith(_PARQUET):
        return _without_rows(content, eids)
    if not content.startswith(_GZIP):
        if _names_one(content.decode("latin-1"), eids):  # names of files in a zip are not compressed
            return None
        raise NotReadError(name)
    try:
        inside = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as exc:
        raise NotReadError(name) from exc
    rest = without(re.sub(r"\.gz$", "", name, flags=re.IGNORECASE), inside, eids)
    if rest is None:
        return None
    if rest == inside and not _names_one(content[:_HEADER].decode("latin-1"), eids):
        return content
    return gzip.compress(rest, mtime=0)


def _without_rows(content: bytes, eids: Collection[int]) -> bytes | None:
    """A Parquet table without the rows that hold one of these numbers; None if its names or notes do."""
    arrow = require("pyarrow", extra="tables", why="taking participants out of Parquet")
    parquet = require("pyarrow.parquet", extra="tables", why="taking participants out of Parquet")
    try:
        table = parquet.read_table(io.BytesIO(content))
    except (arrow.ArrowException, OSError) as exc:
        raise NotReadError("Parquet") from exc
    notes = b" ".join(part for pair in (table.schema.metadata or {}).items() for part in pair)
    if _names_one(" ".join(table.schema.names) + notes.decode("latin-1"), eids):
        return None
    gone = np.zeros(table.num_rows, np.bool_)
    for column in table.columns:
        gone |= _holds(column, eids)
    if not gone.any():
        return content
    written = io.BytesIO()
    parquet.write_table(table.filter(arrow.array(~gone)), written)
    return written.getvalue()


def _holds(column: Any, eids: Collection[int]) -> npt.NDArray[np.bool_]:
    """In which rows of an Arrow column one of these numbers stands, as a number or within text."""
    values: pd.Series[Any] = column.to_pandas()
    if values.dtype.kind in "biuf":
        return np.isin(values.to_numpy(), np.fromiter(eids, np.int64, len(eids)))
    codes, texts = pd.factorize(values.astype(str), use_na_sentinel=False)
    return np.array([_names_one(str(text), eids) for text in texts], np.bool_)[codes]


def _names_one(text: str, eids: Collection[int]) -> bool:
    return any(int(number) in eids for number in re.findall(r"\d{1,18}", text))
