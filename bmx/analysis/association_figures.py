"""Two pictures of thousands of associations: how small their p values are, and how large the associations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from bmx.errors import AnalysisError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's: told apart with any colour vision."""

_MARKERS = ("o", "s", "^", "D", "v", "P")
_INK, _FAINT = "#222222", "#8A8A8A"

_WIDE, _HIGH = 0.16, 0.07
"""What a name takes of a panel."""

_SMALLEST = 1e-300
"""What is drawn for a p that is too small for a number."""


@dataclass(frozen=True, slots=True, eq=False)
class AssociationFigures:
    """The figures of `Associations.plot`."""

    table: pd.DataFrame
    multiplicity: str
    """What was adjusted for, as a sentence."""
    n_tests: int | None = None
    """Size of each stratum's family; by default its tests."""

    def manhattan(self, *, stratum: str = "all", alpha: float = 0.05, label: int = 5) -> Figure:
        """-log10 p of every outcome, in the order of outcomes, one panel per exposure.

        Parameters
        ----------
        stratum : which fits
        alpha : the dashed line is where the adjusted p is this; the raw p if nothing was adjusted
        label : how many of the smallest p in each panel are named
        """
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        table = self._of(stratum)
        exposures = table["term"].unique().tolist()
        figure = Figure(figsize=(7.2, 0.6 + 1.9 * len(exposures)), layout="constrained")
        panels = figure.subplots(len(exposures), 1, squeeze=False, sharex=True)[:, 0]
        place = {name: i for i, name in enumerate(table["outcome"].unique(), start=1)}
        for i, (exposure, axes) in enumerate(zip(exposures, panels, strict=True)):
            rows = table[table["term"] == exposure]
            x, y = rows["outcome"].map(place).to_numpy(float), _log(rows["p_value"])
            axes.scatter(x, y, s=9, color=_COLOURS[i % len(_COLOURS)], linewidth=0, rasterized=len(rows) > 5000)
            self._threshold(axes, table, alpha)
            _name(axes, x, y, rows["outcome"], label)
            axes.set_title(exposure, loc="left", fontsize=10, color=_INK)
            axes.set_ylabel(r"$-\log_{10}\,p$")
            _bare(axes)
            axes.set_ylim(0, max(1.0, 1.18 * float(np.max(y, initial=0))))
        panels[-1].set_xlabel(f"outcome, 1 to {len(place):,}")
        panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.supxlabel(self._caption(stratum), fontsize=8, color=_FAINT)
        return figure

    def volcano(self, *, stratum: str = "all", alpha: float = 0.05, label: int = 8) -> Figure:
        """-log10 p against the t (or z) over the root of n, which is a correlation where it is small.

        Estimates of outcomes in different units can't be on one axis; this is the same for all of them.
        """
        from matplotlib.figure import Figure

        table = self._of(stratum)
        figure = Figure(figsize=(6.4, 4.6), layout="constrained")
        axes = figure.subplots()
        effect = (table["statistic"] / np.sqrt(table["n"])).to_numpy(float)
        y = _log(table["p_value"])
        for i, exposure in enumerate(table["term"].unique().tolist()):
            these = (table["term"] == exposure).to_numpy()
            axes.scatter(
                effect[these], y[these], s=14, color=_COLOURS[i % len(_COLOURS)], marker=_MARKERS[i % len(_MARKERS)],
                linewidth=0, alpha=0.75, label=exposure, rasterized=len(table) > 5000,
            )  # fmt: skip
        self._threshold(axes, table, alpha)
        axes.axvline(0, color=_FAINT, linewidth=0.8)
        _name(axes, effect, y, table["outcome"], label)
        axes.set(xlabel=r"standardised association, $t/\sqrt{n}$", ylabel=r"$-\log_{10}\,p$")
        axes.set_ylim(0, max(1.0, 1.12 * float(np.max(y, initial=0))))
        _bare(axes)
        axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        figure.supxlabel(self._caption(stratum), fontsize=8, color=_FAINT)
        return figure

    def _of(self, stratum: str) -> pd.DataFrame:
        table = self.table[(self.table["stratum"] == stratum) & self.table["p_value"].notna()]
        if table.empty:
            strata = ", ".join(self.table["stratum"].unique())
            raise AnalysisError(f"there is no fit of stratum {stratum!r} to draw; the table has {strata}")
        return table

    def _caption(self, stratum: str) -> str:
        of = self.table[self.table["stratum"] == stratum]
        failed = int(of["p_value"].isna().sum())
        return f"{self.multiplicity}; {failed:,} fits failed and are not shown; stratum: {stratum}"

    def _threshold(self, axes: Axes, rows: pd.DataFrame, alpha: float) -> None:
        """A line above which a test of a family is significant, after adjustment if there was one."""
        edge = alpha
        if rows["p_adjusted"].notna().any():
            significant = rows.loc[rows["p_adjusted"] < alpha, "p_value"]
            rest = rows.loc[rows["p_adjusted"] >= alpha, "p_value"]
            # What the smallest p of a family must be below, whatever the method; stepwise ones allow the others more.
            edge = alpha / (len(rows) if self.n_tests is None else self.n_tests)
            if significant.max() > edge:
                edge = float(np.sqrt(significant.max() * rest.min())) if len(rest) else float(significant.max())
        axes.axhline(-np.log10(max(edge, _SMALLEST)), color=_INK, linewidth=0.9, linestyle="--")


def _log(p: pd.Series) -> npt.NDArray[np.float64]:
    return np.asarray(-np.log10(np.maximum(p.to_numpy(float), _SMALLEST)), np.float64)


def _name(axes: Axes, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], names: pd.Series, count: int) -> None:
    # Names at the right end are written to the left of their points: they must not run out of the panel.
    end = float(np.min(x, initial=0) + 0.8 * np.ptp(x)) if len(x) else 0.0
    width, height = (max(float(np.ptp(values)), 1e-9) for values in (x, y)) if len(x) else (1.0, 1.0)
    written: list[tuple[float, float]] = []
    for at in np.argsort(-y, kind="stable")[:count].tolist():
        # One name over another can't be read; the point with the smaller p keeps its own.
        if any(abs(x[at] - u) < _WIDE * width and abs(y[at] - v) < _HIGH * height for u, v in written):
            continue
        written.append((x[at], y[at]))
        side, shift = ("right", -4) if x[at] > end else ("left", 3)
        axes.annotate(
            str(names.iloc[at]), (x[at], y[at]), xytext=(shift, 3), textcoords="offset points", ha=side, fontsize=7,
            color=_INK,
        )  # fmt: skip


def _bare(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=_INK)
