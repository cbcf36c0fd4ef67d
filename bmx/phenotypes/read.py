"""Read a UK Biobank table of phenotypes into a Dataset."""

from __future__ import annotations

import csv
import difflib
import gzip
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import fsspec
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bmx.errors import PhenotypeError
from bmx.phenotypes.convert import to_labels, to_numbers
from bmx.phenotypes.fields import Field, field_columns, load_fields, read_spelling
from bmx.variables import VARIABLES

_log = logging.getLogger(__name__)

_EID_COLUMNS = ("eid", "f.eid", "participant.eid", "Participant ID")
_NOBODY = "{path} holds no participants; expected a header with eid, then a row for each"


def read_phenotypes(path: str | Path, *, instance: int = 2, fields: Iterable[str] | None = None) -> xr.Dataset:
    r"""Phenotypes of one imaging visit, in bmx's names and units.

    The table is read at once (it is small beside the images); columns that bmx does not know are never loaded.

    Parameters
    ----------
    path : str or Path
        Comma- or tab-separated table, plain or gzipped, with one row per participant. Columns may be spelled as by
        ukbconv (`21003-2.0`, `f.21003.2.0`), by the Research Analysis Platform (`p21003_i2`,
        `participant.p21003_i2`), or as titles (`Age when attended assessment centre | Instance 2`).
    instance : int
        The visit whose columns are taken; fields asked only once, like sex, have none.
    fields : names, optional
        bmx names (`bmd_spine`, `sex`), each of which must be in the table. By default, every known field that is.

    Returns
    -------
    Dataset on `participant` (int64 EID)
        float64 with NaN where missing; `sex` is "Female", "Male" or "". A bone density of 0 is missing. Each variable
        keeps the name of its column in `attrs["ukb_column"]` and the zeros made missing in `attrs["zeros_to_missing"]`.

    Raises
    ------
    PhenotypeError
        The file is missing or empty; it has no EID column, or an EID twice; a field is unknown or absent; two columns
        hold the same field; a row has more cells than the header; a value is not a number.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> table = pathlib.Path(tempfile.mkdtemp()) / "dxa.csv"
    >>> _ = table.write_text("eid,p31,p23204_i2,p23288_i2\n1000001,0,1.02,850\n1000002,1,0,1200\n")
    >>> phenotypes = read_phenotypes(table)
    >>> phenotypes["sex"].values.tolist(), phenotypes["bmd_spine"].values.tolist()
    (['Female', 'Male'], [1.02, nan])
    >>> phenotypes["vat_mass"].values.tolist(), phenotypes["vat_mass"].attrs["units"]
    ([0.85, 1.2], 'kg')
    """
    wanted = _get_fields(fields)
    columns, separator = _read_header(path)
    eid_column = _find_eid(columns, path)
    spellings = [read_spelling(column) for column in columns]
    chosen = {}
    for field in wanted:
        position = _find_column(columns, field_columns(spellings, field), field, instance, required=fields is not None)
        if position is not None:
            chosen[field.name] = position
    if not chosen:
        raise PhenotypeError(
            f"{Path(path).name} holds no field that bmx knows at instance {instance}; columns found: {_some(columns)}; "
            f"give another instance=, or add one of fields {_some([f'{field.id} ({field.name})' for field in wanted])}"
        )
    table = _read_cells(path, separator, len(columns), [eid_column, *chosen.values()])
    table.index = pd.Index(_read_eids(table[eid_column], columns[eid_column]), name="participant")
    known = load_fields()
    variables = {
        name: _convert(table[position], known[name], columns[position], instance) for name, position in chosen.items()
    }
    _log.info("%s: %d participants, %d fields: %s", path, len(table), len(variables), ", ".join(variables))
    participant = ("participant", table.index.to_numpy(np.int64), VARIABLES["participant"].attrs)
    return xr.Dataset(
        variables, {"participant": participant}, {"source": Path(path).name, "phenotype_instance": instance}
    )


def _get_fields(names: Iterable[str] | None) -> list[Field]:
    known = load_fields()
    if names is None:
        return list(known.values())
    wanted = [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=3) or list(known)
            raise PhenotypeError(f"no phenotype field is called {name!r}; the closest are {', '.join(close)}")
    return [known[name] for name in wanted]


def _read_header(path: str | Path) -> tuple[list[str], str]:
    """The column names as written, and the separator."""
    with _lines_of(path) as lines:
        header = lines.readline()
        separator = "\t" if "\t" in header else ","
        columns = next(csv.reader([header], delimiter=separator, strict=True), [])
    if not columns:
        raise PhenotypeError(_NOBODY.format(path=path))
    return [column.strip() for column in columns], separator


def _read_cells(path: str | Path, separator: str, width: int, positions: list[int]) -> pd.DataFrame:
    """Cells of some columns as they are written; columns are called by position.

    By the csv module: pandas reads a chosen few columns without looking at how many cells a row has, so that a comma
    in a value would give a participant the value of the column before.
    """
    table: list[list[str]] = []
    with _lines_of(path) as lines:
        rows = csv.reader(lines, delimiter=separator, strict=True)  # else a quote left open would swallow participants
        next(rows)
        for row in filter(None, rows):
            if len(row) > width and any(row[width:]):  # a separator at the end of each row is harmless
                raise PhenotypeError(
                    f"row {len(table) + 2} of {Path(path).name} ({', '.join(row[:2])}, ...) has {len(row)} cells, "
                    f"expected {width} as in the header; quote the value that holds a separator"
                )
            row += [""] * (width - len(row))  # some programs leave out the empty cells at the end
            table.append([sys.intern(row[position]) for position in positions])  # few values are different
    if not table:
        raise PhenotypeError(_NOBODY.format(path=path))
    return pd.DataFrame(table, columns=positions, dtype=str)


@contextmanager
def _lines_of(path: str | Path) -> Iterator[TextIO]:
    """The table as text; what goes wrong while it is read is an error of the table."""
    try:
        # utf-8-sig: a spreadsheet puts a mark before "eid".
        with fsspec.open(str(path), "rt", compression="infer", encoding="utf-8-sig", newline="") as lines:
            yield lines
    except (FileNotFoundError, IsADirectoryError) as exc:
        raise PhenotypeError(f"there is no phenotype table at {path}; give the path of a csv or tsv file") from exc
    except (csv.Error, UnicodeDecodeError, EOFError, gzip.BadGzipFile) as exc:
        raise PhenotypeError(
            f"{path} cannot be read as a table of text ({exc}); expected comma- or tab-separated UTF-8, perhaps gzipped"
        ) from exc


def _find_eid(columns: list[str], path: str | Path) -> int:
    found = [position for position, column in enumerate(columns) if column in _EID_COLUMNS]
    if len(found) == 1:
        return found[0]
    what = "no EID column" if not found else f"{len(found)} EID columns"
    raise PhenotypeError(
        f"{Path(path).name} has {what}; expected one called {', '.join(_EID_COLUMNS[:-1])} or {_EID_COLUMNS[-1]!r}, "
        f"found {len(columns)} columns: {_some(columns)}"
    )


def _find_column(
    columns: list[str], held: dict[int, int | None], field: Field, instance: int, *, required: bool
) -> int | None:
    """Which of the columns that hold a field is that of the visit."""
    matching = [position for position, at in held.items() if field.once or at == instance]
    if len(matching) > 1:
        names = " and ".join(repr(columns[position]) for position in matching)
        raise PhenotypeError(f"{field.name} (field {field.id}) is in columns {names}; expected one: remove the other")
    if matching:
        return matching[0]
    if required:
        others = sorted({at for at in held.values() if at is not None})
        found = f"found it at instance {', '.join(map(str, others))}" if others else f"columns found: {_some(columns)}"
        raise PhenotypeError(
            f"{field.name} (field {field.id}) has no column at instance {instance}; {found}; "
            "add it to the extract, give another instance=, or leave it out of fields="
        )
    return None


def _read_eids(text: pd.Series[str], column: str) -> npt.NDArray[np.int64]:
    stripped = text.str.strip()
    bad = np.flatnonzero(~stripped.str.fullmatch(r"\d{1,18}").to_numpy(dtype=bool))
    if len(bad):
        raise PhenotypeError(
            f"column {column!r} expected whole-number EIDs, found {text.iloc[bad[0]]!r} in row {bad[0] + 2}; "
            "correct or remove the row"
        )
    eids = stripped.to_numpy(dtype=np.int64)
    repeated = pd.Series(eids)[pd.Series(eids).duplicated()].unique()
    if len(repeated):
        raise PhenotypeError(
            f"{len(repeated)} EIDs stand in more than one row, expected one row per participant: "
            f"{_some([str(eid) for eid in repeated])}; remove the repeated rows"
        )
    return eids


def _convert(
    text: pd.Series[str], field: Field, column: str, instance: int
) -> tuple[str, npt.NDArray[Any], dict[str, Any]]:
    declared = VARIABLES[field.name]
    attrs = declared.attrs | {"ukb_field": field.id, "ukb_column": column}
    if not field.once:
        attrs["ukb_instance"] = instance
    if declared.dtype == "string":
        return "participant", to_labels(text, field, column=column), attrs
    values, zeros = to_numbers(text, field, column=column)
    if field.zero_is_missing:
        attrs["zeros_to_missing"] = zeros
        if zeros:
            _log.warning("%s: %d values of 0 %s set to missing", field.name, zeros, declared.units)
    return "participant", values, attrs


def _some(names: list[str], most: int = 12) -> str:
    listed = ", ".join(names[:most])
    return f"{listed}, ... ({len(names) - most} more)" if len(names) > most else listed
