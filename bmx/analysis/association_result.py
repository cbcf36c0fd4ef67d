"""What a mass regression gives, and how it is printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from bmx.analysis.association_figures import AssociationFigures
from bmx.analysis.multiplicity import describe_method
from bmx.analysis.report import decimals_of

_SHOWN = 40
"""Rows that are printed; of more, those with the smallest p."""

_SIGNIFICANT = 0.05


@dataclass(frozen=True, eq=False, repr=False)
class Associations:
    """Many fits in one tidy table; printing it gives Table 4's layout."""

    table: pd.DataFrame
    """One row per exposure, outcome, stratum and term: outcome, exposure, term, stratum, family, estimate, std_error,
    statistic (t, or z of logistic fits), df, p_value, p_adjusted, conf_low, conf_high, adj_r2, n, n_dropped,
    p_interaction and p_interaction_adjusted (in the rows of `all`), reason (why there is no fit; else empty)."""
    covariates: tuple[str, ...]
    """Terms in every fit."""
    modifier: str | None
    adjust: str | None
    n_tests: int
    """Size of the family that `p_adjusted` is about."""
    confidence: float
    qc_failed: int
    """Values that failed QC and were taken for missing."""
    stated_tests: int | None = None
    """Size of the family that was given, of all strata; None if it is that of their own fits."""
    notes: tuple[str, ...] = ()
    """What a reader of the table must know and would not expect."""

    @property
    def failed(self) -> pd.DataFrame:
        """The rows of fits that could not be made."""
        return self.table[self.table["estimate"].isna()]

    @cached_property
    def plot(self) -> AssociationFigures:
        """`.plot.manhattan()` and `.plot.volcano()`."""
        return AssociationFigures(self.table, describe_method(self.adjust, self.n_tests), self.stated_tests)

    def layout(self, *, strata: str = "significant") -> pd.DataFrame:
        """The table as the paper prints it, every cell text.

        Parameters
        ----------
        strata : "significant", "always" or "never"
            The paper shows the strata of an association where the p of its interaction, unadjusted, is below 0.05.
        """
        table = self.table
        if strata != "always":
            of_all = table[table["stratum"] == "all"]
            told = set(zip(*(of_all.loc[of_all["p_interaction"] < _SIGNIFICANT, c] for c in ("exposure", "outcome")),
                           strict=True)) if strata == "significant" else set()  # fmt: skip
            shown = [
                stratum == "all" or (exposure, outcome) in told
                for stratum, exposure, outcome in zip(
                    table["stratum"], table["exposure"], table["outcome"], strict=True
                )
            ]
            table = table[shown]
        columns: dict[str, Callable[[pd.Series], str]] = {
            "exposure": lambda row: str(row["term"]),
            "outcome": lambda row: str(row["outcome"]),
            "stratum": lambda row: str(row["stratum"]),
            f"estimate ({100 * self.confidence:g}% CI)": _estimate,
            "adj. R2": lambda row: "" if np.isnan(row["adj_r2"]) else f"{row['adj_r2']:.3f}",
            "n": lambda row: f"{row['n']:,}",
            "p": lambda row: write_p(row["p_value"]),
            "p adjusted": lambda row: write_p(row["p_adjusted"]),
            "p interaction": lambda row: write_p(row["p_interaction"]),
        }
        if self.adjust is None:
            columns.pop("p adjusted")
        if self.modifier is None:
            columns.pop("p interaction")
            columns.pop("stratum")
        cells = {name: [write(row) for _, row in table.iterrows()] for name, write in columns.items()}
        return pd.DataFrame(cells, index=table.index, dtype=object)

    def footnotes(self) -> list[str]:
        """What the table is about: model, missing data, multiplicity, failures."""
        terms = "".join(f" + {term}" for term in self.covariates)
        logistic = (self.table["family"] == "binomial").any()
        notes = [
            f"outcome ~ exposure{terms}; {'logistic fits give log odds ratios with z tests' if logistic else 'linear'}",
            "each fit uses the participants that have its outcome, exposure and covariates"
            + (f"; {self.qc_failed:,} values failed QC and count as missing" if self.qc_failed else ""),
            describe_method(self.adjust, self.n_tests) + (" of each stratum" if self.modifier else ""),
        ]
        if self.modifier:
            notes.append(f"p interaction: exposure x {self.modifier}, raw; strata are separate fits")
        notes += self.notes
        reasons = self.failed["reason"].value_counts()
        if len(reasons):
            some = "; ".join(f"{count}: {reason}" for reason, count in reasons.head(5).items())
            more = f"; and {len(reasons) - 5} other reasons" if len(reasons) > 5 else ""
            notes.append(f"{reasons.sum():,} fits could not be made ({some}{more})")
        return notes

    def to_csv(self, path: str | Path | None = None) -> str:
        """Give `table` as csv with every digit, and write it to `path` if there is one."""
        return _written(self.table.to_csv(index=False), path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Give what is printed as an HTML table, and write it to `path` if there is one."""
        layout, caption = self._shown()
        foot = "<br>".join(map(escape, [caption, *self.footnotes()]))
        return _written(layout.to_html(index=False, border=0) + f"<p>{foot}</p>", path)

    def to_latex(self, path: str | Path | None = None) -> str:
        """Give what is printed as a LaTeX tabular with footnotes, and write it to `path` if there is one."""
        layout, caption = self._shown()
        special = str.maketrans({character: f"\\{character}" for character in "_%&#"} | {"~": r"$\sim$", "<": "$<$"})
        head, *rows = ([str(cell).translate(special) for cell in row] for row in [layout.columns, *layout.to_numpy()])
        lines = [rf"\begin{{tabular}}{{{'l' * len(head)}}}", r"\hline", " & ".join(head) + r" \\", r"\hline"]
        lines += [" & ".join(row) + r" \\" for row in rows]
        notes = [rf"\footnotesize {note.translate(special)}\par" for note in [caption, *self.footnotes()] if note]
        return _written("\n".join([*lines, r"\hline", r"\end{tabular}", "", *notes, ""]), path)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        layout, caption = self._shown()
        rows = [[str(name) for name in layout.columns], *layout.to_numpy().tolist()]
        reasons = self.failed["reason"].tolist()  # may be longer than any number, and then hang over
        widths = [max(len(cell) for cell in column if cell not in reasons) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join(line.rstrip() for line in [*lines, *([caption] if caption else []), *self.footnotes()])

    def _shown(self) -> tuple[pd.DataFrame, str]:
        if len(self.table) <= _SHOWN:
            return self.layout(), ""
        smallest = self.table["p_value"].nsmallest(_SHOWN // 2).index
        few = Associations(
            self.table.loc[smallest], self.covariates, self.modifier, self.adjust, self.n_tests, self.confidence, 0
        )
        return few.layout(strata="always"), f"the {len(smallest)} smallest p of {len(self.table):,} rows; all in .table"


def write_p(p: float) -> str:
    """A p value as text; one that is too small for a number is said to be so.

    Examples
    --------
    >>> write_p(0.0312), write_p(8.69e-13), write_p(0.0), write_p(float("nan"))
    ('0.031', '8.7e-13', '<1e-300', '')
    """
    if np.isnan(p):
        return ""
    if p < 1e-300:
        return "<1e-300"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"


def _estimate(row: pd.Series) -> str:
    if np.isnan(row["estimate"]):
        return str(row["reason"])
    decimals = decimals_of(row["std_error"])
    estimate, low, high = (f"{row[name]:.{decimals}f}" for name in ("estimate", "conf_low", "conf_high"))
    return f"{estimate} ({low} to {high})"


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text
