"""Groups as violins with every participant as a point: the paper's Fig. 5."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import gaussian_kde

from bmx.analysis.units import with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bmx.analysis.groups import GroupComparison

_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
"""Okabe and Ito's: told apart with any colour vision."""
_INK = "#222222"
_HALF = 0.38
"""Half width of a violin, in units of the distance between two."""


def draw_violins(found: GroupComparison) -> Figure:
    """One violin for each group, strata side by side, with median and quartiles; adjusted p below 0.05 is written."""
    from matplotlib.figure import Figure

    strata = list(dict.fromkeys(found.values["stratum"]))
    names = sorted(found.values["group"].unique())
    figure = Figure(figsize=(1.4 + 1.0 * len(names) * len(strata), 3.8), layout="constrained")
    panels = figure.subplots(1, len(strata), sharey=True, squeeze=False)[0]
    for stratum, axes in zip(sorted(strata), panels, strict=True):
        rows = found.values[found.values["stratum"] == stratum]
        for place, name in enumerate(names):
            values = rows.loc[rows["group"] == name, "value"].to_numpy(float)
            if len(values):
                draw_violin(axes, place, values, _COLOURS[place % len(_COLOURS)])
        counts = rows["group"].value_counts()
        axes.set_xticks(range(len(names)), [f"{name}\nn = {counts.get(name, 0)}" for name in names], fontsize=8)
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.spines[["top", "right"]].set_visible(False)
        if found.within:
            axes.set_title(stratum, fontsize=10, color=_INK)
        _mark(axes, found, stratum, names)
    panels[0].set_ylabel(with_unit(found.variable))
    figure.supxlabel(found.notes[-1], fontsize=7, color="#6A6A6A")
    return figure


def draw_violin(axes: Axes, place: float, values: np.ndarray, colour: str, *, half: float = _HALF) -> None:
    """Draw one group at `place`, `half` as wide to either side: density, every value, quartiles and median."""
    at = np.linspace(values.min(), values.max(), 100)
    spread = len(values) > 2 and float(np.ptp(values)) > 0
    width = gaussian_kde(values)(at) if spread else np.ones(100)
    width = half * width / width.max()
    axes.fill_betweenx(at, place - width, place + width, color=colour, alpha=0.25, linewidth=0)
    # The same points wherever the figure is drawn again.
    inside = np.interp(values, at, width)
    jitter = np.random.default_rng(len(values)).uniform(-0.9, 0.9, len(values)) * inside
    axes.scatter(place + jitter, values, s=6, color=colour, alpha=0.6, linewidth=0, rasterized=len(values) > 2000)
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    axes.vlines(place, low, high, color=_INK, linewidth=1.2)
    axes.plot([place], [middle], marker="o", markersize=5, markerfacecolor="white", markeredgecolor=_INK)


def _mark(axes: Axes, found: GroupComparison, stratum: str, names: list[str]) -> None:
    """Brackets over pairs that differ."""
    pairs = found.pairs[found.pairs["stratum"] == stratum] if found.within else found.pairs
    low, high = axes.get_ylim()
    step = 0.07 * (high - low)
    for level, pair in enumerate(pairs[pairs["p_adjusted"] < 0.05].to_dict("records")):
        first, _, second = str(pair["contrast"]).partition(" - ")
        ends, height = sorted((names.index(first), names.index(second))), high + level * step
        axes.plot([ends[0], ends[0], ends[1], ends[1]], [height, height + step / 4] * 1 + [height + step / 4, height],
                  color=_INK, linewidth=0.8)  # fmt: skip
        p = pair["p_adjusted"]
        text = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
        axes.text(sum(ends) / 2, height + step / 4, text, ha="center", va="bottom", fontsize=7, color=_INK)
