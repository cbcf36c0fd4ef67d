"""Thousands of traits in a Parquet file, read a few columns at a time when they are needed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bmx.errors import PhenotypeError
from bmx.phenotypes.read import find_eid, read_eids_of
from bmx.phenotypes.tables import open_parquet, read_header
from bmx.variables import VARIABLES

_log = logging.getLogger(__name__)

COLUMNS = 200
"""Of a block: 160 MB for 100,000 participants."""


def open_traits(path: str | Path) -> xr.Dataset:
    """Open a Parquet table of traits, for `bmx.analysis.associate`; nothing but EIDs and names is read.

    Parameters
    ----------
    path : path or URL; a column of EIDs (`eid`), and any number of numeric columns. Traits are stored best in row
        groups of all participants, so that a few columns are read without the others

    Returns
    -------
    Dataset
        `traits (participant, trait)` float64 in Dask blocks of 200 columns, NaN where missing. Columns that aren't
        numbers are left out and counted in the log. Put it beside results with `bmx.join`.

    Raises
    ------
    PhenotypeError
        If there is no such file, it has no EIDs or one twice, or no numeric column.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "traits.parquet"
    >>> pd.DataFrame({"eid": [1, 2], "grip": [30.5, None], "note": ["a", "b"]}).to_parquet(path)
    >>> traits = open_traits(path)["traits"]
    >>> traits["trait"].values.tolist(), traits.sel(trait="grip").values.tolist()
    (['grip'], [30.5, nan])
    """
    import dask.array as da
    from dask.delayed import delayed

    where = str(path)
    columns = read_header(where)
    at = find_eid(columns, where)
    with open_parquet(where) as file:
        types = dict(zip(file.schema_arrow.names, map(str, file.schema_arrow.types), strict=True))
        eids = read_eids_of(file.read(columns=[columns[at]]).to_pandas()[columns[at]], columns[at])
    numeric = [
        name
        for name in columns
        if name != columns[at] and types[name].startswith(("int", "uint", "float", "bool", "double"))
    ]
    if left := len(columns) - 1 - len(numeric):
        _log.info("%s: %d columns aren't numbers and are left out", path, left)
    if not numeric:
        raise PhenotypeError(f"{where} has no numeric column beside its EIDs; found {', '.join(columns[:12])}")
    groups = [numeric[first : first + COLUMNS] for first in range(0, len(numeric), COLUMNS)]
    read = delayed(_read_columns, pure=True)
    blocks = [da.from_delayed(read(where, names), (len(eids), len(names)), np.float64) for names in groups]
    return xr.Dataset(
        {"traits": (("participant", "trait"), da.concatenate(blocks, axis=1))},
        {
            "participant": ("participant", eids, VARIABLES["participant"].attrs),
            "trait": ("trait", np.array(numeric, object)),
        },
    )


def _read_columns(path: str, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """(participant, column) float64."""
    with open_parquet(path) as file:
        table: pd.DataFrame = file.read(columns=list(names)).to_pandas()
    return np.column_stack([table[name].to_numpy(np.float64, na_value=np.nan) for name in names])
