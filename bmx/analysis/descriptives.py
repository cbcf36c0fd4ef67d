"""The table of who was studied: the paper's Table 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from bmx.analysis.columns import Data, take_columns
from bmx.analysis.group_statistics import GroupStatistics, Quantile, group_statistics
from bmx.analysis.report import decimals_of, rounded
from bmx.analysis.text_table import TextTable, written
from bmx.errors import AnalysisError


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Descriptive statistics by group; printing it gives the table, `numbers` holds every digit."""

    layout: TextTable
    numbers: pd.DataFrame
    """For each variable and group: n, mean, sd, sem, median, q1, q3, normal_p, and `shown`, mean or median."""

    def to_csv(self, path: str | Path | None = None) -> str:
        """Give `numbers` as csv with every digit, and write it to `path` if there is one."""
        return written(self.numbers.to_csv(index=False), path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Give what is printed as an HTML table, and write it to `path` if there is one."""
        return self.layout.to_html(path)

    def to_latex(self, path: str | Path | None = None) -> str:
        """Give what is printed as a LaTeX table, and write it to `path` if there is one."""
        return self.layout.to_latex(path)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return repr(self.layout)


def describe(
    data: Data,
    variables: str | Sequence[str],
    by: str | Sequence[str],
    *,
    quantile: Quantile = "linear",
    qc: Literal["passed"] | None = "passed",
    where: object = None,
) -> Table:
    """Describe variables in each group: mean ± SEM, or median [Q1, Q3] where a group isn't normal (Table 1).

    A variable is shown in one way in all groups: medians if Anderson and Darling's test speaks against the normal
    distribution (p < 0.05) in any group of 8 or more.

    Parameters
    ----------
    data, qc, where : as for `regress`
    variables : names of columns, `bmff_spine`, `age`
    by : column of groups, or several for every combination, `["sex", "bone"]`
    quantile : "linear" (R's type 7) or "weibull" (type 6, Prism's)

    Raises
    ------
    AnalysisError
        A name is unknown, a variable is text, or nobody has a group.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [61.0, 65, 63, 69], "sex": ["Female", "Female", "Male", "Male"]})
    >>> describe(table, "age", "sex")
    Descriptive statistics by sex
    variable  Female (n = 2)    Male (n = 2)
    age       63.0 ± 2.0, n 2   66.0 ± 3.0, n 2
    mean ± SEM, or median [Q1, Q3] (type 7) where a group is not normal (Anderson-Darling, p < 0.05, n >= 8)
    """
    if quantile not in ("linear", "weibull"):
        raise AnalysisError(f"quantile={quantile!r} is not known; expected 'linear' (R's type 7) or 'weibull' (type 6)")
    variables, groups = ([one] if isinstance(one, str) else list(one) for one in (variables, by))
    columns = take_columns(data, list(dict.fromkeys([*variables, *groups])), region=None, qc=qc, where=where)
    table = columns.table
    known = table[groups].notna().all(axis=1)
    if not known.any():
        raise AnalysisError(f"nobody has {' and '.join(groups)}; look at where=, or at what was joined")
    member = table[known]
    label = member[groups].map(_as_text).agg(" ".join, axis=1)
    cells: list[dict[str, str]] = []
    numbers: list[dict[str, object]] = []
    sizes = label.value_counts().sort_index()
    for variable in variables:
        if not pd.api.types.is_numeric_dtype(member[variable]):
            raise AnalysisError(f"{variable} holds text; name it in by=, and its groups are counted")
        found = {name: group_statistics(member.loc[label == name, variable], quantile) for name in sizes.index}
        normal = all(one.looks_normal for one in found.values())
        cells.append({
            "variable": variable,
            **{f"{name} (n = {sizes[name]:,})": _cell(one, normal=normal) for name, one in found.items()},
        })  # fmt: skip
        shown = "mean" if normal else "median"
        numbers += [{"variable": variable, "group": name, **asdict(one), "shown": shown} for name, one in found.items()]
    failed = sum(int(bad.sum()) for bad in columns.failed.values())
    kind = {"linear": "type 7", "weibull": "type 6"}[quantile]
    notes = [
        f"mean ± SEM, or median [Q1, Q3] ({kind}) where a group is not normal (Anderson-Darling, p < 0.05, n >= 8)"
    ]
    notes += columns.notes
    if failed:
        notes.append(f"{failed} values failed QC and count as missing")
    if lost := int((~known).sum()):
        notes.append(f"{lost} participants have no {' or '.join(groups)} and are in no column")
    title = f"Descriptive statistics by {' and '.join(groups)}"
    return Table(TextTable(title, pd.DataFrame(cells), tuple(notes)), pd.DataFrame(numbers))


def _cell(found: GroupStatistics, *, normal: bool) -> str:
    if not found.n:
        return "n 0"
    if normal:
        if not np.isfinite(found.sem):
            return f"{found.mean:.3g}, n {found.n}"
        decimals = decimals_of(found.sem)
        return f"{rounded(found.mean, decimals)} ± {rounded(found.sem, decimals)}, n {found.n}"
    spread = (found.q3 - found.q1) / 1.35 / np.sqrt(found.n)
    decimals = decimals_of(float(spread)) if spread > 0 else 2
    low, middle, high = (rounded(value, decimals) for value in (found.q1, found.median, found.q3))
    return f"{middle} [{low}, {high}], n {found.n}"


def _as_text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
