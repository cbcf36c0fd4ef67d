"""Compare a variable between groups as the paper does: the test follows from how the values are distributed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from bmx.analysis.association_result import write_p
from bmx.analysis.columns import Data, take_columns
from bmx.analysis.group_statistics import group_statistics
from bmx.analysis.group_tests import Groups, anova_test, dunn, kruskal_test, mean_differences
from bmx.analysis.multiplicity import adjust as adjust_p
from bmx.analysis.multiplicity import check_method, describe_method
from bmx.analysis.report import decimals_of, rounded
from bmx.analysis.text_table import TextTable, written
from bmx.errors import AnalysisError, did_you_mean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Test = Literal["auto", "anova", "kruskal"]


@dataclass(frozen=True, eq=False, repr=False)
class GroupComparison:
    """Groups of a variable compared; printing it gives a table, the attributes hold every digit."""

    variable: str
    by: str
    within: str | None
    groups: pd.DataFrame
    """For each group (of each stratum): n, mean, sd, sem, median, q1, q3, normal_p."""
    tests: pd.DataFrame
    """For each stratum: test, statistic, df, df_residual, p_value of all groups together."""
    pairs: pd.DataFrame
    """For each stratum and pair: contrast, estimate, std_error, df (NaN after Kruskal-Wallis), statistic, p_value,
    p_adjusted, conf_low, conf_high."""
    values: pd.DataFrame
    """What was compared: value, group, stratum, by EID."""
    notes: tuple[str, ...]
    confidence: float = 0.95
    """Level of `conf_low` and `conf_high`."""

    @cached_property
    def layout(self) -> TextTable:
        """The table that is printed."""
        rows = []
        for pair in self.pairs.to_dict("records"):
            difference = {}
            if np.isfinite(pair["estimate"]):  # ranks have none
                decimals = decimals_of(pair["std_error"])
                estimate, low, high = (rounded(pair[name], decimals) for name in ("estimate", "conf_low", "conf_high"))
                difference = {"difference": estimate, f"{100 * self.confidence:g}% CI": f"{low} to {high}"}
            rows.append({
                **({self.within: pair["stratum"]} if self.within else {}),
                "groups": pair["contrast"], **difference,
                "t" if np.isfinite(pair["df"]) else "z": f"{pair['statistic']:.1f}",
                "p": write_p(pair["p_value"]), "p adjusted": write_p(pair["p_adjusted"]),
            })  # fmt: skip
        inside = f" within {self.within}" if self.within else ""
        return TextTable(f"{self.variable} by {self.by}{inside}", pd.DataFrame(rows).fillna(""), self.notes)

    def to_csv(self, path: str | Path | None = None) -> str:
        """Give `pairs` as csv with every digit, and write it to `path` if there is one."""
        return written(self.pairs.to_csv(index=False), path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Give what is printed as an HTML table, and write it to `path` if there is one."""
        return self.layout.to_html(path)

    def to_latex(self, path: str | Path | None = None) -> str:
        """Give what is printed as a LaTeX table, and write it to `path` if there is one."""
        return self.layout.to_latex(path)

    def plot(self) -> Figure:
        """Violins with every participant as a point and the median, as the paper's Fig. 5."""
        from bmx.analysis.group_figures import draw_violins

        return draw_violins(self)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return repr(self.layout)


def compare_groups(
    data: Data,
    variable: str,
    by: str,
    *,
    within: str | None = None,
    against: str | None = None,
    test: Test = "auto",
    adjust: str | None = "auto",
    n_tests: int | None = None,
    region: str | None = None,
    qc: Literal["passed"] | None = "passed",
    where: object = None,
    confidence: float = 0.95,
) -> GroupComparison:
    """Compare a variable between groups, with the test that its distribution asks for (paper 2.9).

    Every group is tested for normality (Anderson-Darling, 8 values or more). If none departs from it (p < 0.05), means
    are compared by analysis of variance and contrasts on the pooled SD of all groups; if one does, all strata are
    compared by Kruskal-Wallis and Dunn's test on ranks.

    Parameters
    ----------
    data, region, qc, where : as for `regress`
    variable : what is compared, `bmff_spine`
    by : column that says who is in which group
    within : column of strata, as sex; each is compared by itself
    against : a group, optional
        Compare every other group with this one, rather than every pair.
    test : "auto", "anova" or "kruskal"
    adjust : method of `bmx.analysis.adjust`, "auto" or None
        "auto" is the paper's: Šídák after analysis of variance, Bonferroni after Kruskal-Wallis.
    n_tests : int, optional
        Size of the family; by default the pairs of one stratum.

    Raises
    ------
    AnalysisError
        A name is unknown, a stratum has a single group, or a group a single value.

    Examples
    --------
    >>> table = pd.DataFrame({"bmff": [40.0, 42, 41, 50, 52, 51], "bone": ["control"] * 3 + ["low"] * 3})
    >>> compare_groups(table, "bmff", "bone").pairs[["contrast", "estimate", "p_value"]].round(4)
            contrast  estimate  p_value
    0  control - low     -10.0   0.0003
    """
    if test not in ("auto", "anova", "kruskal"):
        raise AnalysisError(f"test={test!r} is not known; expected 'auto', 'anova' or 'kruskal'")
    if adjust != "auto":
        check_method(adjust)
    strata = _strata(data, variable, by, within, region=region, qc=qc, where=where)
    facts = [
        {**({"stratum": stratum} if within else {}), "group": name, **asdict(group_statistics(values))}
        for stratum, groups in strata.table.items()
        for name, values in groups.items()
    ]
    table = pd.DataFrame(facts)
    odd = table[table["normal_p"] < 0.05]
    chosen = ("kruskal" if len(odd) else "anova") if test == "auto" else test
    method = ({"anova": "sidak", "kruskal": "bonferroni"}[chosen]) if adjust == "auto" else adjust
    tests, pairs = [], []
    for stratum, groups in strata.table.items():
        _check(groups, by, stratum, against)
        overall = anova_test(groups) if chosen == "anova" else kruskal_test(groups)
        found = mean_differences(groups, against, confidence) if chosen == "anova" else dunn(groups, against)
        size = len(found) if n_tests is None else n_tests
        found = found.assign(p_adjusted=adjust_p(found["p_value"], method, size))
        mark = {"stratum": stratum} if within else {}
        tests.append({**mark, **overall})
        pairs.append(found.assign(**mark))
    together = pd.concat(pairs, ignore_index=True)
    columns = ["contrast", "estimate", "std_error", "df", "statistic", "p_value", "p_adjusted", "conf_low", "conf_high"]
    together = together.reindex(columns=[*(["stratum"] if within else []), *columns])
    untested = int(table["normal_p"].isna().sum())
    why = "as asked" if test != "auto" else (
        f"since {len(odd)} of {len(table)} groups are not normal (Anderson-Darling)" if len(odd)
        else "since no group departs from normal (Anderson-Darling"
        + (f"; {untested} of {len(table)} groups are too small to be tested)" if untested else ")")
    )  # fmt: skip
    names = {"anova": "Analysis of variance, contrasts on the pooled SD", "kruskal": "Kruskal-Wallis and Dunn's test"}
    sizes = "; ".join(f"{row['stratum'] + ', ' if within else ''}{row['group']} {row['n']}" for row in facts)
    said = _describe_families(
        method, {stratum: len(found) for stratum, found in zip(strata.table, pairs, strict=True)}, n_tests, within
    )
    notes = (
        f"{names[chosen]}, {why}.",
        f"n: {sizes}" + (f"; {strata.failed} values failed QC and count as missing." if strata.failed else "."),
        *(f"{note[0].upper()}{note[1:]}." for note in strata.notes),
        f"{said[0].upper()}{said[1:]}.",
    )
    return GroupComparison(variable, by, within, table, pd.DataFrame(tests), together, strata.values, notes, confidence)


def _describe_families(method: str | None, sizes: Mapping[str, int], n_tests: int | None, within: str | None) -> str:
    """What p is adjusted for: the pairs of each stratum, which may have different numbers of groups."""
    if n_tests is not None or not within:
        return describe_method(method, n_tests if n_tests is not None else next(iter(sizes.values())))
    if len(set(sizes.values())) == 1 or method is None:
        return f"{describe_method(method, next(iter(sizes.values())))} of each stratum"
    return "; ".join(f"{stratum}: {describe_method(method, size)}" for stratum, size in sizes.items())


@dataclass(frozen=True, slots=True, eq=False)
class _Strata:
    table: Mapping[str, Groups]
    values: pd.DataFrame
    failed: int
    notes: tuple[str, ...]


def _strata(data: Data, variable: str, by: str, within: str | None, **options: object) -> _Strata:
    names = list(dict.fromkeys([variable, by, *([within] if within else [])]))
    columns = take_columns(data, names, **options)  # type: ignore[arg-type]  # checked there
    values = pd.DataFrame({
        "value": columns.table[variable],
        "group": columns.table[by],
        "stratum": columns.table[within] if within else "all",
    }).dropna()  # fmt: skip
    if not pd.api.types.is_numeric_dtype(values["value"]):
        raise AnalysisError(f"{variable} holds text, as {values['value'].iloc[0]!r}; a comparison needs numbers")
    if values.empty:
        raise AnalysisError(f"nobody has {', '.join(names)}; look at where=, or at what was joined")
    values[["group", "stratum"]] = values[["group", "stratum"]].map(
        lambda one: f"{one:g}" if isinstance(one, float) else str(one)
    )
    table = {
        str(stratum): {str(name): part["value"].to_numpy(np.float64) for name, part in rows.groupby("group")}
        for stratum, rows in values.groupby("stratum")
    }
    return _Strata(table, values, sum(int(bad.sum()) for bad in columns.failed.values()), columns.notes)


def _check(groups: Groups, by: str, stratum: str, against: str | None) -> None:
    where = "" if stratum == "all" else f" of {stratum}"
    if len(groups) < 2:
        raise AnalysisError(f"{by}{where} has a single group, {next(iter(groups))}; there is nothing to compare")
    if np.ptp(np.concatenate(list(groups.values()))) == 0:
        raise AnalysisError(f"all values{where} are the same; there is nothing to compare")
    if alone := [name for name, values in groups.items() if len(values) < 2]:
        raise AnalysisError(f"group {alone[0]}{where} has a single value; leave it out with where=")
    if against is not None and against not in groups:
        raise AnalysisError(f"no group{where} is called {against!r}; {did_you_mean(against, groups)}")
