"""Find the columns that a formula names, in a joined Dataset or a flat table, and apply QC to them.

A flat name spells out the region: `bmff_spine` is `bmff` at region spine. Nothing but the named columns is computed.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bmx.analysis.where import chosen_rows
from bmx.errors import AnalysisError, name_of
from bmx.phenotypes.fields import load_fields
from bmx.regions import ALL_REGIONS
from bmx.variables import QC_OUTCOME, VARIABLES

Data = xr.Dataset | pd.DataFrame
Bools = npt.NDArray[np.bool_]

_NOT_JUDGED = (
    "qc_outcome", "qc_flags", "qc_cause", "qc_reason", "status", "flags", "reason", "measured_slab", "slab_bottom",
    "slab_top", "slab_residual",
)  # fmt: skip
"""Variables of a region that describe a failure, and so are not withdrawn by it."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What a formula is about, one row per participant."""

    table: pd.DataFrame
    """A column for each name as written: float64 with NaN, or text with None, where missing; index `participant`."""
    flat: dict[str, str]
    """Name as written to full name: `bmff` to `bmff_spine` when a region was given."""
    failed: dict[str, Bools]
    """For values of a region, by name as written: those that are there and failed QC."""
    notes: tuple[str, ...] = ()
    """What a table of results must say of them."""
    levels: dict[str, list[str]] = field(default_factory=dict)
    """Order of the groups, by name as written, where the data give one: those of a pandas Categorical."""


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """Where one column is found."""

    flat: str
    variable: str
    region: str | None


def take_columns(
    data: Data, names: Sequence[str], *, region: str | None, qc: Literal["passed"] | None, where: object = None
) -> Columns:
    """Give the columns `names` of the selected participants; values that failed QC become missing.

    Parameters
    ----------
    data : Dataset or DataFrame
        Joined results and phenotypes; or a table with flat names, whose EIDs are its column `participant` or `eid`,
        else its index, and whose QC outcomes, if any, are in columns `qc_outcome_<region>`.
    names : names of columns
    region : str, optional
        Lets `bmff` mean `bmff_<region>`.
    qc : "passed" or None
        None keeps the values that failed, and warns.
    where : boolean array on participant, optional
        Rows to take.

    Raises
    ------
    AnalysisError
        A name or region is unknown, a participant is there twice, QC was asked for and never made.
    """
    if not isinstance(data, (xr.Dataset, pd.DataFrame)):
        raise AnalysisError(
            f"expected a Dataset or DataFrame, found {name_of(data)}; first the data, as bmx.join gives them, then "
            "what is asked of them: regress(cohort, 'bmd_spine ~ bmff_spine')"
        )
    if isinstance(data, pd.DataFrame):
        places = _places_of_table(data, names, region)
        table, outcomes = _from_table(data, places)
    else:
        places = _places_of_dataset(data, names, region)
        table, outcomes = _from_dataset(data, places, judged=qc is not None)
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()][0]
        raise AnalysisError(f"participant {twice} is in more than one row, expected one row each; keep one of them")
    rows = chosen_rows(where, table.index)
    levels = levels_of(table)
    table = pd.DataFrame({name: _clean(column) for name, column in table[rows].items()}, index=table.index[rows])
    failed = {
        name: ~outcome[rows].isin([QC_OUTCOME["ok"], "ok"]).to_numpy() & table[name].notna().to_numpy()
        for name, outcome in outcomes.items()
    }
    flat = {name: place.flat for name, place in places.items()}
    if qc is None:
        return Columns(table, flat, {}, _warn_of_failed(failed, flat), levels)
    for name, bad in failed.items():
        table[name] = table[name].mask(bad)
    return Columns(table, flat, failed, levels=levels)


def levels_of(table: pd.DataFrame) -> dict[str, list[str]]:
    """Groups of the columns that are categorical, in their order."""
    return {
        str(name): list(map(str, column.cat.categories))
        for name, column in table.items()
        if isinstance(column.dtype, pd.CategoricalDtype)
    }


def refuse_misleading(columns: Columns, quantities: frozenset[str]) -> None:
    """Refuse what would give numbers without meaning.

    Raises
    ------
    AnalysisError
        A bone density of 0, sex as numbers, a code used as a quantity, or numbers written as text.
    """
    for name, values in columns.table.items():
        flat = columns.flat[str(name)]
        numeric = pd.api.types.is_numeric_dtype(values)
        if flat.startswith("bmd_") and numeric and (values == 0).any():
            raise AnalysisError(
                f"{(values == 0).sum()} of {len(values)} values of {flat} are 0; a bone density of 0 is a scan that "
                "failed: make it missing (read_phenotypes does)"
            )
        if flat == "sex" and numeric:
            raise AnalysisError(
                "sex is coded as numbers, expected 'Female' and 'Male'; UK Biobank's codes are 0 Female, 1 Male: "
                "data['sex'].map({0: 'Female', 1: 'Male'})"
            )
        if name in quantities and numeric and _is_code(flat, values):
            raise AnalysisError(f"{flat} holds codes, not a quantity: did you mean C({name})?")
        if name in quantities and not numeric and _are_numbers(values):
            raise AnalysisError(
                f"{flat} holds numbers as text, as {values.dropna().iloc[0]!r}: make them numbers with "
                f"pd.to_numeric(data[{flat!r}]), or write C({name}) if they are codes"
            )


def _places_of_dataset(data: xr.Dataset, names: Sequence[str], region: str | None) -> dict[str, _Place]:
    if "participant" not in getattr(data, "indexes", ()):
        found = ", ".join(map(str, getattr(data, "sizes", ()))) or "none"
        raise AnalysisError(
            f"the data have no coordinate 'participant'; found dims {found} in a {type(data).__name__}, "
            "expected the Dataset of bmx.join, or a DataFrame with one row per participant"
        )
    labels = [str(label) for label in data.indexes["region"]] if "region" in data.indexes else []
    _check_region(region, labels)
    known: dict[str, _Place] = {}
    for variable in map(str, data.variables):
        dims = set(data.variables[variable].dims)
        if dims == {"participant"} and variable != "participant":
            known[variable] = _Place(variable, variable, None)
        elif dims == {"participant", "region"}:
            for label in labels:
                known[f"{variable}_{label}"] = _Place(f"{variable}_{label}", variable, label)
            if region is not None:
                known[variable] = _Place(f"{variable}_{region}", variable, region)
    return {name: _find(name, known) for name in names}


def _places_of_table(data: pd.DataFrame, names: Sequence[str], region: str | None) -> dict[str, _Place]:
    known: dict[str, _Place] = {}
    for column in map(str, data.columns):
        label = next((label for label in ALL_REGIONS if column.endswith(f"_{label}")), None)
        # `bmd_spine` ends in a region too, but is measured by DXA and not judged by our QC.
        if label is None or f"qc_outcome_{label}" not in data or column in load_fields():
            label = None
        known[column] = _Place(column, column.removesuffix(f"_{label}"), label)
    if region is not None:
        _check_region(region, list(ALL_REGIONS))
        known |= {
            column.removesuffix(f"_{region}"): place
            for column, place in list(known.items())
            if column.endswith(f"_{region}") and column not in load_fields()
        }
    return {name: _find(name, known) for name in names}


def _find(name: str, known: dict[str, _Place]) -> _Place:
    if name in known:
        return known[name]
    lowered = {other.lower(): other for other in known}
    close = [other for other in known if other.startswith(f"{name}_")] or [
        lowered[other] for other in difflib.get_close_matches(name.lower(), lowered, n=3)
    ]
    hint = f"the closest are {', '.join(close[:4])}" if close else f"there are {', '.join(sorted(known)[:20])}"
    raise AnalysisError(f"the data have no column {name!r}; {hint}")


def _check_region(region: str | None, labels: list[str]) -> None:
    if region is not None and region not in labels:
        close = difflib.get_close_matches(region, labels, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise AnalysisError(f"no region is called {region!r}; the data have {', '.join(labels) or 'none'}{hint}")


def _from_dataset(
    data: xr.Dataset, places: dict[str, _Place], *, judged: bool
) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """Columns and QC outcomes by name, computed in one go."""
    needs_qc = {name: place for name, place in places.items() if place.region and place.variable not in _NOT_JUDGED}
    if needs_qc and judged and "qc_outcome" not in data:
        raise AnalysisError(
            f"{', '.join(needs_qc)} cannot be judged: the data have no qc_outcome; "
            "call bmx.qc.flag(results) before joining, or keep all values with qc=None"
        )
    taken = {("value", name): (place.variable, place.region) for name, place in places.items()}
    if "qc_outcome" in data:
        taken |= {("qc", name): ("qc_outcome", place.region) for name, place in needs_qc.items()}
    lazy = {
        f"{kind} {name}": (data[variable] if region is None else data[variable].sel(region=region)).variable
        for (kind, name), (variable, region) in taken.items()
    }
    computed = xr.Dataset(lazy).compute()
    index = pd.Index(data.indexes["participant"], name="participant")
    series = {key: pd.Series(computed[f"{key[0]} {key[1]}"].to_numpy(), index=index) for key in taken}
    table = pd.DataFrame({name: series["value", name] for name in places}, index=index)
    return table, {name: series["qc", name] for name in needs_qc if ("qc", name) in series}


def _from_table(data: pd.DataFrame, places: dict[str, _Place]) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    eid = next((column for column in ("participant", "eid") if column in data), None)
    index = pd.Index(data.index if eid is None else data[eid], name="participant")
    indexed = data.set_axis(index)
    table = pd.DataFrame({name: indexed[place.flat] for name, place in places.items()}, index=index)
    outcomes = {
        name: indexed[f"qc_outcome_{place.region}"]
        for name, place in places.items()
        if place.region and place.variable not in _NOT_JUDGED
    }
    return table, outcomes


def _clean(column: pd.Series) -> pd.Series:
    """Numbers as float64, text with None for the empty string."""
    column = column.infer_objects()  # numbers beside None
    if pd.api.types.is_numeric_dtype(column):
        return column.astype(np.float64)
    if pd.api.types.is_datetime64_any_dtype(column):
        raise AnalysisError(f"{column.name} holds dates; make it a number first, as years since a day")
    text = column.astype(object)
    return text.where(text.notna() & (text != ""), None)


def _is_code(flat: str, values: pd.Series) -> bool:
    """Whether these are codes: declared as such, or those of a coded field under another name (`centre`)."""
    field = load_fields().get(flat)
    variable = VARIABLES.get(next((flat.removesuffix(f"_{r}") for r in ALL_REGIONS if flat.endswith(f"_{r}")), flat))
    if field or variable:
        return bool(field and field.category) or bool(variable and (variable.flag_values or variable.flag_masks))
    found = {f"{value:g}" for value in values.dropna().unique()[:100]}
    return any(other.category and found and found <= set(other.codes) for other in load_fields().values())


def _are_numbers(text: pd.Series) -> bool:
    different = text.dropna().unique()
    if not all(isinstance(value, str) for value in different):
        return False  # categories of numbers were made on purpose
    return len(different) > 0 and bool(pd.notna(pd.to_numeric(different, errors="coerce")).all())


def _warn_of_failed(failed: dict[str, Bools], flat: dict[str, str]) -> tuple[str, ...]:
    counts = [f"{bad.sum()} {flat[name]}" for name, bad in failed.items() if bad.any()]
    if not counts:
        return ()
    note = f"used although they failed QC (qc=None): {', '.join(counts)}"
    warnings.warn(note, UserWarning, stacklevel=5)
    return (note,)
