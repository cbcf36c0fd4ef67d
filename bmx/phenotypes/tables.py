"""A table of a row per participant as a file: its columns, and the cells of a few of them."""

from __future__ import annotations

import csv
import gzip
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

import fsspec
import numpy as np
import pandas as pd

from bmx._optional import require, require_for
from bmx.errors import PhenotypeError

Cells = dict[str, "pd.Series[Any]"]
"""By label, as written: text, or numbers where the file has them; nothing is missing but in numbers."""


def read_header(path: str) -> list[str]:
    """The column names as written.

    Raises
    ------
    PhenotypeError
        If there is no table, or none that can be read.
    """
    if _is_parquet(path):
        with open_parquet(path) as file:
            return [str(name) for name in file.schema_arrow.names]
    with _lines_of(path) as lines:
        header = lines.readline()
        columns = next(csv.reader([header], delimiter=_separator(header), strict=True), [])
    if not columns:
        raise PhenotypeError(_nobody(path))
    return [column.strip() for column in columns]


def read_cells(path: str, width: int, wanted: Mapping[str, Sequence[int]]) -> Cells:
    """Cells of some columns; what is in several columns is joined by `|`.

    Parameters
    ----------
    path : str
    width : how many columns the header has
    wanted : by label, the positions of its columns

    Raises
    ------
    PhenotypeError
        If there are no rows, or a row has more cells than the header.
    """
    cells = _read_parquet(path, wanted) if _is_parquet(path) else _read_text(path, width, wanted)
    if not len(next(iter(cells.values()))):
        raise PhenotypeError(_nobody(path))
    return cells


def _read_text(path: str, width: int, wanted: Mapping[str, Sequence[int]]) -> Cells:
    """By the csv module: pandas reads a chosen few columns without looking at how many cells a row has, so that a comma
    in a value would give a participant the value of the column before.
    """
    columns: dict[str, list[str]] = {label: [] for label in wanted}
    single = [(columns[label], places[0]) for label, places in wanted.items() if len(places) == 1]
    several = [(columns[label], places) for label, places in wanted.items() if len(places) > 1]
    count = 1
    with _lines_of(path) as lines:
        header = lines.readline()
        rows = csv.reader(lines, delimiter=_separator(header), strict=True)  # else an open quote would swallow people
        for row in filter(None, rows):
            count += 1
            if len(row) > width and any(row[width:]):  # a separator at the end of each row is harmless
                raise PhenotypeError(
                    f"row {count} of {Path(path).name} ({', '.join(row[:2])}, ...) has {len(row)} cells, "
                    f"expected {width} as in the header; quote the value that holds a separator"
                )
            row += [""] * (width - len(row))  # some programs leave out the empty cells at the end
            for column, place in single:
                column.append(sys.intern(row[place]))  # few values are different
            for column, places in several:
                column.append("|".join([row[place] for place in places if row[place]]))
    return {label: pd.Series(column, dtype=str) for label, column in columns.items()}


def _read_parquet(path: str, wanted: Mapping[str, Sequence[int]]) -> Cells:
    with open_parquet(path) as file:
        names = file.schema_arrow.names
        chosen = [names[place] for places in wanted.values() for place in places]
        table = file.read(columns=chosen).to_pandas()
    cells: Cells = {}
    for label, places in wanted.items():
        parts = [_written(table[names[place]]) for place in places]
        if len(parts) > 1:
            texts = zip(*(part.astype(str) for part in parts), strict=True)
            parts = [pd.Series(["|".join(filter(None, row)) for row in texts], dtype=str)]
        cells[label] = parts[0].reset_index(drop=True)
    return cells


def _written(column: pd.Series[Any]) -> pd.Series[Any]:
    """Numbers as they are, everything else as the text that a csv file would have."""
    if pd.api.types.is_bool_dtype(column):
        return column.astype(float)
    if pd.api.types.is_numeric_dtype(column):
        return column
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.Series(column.dt.strftime("%Y-%m-%d").fillna("").astype(str))
    return pd.Series([_text(cell) for cell in column.astype(object)], dtype=str)


def _text(cell: object) -> str:
    if isinstance(cell, (list, tuple, np.ndarray)):
        return "|".join(str(item) for item in cell if item is not None)
    return "" if cell is None or cell is pd.NA or cell != cell else str(cell)


def _is_parquet(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in (".parquet", ".pq")


@contextmanager
def open_parquet(path: str) -> Iterator[Any]:
    """Give a pyarrow.parquet.ParquetFile."""
    parquet = require("pyarrow.parquet", extra="tables", why="reading Parquet")
    arrow = require("pyarrow", extra="tables", why="reading Parquet")
    require_for(path)
    try:
        with fsspec.open(path, "rb") as raw:
            yield parquet.ParquetFile(raw)
    except (FileNotFoundError, IsADirectoryError) as exc:
        raise PhenotypeError(_nothing(path)) from exc
    except arrow.ArrowInvalid as exc:
        raise PhenotypeError(f"{path} cannot be read as Parquet ({exc})") from exc


@contextmanager
def _lines_of(path: str) -> Iterator[TextIO]:
    """The table as text; what goes wrong while it is read is an error of the table."""
    require_for(path)
    try:
        # utf-8-sig: a spreadsheet puts a mark before "eid".
        with fsspec.open(path, "rt", compression="infer", encoding="utf-8-sig", newline="") as lines:
            yield lines
    except (FileNotFoundError, IsADirectoryError) as exc:
        raise PhenotypeError(_nothing(path)) from exc
    except (csv.Error, UnicodeDecodeError, EOFError, gzip.BadGzipFile) as exc:
        raise PhenotypeError(
            f"{path} cannot be read as a table of text ({exc}); expected comma- or tab-separated UTF-8, perhaps gzipped"
        ) from exc


def _separator(header: str) -> str:
    return "\t" if "\t" in header else ","


def _nobody(path: str) -> str:
    return f"{path} holds no participants; expected a header with eid, then a row for each"


def _nothing(path: str) -> str:
    return f"there is no phenotype table at {path}; give the path of a csv, tsv or Parquet file"
