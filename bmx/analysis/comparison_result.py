"""Models beside each other, and how they are printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from bmx.analysis.report import decimals_of, format_p, latex_table, rounded, significant
from bmx.analysis.result import Regression

_STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comparison:
    """Models of one outcome on the same participants."""

    names: tuple[str, ...]
    fits: tuple[Regression, ...]
    tests: pd.DataFrame
    """One row per model: model, n, aic, delta_aic (to the smallest), and its test against the last model before it that
    it contains: against, df, statistic (F, or likelihood ratio), p_value; all unadjusted."""
    notes: tuple[str, ...]

    @property
    def terms(self) -> pd.DataFrame:
        """The terms of all models, tidy, with a column `model`."""
        named = [fit.terms.assign(model=name) for name, fit in zip(self.names, self.fits, strict=True)]
        table = pd.concat(named, ignore_index=True)
        return table[["model", *(column for column in table if column != "model")]]

    @property
    def table(self) -> pd.DataFrame:
        """As in the paper, all text: models as rows; n, adj. R² and AIC, then each covariate's estimate with stars."""
        cells: dict[str, dict[str, str]] = {}
        rows = []
        for name, fit in zip(self.names, self.fits, strict=True):
            for label, cell in _cells(fit):
                cells.setdefault(label, {})[name] = cell
            quality = {} if fit.family == "binomial" else {"adj. R²": significant(fit.summary.adj_r2, 2, least=2)}
            rows.append({"model": name, "n": str(fit.summary.n), **quality, "AIC": f"{fit.summary.aic:.1f}"})
        table = pd.DataFrame(rows)
        for label, by_model in cells.items():
            table[label] = [by_model.get(name, "-") for name in self.names]
        return table

    @property
    def footnotes(self) -> list[str]:
        """What must stand below the table."""
        fit = self.fits[0]
        ratio = fit.family == "binomial"
        what = "Odds ratio" if ratio else "Estimate"
        vcov = ", ".join(dict.fromkeys(fit.vcov for fit in self.fits))
        return [
            f"Outcome {fit.outcome}. {what} ({100 * fit.confidence:g}% CI); * p < 0.05, ** p < 0.01, *** p < 0.001, "
            "not adjusted for multiple testing. -: not in the model.",
            f"{self.notes[0][0].upper()}{self.notes[0][1:]}. Participants who lack a value are left out (listwise).",
            f"Covariance: {vcov}."
            + ("" if ratio else " AIC counts sigma, as R. Tests of models are classical F tests."),
            *dict.fromkeys(f"{note[0].upper()}{note[1:]}." for fit in self.fits for note in fit.notes),
        ]

    def to_csv(self, path: str | Path | None = None) -> str:
        """Give `table` as csv, and write it to `path` if there is one; `terms` holds every digit."""
        return _written(self.table.to_csv(index=False), path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Give `table` as HTML with tests and footnotes, and write it to `path` if there is one."""
        header, *rows = self._lines()
        head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        footer = "<br>".join(map(escape, (*self._said_tests(), *self.footnotes)))
        return _written(
            f"<table><caption style='text-align: left'>{escape(self._title())}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody><tfoot><tr><td colspan='{len(header)}' style='text-align: left'>{footer}</td></tr>"
            "</tfoot></table>",
            path,
        )

    def to_latex(self, path: str | Path | None = None) -> str:
        """Give the same as a LaTeX table for the package booktabs, and write it to `path` if there is one."""
        header, *rows = self._lines()
        return _written(latex_table(self._title(), header, rows, [*self._said_tests(), *self.footnotes]), path)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        lines = self._lines()
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        ]
        return "\n".join((self._title(), *text, *self._said_tests(), *(f"note: {note}" for note in self.notes)))

    def _title(self) -> str:
        return f"Models of {self.fits[0].outcome}"

    def _lines(self) -> list[list[str]]:
        table = self.table
        return [list(map(str, table.columns)), *([str(cell) for cell in row] for row in table.to_numpy().tolist())]

    def _said_tests(self) -> list[str]:
        said = []
        kind = "likelihood ratio" if self.fits[0].family == "binomial" else "F"
        for row in self.tests.to_dict("records"):
            if row["against"]:
                p = format_p(row["p_value"])
                said.append(
                    f"{row['model']} against {row['against']}: {kind} {row['statistic']:.1f} on {row['df']:g} df, "
                    f"p {p if p[0] == '<' else '= ' + p}; ΔAIC to the best {row['delta_aic']:.1f}"
                )
        return said


def _cells(fit: Regression) -> list[tuple[str, str]]:
    """Each term but the intercept, named in full, with estimate, interval and stars."""
    ratio = fit.family == "binomial"
    names = ["odds_ratio", "odds_ratio_low", "odds_ratio_high"] if ratio else ["estimate", "conf_low", "conf_high"]
    cells = []
    for row in fit.terms.to_dict("records"):
        if row["term"] != "Intercept":
            values = [row[name] for name in names]
            decimals = decimals_of(row["std_error"] * (values[0] if ratio else 1))
            middle, low, high = (rounded(value, decimals) for value in values)
            stars = next((f" {stars}" for limit, stars in _STARS if row["p_value"] < limit), "")
            cells.append((_in_full(row["term"], fit), f"{middle} ({low} to {high}){stars}"))
    return cells


def _in_full(term: str, fit: Regression) -> str:
    """A term with its region, for models of different regions stand below each other."""
    flat = {} if fit.basis is None else fit.basis.flat
    return re.sub(r"[A-Za-z_]\w*(?![\w(])", lambda name: flat.get(name[0], name[0]), term)


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text
