"""Figs. 4C, 5A and 5B-D; Fig. 4A is `bmx.plot.violins`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from bmx import quality
from bmx.analysis import Regression
from bmx.analysis.group_figures import draw_violin
from bmx.errors import AnalysisError
from bmx.plot.style import FAINT, INK, REGION_COLOURS, title
from bmx.reproduction.tables import BONE

_SEXES = {"Female": "#D55E00", "Male": "#0072B2"}
"""Okabe and Ito's: told apart with any colour vision."""


def odds_by_height(numbers: pd.DataFrame) -> Figure:
    """Fig. 4C: odds ratio of a failure per cm of height, with its interval.

    Raises
    ------
    AnalysisError
        If nothing failed, or no model could be fitted.
    """
    if numbers.empty:
        raise AnalysisError("no region has failures to draw; the table below says why")
    figure = Figure(figsize=(6.5, 0.9 + 0.34 * len(numbers)), layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(numbers.to_dict("records")):
        colour = REGION_COLOURS[str(row["region"])]
        axes.plot([row["conf_low"], row["conf_high"]], [place, place], color=colour, linewidth=2)
        axes.plot([row["estimate"]], [place], "o", color=colour, markeredgecolor=INK)
    labels = [f"{title(str(row['region']))}, {row['output']}" for row in numbers.to_dict("records")]
    axes.set_yticks(range(len(numbers)), labels, fontsize=9)
    axes.invert_yaxis()
    axes.axvline(1, color=FAINT, linewidth=1, linestyle=":")
    axes.set_xlabel("odds ratio of a failure per cm of height, 95 % profile interval")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def regions_and_sex(cohort: xr.Dataset, fit: Regression) -> Figure:
    """Fig. 5A: BMFF of controls by region and sex, every one as a point, with the means of the mixed model."""
    bmff = cohort["bmff"].where(quality.passed(cohort)).transpose("participant", "region").to_numpy()
    sex, control = (cohort[name].to_numpy().astype(object) for name in ("sex", BONE))
    means = {
        (str(row["region"]), str(row["sex"])): [float(row[key]) for key in ("estimate", "conf_low", "conf_high")]
        for row in fit.means(["region", "sex"]).to_dict("records")
    }
    figure = Figure(figsize=(7.5, 4), layout="constrained")
    axes = figure.add_subplot()
    regions = [str(name) for name in cohort.indexes["region"]]
    for column, region in enumerate(regions):
        for side, (name, colour) in zip((-0.2, 0.2), _SEXES.items(), strict=True):
            values = bmff[(sex == name) & (control == "control"), column]
            values = values[np.isfinite(values)]
            if len(values) > 2:
                draw_violin(axes, column + side, values, colour, half=0.18)
            mean, low, high = means[region, name]
            axes.errorbar(
                [column + side], [mean], yerr=[[mean - low], [high - mean]],
                color=INK, marker="_", markersize=16, capsize=3,
            )  # fmt: skip
    for name, colour in _SEXES.items():
        count = int(((sex == name) & (control == "control")).sum())
        axes.plot([], [], "s", color=colour, label=f"{name.lower()}, {count} controls")
    axes.legend(frameon=False, loc="lower right")
    axes.set_xticks(range(len(regions)), [title(region) for region in regions])
    axes.set_ylabel("BMFF, %")
    axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(
        "Bars with caps: adjusted mean and 95 % interval of the mixed model.\n"
        "Without: quartiles, a circle at the median. BMFF is dual-echo.", fontsize=8, color=FAINT,
    )  # fmt: skip
    return figure
