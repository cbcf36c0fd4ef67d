"""One row for each participant and region: what a mixed model and comparisons across regions look at."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import pandas as pd
import xarray as xr

from bmx.analysis.columns import Columns, Data, levels_of
from bmx.analysis.where import chosen_rows
from bmx.errors import AnalysisError, did_you_mean
from bmx.variables import QC_OUTCOME


def long_table(
    data: Data, names: Sequence[str], *, groups: str, qc: Literal["passed"] | None, where: object = None
) -> tuple[Columns, pd.Series]:
    """Give the named columns in long form, and which group each row belongs to.

    Parameters
    ----------
    data : Dataset on participant and region, or a table that is long already
    names : of variables; `region` is the coordinate
    groups : column that says which rows belong together
    qc : "passed" makes values on (participant, region) missing that failed QC; None keeps them, and warns
    where : on participant of a Dataset, or on the rows of a table

    Returns
    -------
    columns : a table with rows counted from 0
    labels : the group of each row
    """
    if isinstance(data, xr.Dataset):
        table, judged = _from_dataset(data, names, groups, where)
    else:
        table, judged = _from_table(data, names, groups, where)
    failed = {}
    if "qc_outcome" in table:
        lost = ~table["qc_outcome"].isin([QC_OUTCOME["ok"], "ok"])
        failed = {name: (lost & table[name].notna()).to_numpy() for name in judged}
    elif judged and qc is not None and isinstance(data, xr.Dataset):
        raise AnalysisError(
            f"{', '.join(judged)} cannot be judged: the data have no qc_outcome; call bmx.qc.flag(results) before "
            "joining, or keep all values with qc=None"
        )
    notes: tuple[str, ...] = ()
    if qc is None:
        counts = [f"{bad.sum()} {name}" for name, bad in failed.items() if bad.any()]
        if counts:
            notes = (f"used although they failed QC (qc=None): {', '.join(counts)}",)
            warnings.warn(notes[0], UserWarning, stacklevel=4)
        failed = {}
    for name, bad in failed.items():
        table[name] = table[name].mask(bad)
    numeric = {name: _as_number_or_text(table[name]) for name in names}
    levels = levels_of(table[list(names)])
    return Columns(pd.DataFrame(numeric), {name: name for name in names}, failed, notes, levels), table[groups]


def _from_dataset(data: xr.Dataset, names: Sequence[str], groups: str, where: object) -> tuple[pd.DataFrame, list[str]]:
    for name in (*names, groups):
        if name not in data.variables:
            raise AnalysisError(f"the data have no variable {name!r}; {did_you_mean(name, map(str, data.variables))}")
    if where is not None:
        data = data.isel(participant=chosen_rows(where, data.indexes["participant"]))
    wanted = list(dict.fromkeys([name for name in (*names, groups) if name not in ("participant", "region")]))
    judged = [name for name in wanted if set(data[name].dims) == {"participant", "region"}]
    if judged and "qc_outcome" in data:
        wanted.append("qc_outcome")
    if not judged:
        raise AnalysisError(
            f"none of {', '.join(names)} has a value for each region, expected one, as bmff; "
            "flat names such as bmff_spine are for regress"
        )
    slim = data[wanted]
    slim = slim.drop_vars([name for name in slim.coords if name not in ("participant", "region", *wanted)])
    return slim.compute().to_dataframe().reset_index(), judged


def _from_table(data: pd.DataFrame, names: Sequence[str], groups: str, where: object) -> tuple[pd.DataFrame, list[str]]:
    table = data.reset_index() if groups not in data.columns and data.index.name == groups else data
    for name in (*names, groups):
        if name not in table.columns:
            raise AnalysisError(f"the data have no column {name!r}; {did_you_mean(name, map(str, table.columns))}")
    if where is not None:
        table = table.loc[chosen_rows(where, table.index)]
    wanted = list(dict.fromkeys([*names, groups, *(["qc_outcome"] if "qc_outcome" in table.columns else [])]))
    judged = [name for name in names if name.startswith(("bmff", "volume", "voxels"))]
    return table[wanted].reset_index(drop=True), judged


def _as_number_or_text(column: pd.Series) -> pd.Series:
    column = column.infer_objects()
    if pd.api.types.is_numeric_dtype(column):
        return column.astype("float64")
    text = column.astype(object)
    return text.where(text.notna() & (text != ""), None)
