"""Results as a table of one row per participant, for pandas, spreadsheets, and programs that know no Zarr."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Literal

import fsspec
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bmx._optional import require
from bmx.errors import StoreError, did_you_mean
from bmx.partitions.work import absolute_place, writing_to
from bmx.schema import plain_attrs, validate
from bmx.store.withdrawal import is_tombstone
from bmx.variables import VARIABLES, Variable

_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".parquet", ".nc")


def to_table(results: xr.Dataset) -> pd.DataFrame:
    """Give a row for each participant, and a column for each variable and region: `bmff_spine`, `reason_total_hip`.

    The names are those that formulas of `bmx.analysis` take. Computes everything.

    Parameters
    ----------
    results : as `bmx.run` gives it, perhaps judged by `bmx.qc.flag`, perhaps joined with phenotypes

    Returns
    -------
    DataFrame, index `eid`. Codes are names (`status_spine` is "measured"), what has several is separated by `|`; who
    has withdrawn is left out. Values of a region alone (`erosion`, `model`) aren't in it.

    Examples
    --------
    >>> bmff = (("participant", "region"), np.float32([[41.5, 92]]), {"units": "%"})
    >>> to_table(xr.Dataset({"bmff": bmff}, {"participant": [1000001], "region": ["spine", "femoral_head"]}))
             bmff_spine  bmff_femoral_head
    eid
    1000001        41.5               92.0
    """
    seen = _remaining(results).compute()
    columns: dict[str, npt.NDArray[np.generic]] = {}
    for name, values in seen.data_vars.items():
        if values.dims and values.dims[0] == "participant":
            columns |= _columns(str(name), values)
    return pd.DataFrame(columns, index=pd.Index(seen["participant"].to_numpy(), name="eid"))


def save_table(results: xr.Dataset, path: str) -> None:
    """Write results to one file: `.csv`, `.csv.gz`, `.tsv` or `.parquet` as `to_table` has them, `.nc` as NetCDF.

    Who has withdrawn is left out of each.

    Parameters
    ----------
    path : local path or URL; NetCDF, which keeps dimensions and attributes, to a local path alone

    Raises
    ------
    StoreError
        If the name ends in nothing that is known, NetCDF is asked for at a URL, or nothing may be written there.
    BmxError
        If Parquet or NetCDF is asked for and its package isn't installed.
    """
    name = PurePosixPath(str(path)).name
    suffix = next((end for end in _SUFFIXES if name.endswith(end)), None)
    if suffix is None:
        raise StoreError(f"{name}: no table is written under this name; {did_you_mean(name, _SUFFIXES)}")
    if suffix == ".nc":
        require("h5netcdf", extra="tables", why="writing NetCDF")
        if "://" in (place := absolute_place(path)):
            raise StoreError(
                f"NetCDF is written to a local path alone, found {path}; write it to a disk and copy it there, "
                f"or write {name.removesuffix(suffix)}.parquet"
            )
        with writing_to(place):
            Path(place).parent.mkdir(parents=True, exist_ok=True)
            _plain(_remaining(results)).to_netcdf(place, engine="h5netcdf")
        return
    table = to_table(results)
    if suffix == ".parquet":
        require("pyarrow", extra="tables", why="writing Parquet")
    with writing_to(path), fsspec.open(absolute_place(path), "wb") as file:
        if suffix == ".parquet":
            table.to_parquet(file)
        else:
            compression: Literal["gzip"] | None = "gzip" if suffix == ".csv.gz" else None
            table.to_csv(file, sep="\t" if suffix == ".tsv" else ",", compression=compression)


def _remaining(results: xr.Dataset) -> xr.Dataset:
    """Results without the rows of those who have withdrawn."""
    validate(results, "participant")
    there = [not is_tombstone(int(eid)) for eid in results["participant"].to_numpy()]
    return results.isel(participant=np.array(there, np.bool_))


def _columns(name: str, values: xr.DataArray) -> dict[str, npt.NDArray[np.generic]]:
    """Columns of one variable, by their names."""
    if values.ndim == 1:
        return {name: _readable(name, values.to_numpy())}
    last = values.dims[-1]
    if last == "world_axis":
        names = [f"{name}_{axis}" for axis in "xyz"]
        parts = [values.isel(world_axis=place) for place in range(3)]
        return {key: one for part, axis in zip(parts, names, strict=True) for key, one in _columns(axis, part).items()}
    labels = [str(label) for label in values.indexes[last]] if last in values.indexes else range(values.sizes[last])
    data = values.to_numpy()
    return {f"{name}_{label}": _readable(name, data[:, place]) for place, label in enumerate(labels)}


def _readable(name: str, data: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Text for codes and for text of any kind; numbers stay."""
    variable = VARIABLES.get(name)
    if variable is not None and (variable.flag_values or variable.flag_masks):
        told = {code: _told(variable, int(code)) for code in np.unique(data)}
        return np.array([told[code] for code in data], object)
    return data if data.dtype.kind in "biuf" else data.astype(object)


def _told(variable: Variable, code: int) -> str:
    if variable.flag_values:
        return next((name for name, value in variable.flag_values.items() if value == code), str(code))
    return "|".join(name for name, bit in (variable.flag_masks or {}).items() if code & bit)


def _plain(results: xr.Dataset) -> xr.Dataset:
    """Text and truth values as NetCDF has them."""
    changed = {name: one.astype(object) for name, one in results.variables.items() if one.dtype.kind in "TOU"}
    dataset = results.assign_coords({name: one for name, one in changed.items() if name in results.coords})
    plain = dataset.assign({name: one for name, one in changed.items() if name not in results.coords}).load()
    plain.attrs = plain_attrs(plain.attrs)
    for one in plain.variables.values():
        one.encoding = {}
    return plain
