"""Figures of one regression: a forest of its terms, and what one term adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bmx.analysis.fitting import basis_of
from bmx.analysis.margins import reference_grid
from bmx.analysis.prediction import combine
from bmx.analysis.report import layout
from bmx.analysis.units import with_unit
from bmx.errors import AnalysisError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bmx.analysis.result import Regression

_INK, _FAINT, _LINE = "#222222", "#8A8A8A", "#0072B2"
"""As everywhere in bmx; the blue of Okabe and Ito is told apart with any colour vision."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one fit; each is a matplotlib Figure, ready for `savefig("forest.pdf")`."""

    fit: Regression

    def forest(self, terms: Sequence[str] | None = None) -> Figure:
        """Estimates with their intervals and numbers, one term below the other, about 0 (odds ratios: about 1).

        Terms in different units share no scale: choose those that do, as the groups of one variable.

        Parameters
        ----------
        terms : names as in `fit.terms`, optional; all but the intercept by default
        """
        from matplotlib.figure import Figure
        from matplotlib.ticker import NullFormatter

        fit, table = self.fit, layout(self.fit)
        cells = {row[0]: row[1:] for row in table.rows}
        chosen = list(cells) if terms is None else list(terms)
        unknown = [term for term in chosen if term not in cells]
        if unknown:
            raise AnalysisError(f"{', '.join(unknown)} is not a term of {fit.formula!r}; it has {', '.join(cells)}")
        numbers = fit.terms.set_index("term").loc[chosen]
        ratio = fit.family == "binomial"
        names = ["odds_ratio", "odds_ratio_low", "odds_ratio_high"] if ratio else ["estimate", "conf_low", "conf_high"]
        middle, low, high = numbers[names].to_numpy(float).T
        rows = np.arange(len(chosen))
        figure = Figure(figsize=(7.2, 1.3 + 0.34 * len(chosen)), layout="constrained")
        axes = figure.add_subplot()
        axes.axvline(1 if ratio else 0, color=_FAINT, linewidth=1)
        axes.errorbar(middle, rows, xerr=[middle - low, high - middle], fmt="s", color=_LINE, markersize=5, capsize=2)
        if ratio:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
            # Ratios that lie within a decade have no other ticks than these.
            few = high[np.isfinite(high)].max(initial=1) / low[low > 0].min(initial=1) < 12
            axes.xaxis.set_minor_formatter("{x:g}" if few else NullFormatter())
            axes.tick_params(axis="x", which="minor", labelsize=8)
        axes.set_yticks(rows, chosen)
        axes.set_ylim(len(chosen) - 0.4, -0.6)
        axes.set_xlabel(f"{'odds ratio' if ratio else fit.outcome + ', estimate'} ({table.header[2]})")
        beside = axes.twinx()
        beside.set_ylim(axes.get_ylim())
        beside.set_yticks(rows, [_numbers(cells[term]) for term in chosen])
        beside.tick_params(right=False, labelsize=8.5, labelcolor=_INK)
        for drawn in (axes, beside):
            drawn.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(left=False, labelcolor=_INK, labelsize=9)
        _title(axes, fit, table.sample)
        return figure

    def partial(self, x: str) -> Figure:
        """What `x` adds to everything else in the model: its line with interval, and partial residuals as points.

        A point is the line at the participant's `x` plus the participant's residual. Of a logistic model, on the scale
        of log odds, with the line alone.

        Parameters
        ----------
        x : a quantity of the formula
        """
        from matplotlib.figure import Figure

        fit, basis = self.fit, basis_of(self.fit)
        basis.check_predictor(x)
        if basis.is_category(x):
            raise AnalysisError(f"{x} stands for groups and has no line; see means({x!r})")
        values = basis.sample.table[x]
        across = np.linspace(values.min(), values.max(), 101)
        line = combine(fit, reference_grid(fit, [x], at={x: across})[1])
        figure = Figure(figsize=(4.8, 3.9), layout="constrained")
        axes = figure.add_subplot()
        if fit.family != "binomial":
            many = len(values) > 5000  # points as an image, or a vector file would take minutes to open
            axes.scatter(
                values, partial_residuals(fit, x), s=12, color=_FAINT, alpha=0.55, edgecolor="none", rasterized=many
            )
        axes.fill_between(across, line["conf_low"], line["conf_high"], color=_LINE, alpha=0.2, linewidth=0)
        axes.plot(across, line["estimate"], color=_LINE, linewidth=1.8)
        axes.set_xlabel(with_unit(x, basis.flat.get(x)))
        kind = "log odds of " if fit.family == "binomial" else ""
        others = [name for name in basis.predictors() if name != x]
        adjusted = fill(f"adjusted for {', '.join(others)}", 44, initial_indent="\n") if others else ""
        axes.set_ylabel(f"{kind}{with_unit(fit.outcome, basis.flat.get(fit.outcome))}{adjusted}")
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9, colors=_INK)
        _title(axes, fit, layout(fit).sample)
        return figure


def _numbers(cells: Sequence[str]) -> str:
    estimate, low, high, _, p = cells
    return f"{estimate} ({low} to {high})  p {p if p.startswith('<') else '= ' + p}"


def _title(axes: Axes, fit: Regression, sample: str) -> None:
    wide = int(axes.figure.get_figure(root=True).bbox_inches.width * 13)
    axes.set_title("\n".join(fill(line, wide) for line in (fit.formula, sample)), fontsize=8.5, color=_INK, loc="left")


def partial_residuals(fit: Regression, x: str) -> pd.Series:
    """By EID: what the model says at the participant's `x`, everything else held equal, plus the residual."""
    basis = basis_of(fit)
    table = reference_grid(fit, [x], at={x: basis.sample.table[x].to_numpy()})[1]
    return pd.Series(combine(fit, table)["estimate"].to_numpy() + fit.residuals.to_numpy(), fit.residuals.index)
