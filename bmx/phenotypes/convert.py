"""Turn one column of text into values, as its field says."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pandas as pd

from bmx.errors import PhenotypeError
from bmx.phenotypes.fields import Field

_BLANK = ("", "NA", "NaN", "nan")
_ITEM = re.compile(r"""\"([^"]*)\"|'([^']*)'|([^\[\],"']+)""")
"""One of several values in brackets, in quotes or without."""
_ICD = re.compile(r"([A-Z]\d\d[\d.]*X?)(?: .*)?")
"""An ICD-10 code, perhaps with its dot, and perhaps with its meaning behind it."""


def to_numbers(text: pd.Series[str], wanted: Field, *, column: str) -> tuple[npt.NDArray[np.float64], int]:
    """Give the numbers of a field in bmx's unit, and how many zeros became missing.

    Parameters
    ----------
    text : Series of str, or of numbers
        Cells as written, indexed by EID; blank, `NA` and NaN are missing.
    wanted : Field
        Its codes, missing codes, scale and whether zero is missing.
    column : str
        Original name, for messages.

    Returns
    -------
    (participant,) float64 with NaN where missing, and a count.

    Raises
    ------
    PhenotypeError
        A cell is neither a finite number nor one of the field's words; names the column, row, EID and value.
    """
    if pd.api.types.is_numeric_dtype(text):
        values = text.to_numpy(dtype=np.float64, na_value=np.nan)
        absent = np.isnan(values) | np.isin(values, [float(code) for code in wanted.missing])
        values = np.where(absent, np.nan, values)
    else:
        cells = _codes_for_meanings(text, wanted)
        absent = cells.isin([*_BLANK, *wanted.missing]).to_numpy()
        values = pd.to_numeric(cells.mask(absent), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse(text, ~np.isfinite(values) & ~absent, "a number", wanted, column)
    zeros = np.zeros(len(values), dtype=bool)
    if wanted.zero_is_missing:
        zeros = values == 0
        values = np.where(zeros, np.nan, values)
    return values * wanted.scale, int(zeros.sum())


def to_labels(text: pd.Series[str], wanted: Field, *, column: str) -> npt.NDArray[np.str_]:
    """Give the meanings of a coded field, or the cells of one without codes; an empty string where missing.

    Parameters
    ----------
    text : Series of str
        Codes or meanings as written, indexed by EID; blank and `NA` are missing.
    wanted : Field
        Its `codes` are the only ones accepted, if there are any.
    column : str
        Original name, for messages.

    Returns
    -------
    (participant,) str

    Raises
    ------
    PhenotypeError
        A cell is none of the codes and none of the meanings.
    """
    cells = _codes_for_meanings(text, wanted)
    absent = cells.isin([*_BLANK, *wanted.missing])
    if not wanted.codes:
        return cells.mask(absent, "").to_numpy(dtype=np.str_)
    expected = " or ".join(f"{code} or {meaning}" for code, meaning in wanted.codes.items())
    _refuse(text, (~cells.isin(wanted.codes) & ~absent).to_numpy(), expected, wanted, column)
    return np.array([wanted.codes.get(cell, "") for cell in cells], dtype=np.str_)


def to_days(text: pd.Series[str], wanted: Field, *, column: str) -> npt.NDArray[np.datetime64]:
    """Give the days of a field, (participant,) datetime64[s] with NaT where missing.

    Raises
    ------
    PhenotypeError
        A cell is no day.
    """
    cells = text.astype(str).str.strip()
    absent = cells.isin([*_BLANK, "NaT", "None"])
    days = pd.to_datetime(cells.mask(absent), errors="coerce", format="ISO8601")
    _refuse(text, (days.isna() & ~absent).to_numpy(), "a day as 2019-05-31", wanted, column)
    return days.to_numpy(dtype="datetime64[s]")


def to_lists(text: pd.Series[str]) -> npt.NDArray[np.str_]:
    """Give the values of a participant joined by `|`, an empty string if there are none.

    A cell holds them joined by `|`, or in brackets as the Research Analysis Platform writes arrays; ICD-10 codes lose
    their dot and the meaning that some exports put behind them.

    Examples
    --------
    >>> to_lists(pd.Series(["I10|M545", "['E11.9','I10']", "I10 Essential hypertension", "[]", "NA"])).tolist()
    ['I10|M545', 'E119|I10', 'I10', '', '']
    """
    known = {cell: _list(cell) for cell in text.unique()}
    return np.array([known[cell] for cell in text], dtype=np.str_)


def _list(cell: str) -> str:
    cell = cell.strip()
    if cell in _BLANK:
        return ""
    items = ["".join(found) for found in _ITEM.findall(cell)] if cell.startswith("[") else cell.split("|")
    return "|".join(_plain(item.strip()) for item in items if item.strip() not in _BLANK)


def _plain(item: str) -> str:
    code = _ICD.fullmatch(item)
    return code[1].replace(".", "") if code else item


def _codes_for_meanings(text: pd.Series[str], wanted: Field) -> pd.Series[str]:
    """Write the code where an export wrote the meaning ("Male" becomes "1")."""
    words = {meaning: code for code, meaning in {**wanted.codes, **wanted.missing}.items()}
    cells = text.str.strip()
    if words:
        # A program that turned the column into floats wrote 1.0 for the code 1.
        cells = cells.str.replace(r"^(-?\d+)\.0$", r"\1", regex=True).replace(words)
    return cells


def _refuse(text: pd.Series[str], bad: npt.NDArray[np.bool_], expected: str, wanted: Field, column: str) -> None:
    if not bad.any():
        return
    first = int(np.flatnonzero(bad)[0])
    more = int(bad.sum()) - 1
    raise PhenotypeError(
        f"column {column!r} ({wanted.name}) expected {expected}, found {text.iloc[first]!r} "
        f"in row {first + 2} (EID {text.index[first]})"
        + (f" and {more} more such cells" if more else "")
        + "; correct the table, or leave the cell empty if the value is missing"
    )
