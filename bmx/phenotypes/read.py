"""Read a UK Biobank table of phenotypes into a Dataset."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bmx.errors import PhenotypeError, name_of
from bmx.partitions.withdrawn import read_eids
from bmx.phenotypes.convert import to_days, to_labels, to_lists, to_numbers
from bmx.phenotypes.fields import Field, Spelling, field_columns, load_fields, read_spelling
from bmx.phenotypes.tables import read_cells, read_header
from bmx.variables import VARIABLES

_log = logging.getLogger(__name__)

_EID_COLUMNS = ("eid", "f.eid", "participant.eid", "Participant ID")
_EID = "eid"


@dataclass(frozen=True, slots=True)
class _Held:
    """A field of the table at one visit."""

    field: Field
    instance: int | None
    """None for what was asked once."""
    positions: tuple[int, ...]
    """Of its columns; several of an array."""

    @property
    def label(self) -> str:
        return f"{self.field.name} {self.instance}"


def read_phenotypes(
    path: str | Path,
    *,
    instance: int | Sequence[int] = 2,
    fields: str | int | Iterable[str | int] | None = None,
    own_fields: str | Path | None = None,
    withdrawn: str | Path | Iterable[int] = (),
) -> xr.Dataset:
    r"""Phenotypes of one imaging visit, in bmx's names and units.

    The table is read at once (it is small beside the images); columns that bmx does not know are never loaded.

    Parameters
    ----------
    path : str or Path
        Comma- or tab-separated table, plain or gzipped, or Parquet, with one row per participant. Columns may be
        spelled as by ukbconv (`21003-2.0`, `f.21003.2.0`), by the Research Analysis Platform (`p21003_i2`,
        `participant.p21003_i2`), or as titles (`Age when attended assessment centre | Instance 2`).
    instance : int, or several
        The visit whose columns are taken; of several, each value from the first that has one. Fields asked only once,
        like sex, have none.
    fields : names or numbers of fields, optional
        Each must be in the table: `bmd_spine`, 31. By default, every known field that is. `bmx fields` lists them.
    own_fields : path, optional
        A file of further fields, in the form of bmx's own `fields.toml`: `[grip]`, then `id = 47`,
        `title = "Hand grip strength (right)"`, `units = "Kg"`.
    withdrawn : path or EIDs
        Participants who have withdrawn, as the list that UK Biobank sends; they are left out, and counted in `attrs`.

    Returns
    -------
    Dataset on `participant` (int64 EID)
        float64 with NaN where missing; `sex` is "Female", "Male" or ""; `icd10` holds all codes of a participant,
        without dots and joined by `|`; `imaging_date` is datetime64[s]. A bone density of 0 is missing, and with it
        the T-score of that scan, where the table has both. Each variable keeps the name of its column in
        `attrs["ukb_column"]` and how many such scans were made missing in `attrs["zeros_to_missing"]`.

    Raises
    ------
    PhenotypeError
        The file is missing or empty; it has no EID column, or an EID twice; a field is unknown or absent; two columns
        hold the same field; a row has more cells than the header; a value is not a number, or no day.

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
    if not isinstance(path, (str, Path)):
        raise PhenotypeError(
            f"expected the path of a table of phenotypes, found {name_of(path)}; give that of a csv, tsv or "
            "Parquet file with UK Biobank's columns"
        )
    known = load_fields(own_fields)
    wanted = _get_fields(fields, known)
    instances = (instance,) if isinstance(instance, int) else tuple(instance)
    columns = read_header(str(path))
    eid_column = find_eid(columns, path)
    spellings = [read_spelling(column) for column in columns]
    chosen = {
        one.name: _find_columns(columns, spellings, one, instances, required=fields is not None) for one in wanted
    }
    chosen = {name: held for name, held in chosen.items() if held}
    if not chosen:
        raise PhenotypeError(
            f"{Path(path).name} holds no field that bmx knows at instance {_list(instances)}; columns found: "
            f"{_some(columns)}; give another instance=, or add one of fields "
            f"{_some([f'{field.id} ({field.name})' for field in wanted])}"
        )
    densities = {
        name: _find_columns(columns, spellings, known[of], instances, required=False)
        for name in chosen
        if (of := name.replace("tscore_", "bmd_", 1)) != name and of in known
    }
    groups = {one.label: one.positions for held in (*chosen.values(), *densities.values()) for one in held}
    cells = read_cells(str(path), len(columns), {_EID: [eid_column], **groups})
    eids = read_eids_of(cells[_EID], columns[eid_column])
    variables = {
        name: _combine(held, cells, columns, eids, _failed_scans(densities.get(name, []), cells))
        for name, held in chosen.items()
    }
    _log.info("%s: %d participants, %d fields: %s", path, len(eids), len(variables), ", ".join(variables))
    participant = ("participant", eids, VARIABLES["participant"].attrs)
    visits = instances[0] if len(instances) == 1 else list(instances)
    found = xr.Dataset(
        variables, {"participant": participant}, {"source": Path(path).name, "phenotype_instance": visits}
    )
    return _without(found, withdrawn)


def _get_fields(names: str | int | Iterable[str | int] | None, known: dict[str, Field]) -> list[Field]:
    if names is None:
        return list(known.values())
    numbers = {field.id: field.name for field in known.values()}
    wanted = []
    for name in [names] if isinstance(names, (str, int)) else names:
        text = str(name)
        called = numbers.get(int(text), text) if text.isdecimal() else text
        if called not in known:
            close = difflib.get_close_matches(called, known, n=3) or list(known)
            raise PhenotypeError(
                f"no phenotype field is called {name!r}; the closest are {', '.join(close)}; "
                "bmx fields lists all, and own_fields= adds yours"
            )
        wanted.append(known[called])
    return wanted


def find_eid(columns: list[str], path: str | Path) -> int:
    """Which column holds the EIDs."""
    found = [position for position, column in enumerate(columns) if column in _EID_COLUMNS]
    if len(found) == 1:
        return found[0]
    what = "no EID column" if not found else f"{len(found)} EID columns"
    raise PhenotypeError(
        f"{Path(path).name} has {what}; expected one called {', '.join(_EID_COLUMNS[:-1])} or {_EID_COLUMNS[-1]!r}, "
        f"found {len(columns)} columns: {_some(columns)}"
    )


def _find_columns(
    columns: list[str], spellings: list[Spelling], field: Field, instances: tuple[int, ...], *, required: bool
) -> list[_Held]:
    """The columns of a field at each visit that has them, in the order of the visits."""
    held = field_columns(spellings, field)
    visits: tuple[int | None, ...] = (None,) if field.once else instances
    if field.asked_at is not None:
        visits = (field.asked_at,)
    found = []
    for visit in visits:
        matching = [position for position, at in held.items() if field.once or at == visit]
        items = [spellings[position].array for position in matching]
        if len(set(items)) < len(items):
            names = " and ".join(repr(columns[position]) for position in matching)
            raise PhenotypeError(
                f"{field.name} (field {field.id}) is in columns {names}; expected one: remove the other"
            )
        if matching:
            ordered = sorted(matching, key=lambda position: spellings[position].array)
            found.append(_Held(field, visit, tuple(ordered)))
    if required and not found:
        others = sorted({at for at in held.values() if at is not None})
        there = f"found it at instance {_list(others)}" if others else f"columns found: {_some(columns)}"
        asked = [visit for visit in visits if visit is not None]
        raise PhenotypeError(
            f"{field.name} (field {field.id}) has no column{f' at instance {_list(asked)}' if asked else ''}; {there}; "
            "add it to the extract, give another instance=, or leave it out of fields="
        )
    return found


def read_eids_of(cells: pd.Series[Any], column: str) -> npt.NDArray[np.int64]:
    """EIDs of a column, each once."""
    stripped = cells.astype(str).str.strip()
    bad = np.flatnonzero(~stripped.str.fullmatch(r"\d{1,18}").to_numpy(dtype=bool))
    if len(bad):
        raise PhenotypeError(
            f"column {column!r} expected whole-number EIDs, found {cells.iloc[bad[0]]!r} in row {bad[0] + 2}; "
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


def _combine(
    held: list[_Held],
    cells: dict[str, pd.Series[Any]],
    columns: list[str],
    eids: npt.NDArray[np.int64],
    void: Mapping[int | None, npt.NDArray[np.bool_]],
) -> tuple[str, npt.NDArray[Any], dict[str, Any]]:
    """Values of the first visit that has one; those that are `void` at a visit are missing there."""
    field = held[0].field
    attrs = field.attrs | {"ukb_field": field.id}
    names = [columns[one.positions[0]] for one in held]
    attrs["ukb_column"] = names[0] if len(names) == 1 else names
    if not field.once:
        visits = [one.instance for one in held]
        attrs["ukb_instance"] = visits[0] if len(visits) == 1 else visits
    values: npt.NDArray[Any] | None = None
    zeros = 0
    for one, name in zip(held, names, strict=True):
        text = cells[one.label].set_axis(pd.Index(eids, name="participant"))
        found, none = _convert(text, field, name)
        if one.instance in void:
            none += int((void[one.instance] & ~_absent(found)).sum())
            found = np.where(void[one.instance], np.nan, found)
        zeros += none
        values = found if values is None else np.where(_absent(values), found, values)
    assert values is not None
    if field.zero_is_missing or void:
        attrs["zeros_to_missing"] = zeros
        if zeros:
            told = f"values of 0 {attrs['units']}" if field.zero_is_missing else "values of scans with a density of 0"
            _log.warning("%s: %d %s set to missing", field.name, zeros, told)
    return "participant", values, attrs


def _failed_scans(densities: list[_Held], cells: dict[str, pd.Series[Any]]) -> dict[int | None, npt.NDArray[np.bool_]]:
    """By visit, whose T-score follows from a density of 0: it would make anybody osteoporotic."""
    return {one.instance: (pd.to_numeric(cells[one.label], errors="coerce") == 0).to_numpy() for one in densities}


def _convert(text: pd.Series[Any], field: Field, column: str) -> tuple[npt.NDArray[Any], int]:
    """The values of one column, and how many zeros became missing."""
    if field.many:
        return to_lists(_as_text(text)), 0
    if field.date:
        return to_days(text, field, column=column), 0
    if field.labels:
        return to_labels(_as_text(text), field, column=column), 0
    return to_numbers(text, field, column=column)


def _as_text(cells: pd.Series[Any]) -> pd.Series[str]:
    """Codes that a file holds as numbers, as they are written."""
    if not pd.api.types.is_numeric_dtype(cells):
        return cells
    return pd.Series(["" if pd.isna(cell) else f"{cell:g}" for cell in cells], index=cells.index, dtype=str)


def _absent(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    return np.asarray(values == "" if values.dtype.kind == "U" else pd.isna(values), np.bool_)


def _without(phenotypes: xr.Dataset, withdrawn: str | Path | Iterable[int]) -> xr.Dataset:
    """Leave out who has withdrawn."""
    gone = read_eids(withdrawn) if isinstance(withdrawn, (str, Path)) else [int(eid) for eid in withdrawn]
    if not gone:
        return phenotypes
    kept = ~np.isin(phenotypes["participant"].to_numpy(), gone)
    _log.info("%d participants have withdrawn and are left out", int((~kept).sum()))
    return phenotypes.isel(participant=kept).assign_attrs(withdrawn_left_out=int((~kept).sum()))


def _list(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def _some(names: list[str], most: int = 12) -> str:
    listed = ", ".join(names[:most])
    return f"{listed}, ... ({len(names) - most} more)" if len(names) > most else listed
