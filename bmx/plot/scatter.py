"""Measured against true values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bmx.plot.style import FAINT, INK

Values = npt.NDArray[np.floating]


def draw_agreement(
    axes: Axes, true: Values, measured: Values, *, usable: npt.NDArray[np.bool_], colour: str, mark: int | None = None
) -> None:
    """Scatter of measured against true BMFF on equal axes, with the identity line, n and errors.

    Parameters
    ----------
    axes : matplotlib Axes
    true, measured : (participant,) percent; a participant without both isn't drawn
    usable : (participant,) bool; values that quality control doesn't pass are hollow, and not in n and errors
    colour : matplotlib colour of the points
    mark : int, optional; position of one participant who gets a ring
    """
    both = np.isfinite(true) & np.isfinite(measured)
    filled, hollow = both & usable, both & ~usable
    low, high = _limits(np.concatenate([true[both], measured[both]]))
    axes.plot([low, high], [low, high], color=FAINT, linewidth=1, zorder=1)
    axes.scatter(true[filled], measured[filled], s=34, color=colour, edgecolor="white", linewidth=0.6, zorder=3)
    axes.scatter(true[hollow], measured[hollow], s=34, facecolor="none", edgecolor=colour, linewidth=1.2, zorder=3)
    if mark is not None and both[mark]:
        axes.scatter(true[mark], measured[mark], s=130, facecolor="none", edgecolor=INK, linewidth=1.3, zorder=4)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    axes.grid(color="#E6E6E6", linewidth=0.7, zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=10, colors=INK, length=3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.text(
        0.04, 0.97, _errors(measured[filled] - true[filled]), ha="left", va="top", fontsize=10.5, color=INK,
        linespacing=1.35, transform=axes.transAxes,
    )  # fmt: skip


def _limits(values: Values) -> tuple[float, float]:
    """Both axes alike, in whole tens around the values; 0-100 if there are none."""
    if not values.size:
        return 0.0, 100.0
    return float(np.floor(values.min() / 10 - 0.1) * 10), float(np.ceil(values.max() / 10 + 0.1) * 10)


def _errors(error: Values) -> str:
    if not error.size:
        return "n = 0"
    return f"n = {error.size}\nmean absolute error {np.abs(error).mean():.1f}\nbias {error.mean():+z.1f} points"
