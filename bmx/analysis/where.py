"""What `where=` of an analysis may be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bmx.errors import AnalysisError


def chosen_rows(where: object, index: pd.Index) -> npt.NDArray[np.bool_]:
    """True for each row of `index` that is to be used.

    Parameters
    ----------
    where : None for all; a boolean array in the order of the rows; or a Series or DataArray of booleans with labels,
        which are looked up, so that it may have another order and more participants
    index : EIDs of the rows

    Raises
    ------
    AnalysisError
        It has no value for each row, or others than true and false.
    """
    if where is None:
        return np.ones(len(index), dtype=bool)
    if isinstance(where, xr.DataArray) and "participant" in where.indexes:
        where = where.to_series()
    if isinstance(where, pd.Series) and not where.index.equals(index) and set(index) <= set(where.index):
        where = where[index]
    rows = np.asarray(where)
    if rows.dtype != np.bool_ or rows.shape != index.shape:
        raise AnalysisError(
            f"where= has dtype {rows.dtype} and shape {rows.shape}, expected true or false for each of "
            f"{len(index)} participants, as (data['age'] < 65)"
        )
    return rows
