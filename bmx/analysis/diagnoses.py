"""ICD-10 diagnoses as PheCodes, by a map that the user brings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from bmx.errors import AnalysisError, did_you_mean

_ICD, _PHECODE = ("icd10", "icd", "code"), ("phecode",)
_MUSCULOSKELETAL, _PREFIX = frozenset([*range(710, 747), 754, 755, 756]), "MS_"
"""Whole parts of PheCodes of bones, joints and muscles, and of their congenital anomalies (754 to 756; others from 747
on are of heart, bowel and chromosomes); PheCodeX has a prefix."""


@dataclass(frozen=True, slots=True, eq=False)
class PheCodes:
    """Who has which PheCode, and what could not be mapped."""

    flags: pd.DataFrame
    """Participant x PheCode, bool; PheCodes are text: 743.1 is not 743.10."""
    unmapped: pd.Series[int]
    """Number of participants with each ICD-10 code that the map doesn't hold."""


def phecodes(icd10: xr.DataArray | pd.Series, *, map: str | Path, rollup: bool = True) -> PheCodes:  # noqa: A002
    r"""Translate each participant's ICD-10 codes.

    Parameters
    ----------
    icd10 : text on participant, codes joined by `|` as `read_phenotypes` gives field 41270; or a list in each place
    map : csv with columns for ICD-10 code and phecode, as phewascatalog.org gives it; none is shipped with bmx
    rollup : also give everybody the codes above theirs, 743.1 and 743 to who has 743.11

    Returns
    -------
    PheCodes
        An ICD-10 code that the map lacks is looked for without its last digits (M80.08 as M80.0, then M80).

    Raises
    ------
    AnalysisError
        The map can't be read, or has not both columns.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "map.csv"
    >>> _ = path.write_text("ICD10,PHECODE\nM80,743.11\nE11,250.2\n")
    >>> found = phecodes(pd.Series(["M80.08|E11", "Z99", ""], index=[1, 2, 3]), map=path)
    >>> found.flags.columns.tolist(), found.flags.loc[1].tolist(), found.unmapped.to_dict()
    (['250', '250.2', '743', '743.1', '743.11'], [True, True, True, True, True], {'Z99': 1})
    """
    table = _read(Path(map))
    index = icd10.indexes["participant"] if isinstance(icd10, xr.DataArray) else icd10.index
    has: dict[str, set[int]] = {}
    unmapped: dict[str, int] = {}
    for row, cell in enumerate(np.asarray(icd10.values, object).tolist()):
        for code in sorted(set(_codes(cell))):
            found = _look_up(code, table)
            if found is None:
                unmapped[code] = unmapped.get(code, 0) + 1
                continue
            for phecode in (one for listed in found for one in (_rolled_up(listed) if rollup else [listed])):
                has.setdefault(phecode, set()).add(row)
    names = sorted(has, key=lambda code: (_whole(code) or np.inf, code))
    flags = np.zeros((len(index), len(names)), np.bool_)
    for column, name in enumerate(names):
        flags[list(has[name]), column] = True
    lost: pd.Series[int] = pd.Series(unmapped, dtype="int64", name="participants").sort_values(ascending=False)
    return PheCodes(pd.DataFrame(flags, index, names), lost)


def is_skeletal(phecode: str) -> bool:
    """Whether a PheCode is of the musculoskeletal system: 710 to 746, 754 to 756, or MS_ in PheCodeX.

    Examples
    --------
    >>> [is_skeletal(code) for code in ("743.11", "737", "250.2", "747.1", "MS_726.1", "EM_202")]
    [True, True, False, False, True, False]
    """
    return phecode.startswith(_PREFIX) or _whole(phecode) in _MUSCULOSKELETAL


def _whole(phecode: str) -> int | None:
    whole = phecode.partition(".")[0]
    return int(whole) if whole.isdecimal() else None


def _read(path: Path) -> Mapping[str, tuple[str, ...]]:
    try:
        table = pd.read_csv(path, dtype=str)
    except (OSError, ValueError) as exc:
        raise AnalysisError(
            f"the map {path} can't be read ({exc}); expected a csv with columns ICD10 and PHECODE"
        ) from exc
    lowered = {str(name).lower(): name for name in table.columns}
    icd, phecode = (next((lowered[one] for one in names if one in lowered), None) for names in (_ICD, _PHECODE))
    if icd is None or phecode is None:
        raise AnalysisError(
            f"{path} has columns {', '.join(map(str, table.columns))}; expected ICD10 and PHECODE; "
            f"{did_you_mean('phecode', lowered)}"
        )
    both = table[[icd, phecode]].dropna()
    keys = both[icd].map(_plain)
    return {str(code): tuple(dict.fromkeys(rows)) for code, rows in both[phecode].str.strip().groupby(keys)}


def _codes(cell: object) -> Iterable[str]:
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return []
    parts = cell.strip("[] ").replace(",", "|").split("|") if isinstance(cell, str) else list(cell)  # type: ignore[call-overload]
    return [plain for one in parts if (plain := str(one).strip(" '\""))]


def _look_up(code: str, table: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    plain = _plain(code)
    for end in range(len(plain), 2, -1):
        if plain[:end] in table:
            return table[plain[:end]]
    return None


def _plain(code: str) -> str:
    return code.replace(".", "").strip().upper()


def _rolled_up(phecode: str) -> list[str]:
    """A PheCode and those above it: 743.11, 743.1, 743."""
    whole, point, fraction = phecode.partition(".")
    return [f"{whole}.{fraction[:end]}" for end in range(len(fraction), 0, -1)] + [whole] if point else [whole]
