"""How many participants there are from the archives to the model, and why each of the others isn't there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from bmx.analysis.result import Regression
from bmx.analysis.text_table import TextTable
from bmx.errors import AnalysisError
from bmx.regions import get_region
from bmx.variables import MEASUREMENT_STATUS, QC_CAUSE, QC_OUTCOME, SLAB_STATUS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 5
"""Reasons that are written out; the others are added up."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Flow:
    """Participants at each step; printing it gives the table of a STROBE diagram."""

    region: str
    steps: pd.DataFrame
    """For each step: step, n, lost, reasons (text: count and reason)."""

    def plot(self) -> Figure:
        """Boxes below each other, and beside them who was lost: the diagram that reviewers ask for."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.4, 0.4 + 1.15 * len(self.steps)), layout="constrained")
        axes = figure.subplots()
        axes.set(xlim=(0, 10), ylim=(-len(self.steps) + 0.4, 0.6))
        axes.set_axis_off()
        box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": "#222222"}
        for place, row in enumerate(self.steps.to_dict("records")):
            axes.text(2.2, -place, f"{row['step']}\nn = {row['n']:,}", ha="center", va="center", fontsize=9, bbox=box)
            if place:
                arrow = {"arrowstyle": "-|>", "color": "#222222", "shrinkA": 14, "shrinkB": 14}
                axes.annotate("", (2.2, -place), (2.2, 1 - place), arrowprops=arrow)
            if row["lost"]:
                told = str(row["reasons"]).replace("; ", "\n")
                axes.text(5.0, 0.5 - place, f"{row['lost']:,} lost\n{told}", ha="left", va="center", fontsize=7.5,
                          bbox={**box, "edgecolor": "#8A8A8A"})  # fmt: skip
                axes.annotate("", (4.9, 0.5 - place), (2.2, 0.5 - place),
                              arrowprops={"arrowstyle": "-|>", "color": "#8A8A8A"})  # fmt: skip
        return figure

    def _layout(self) -> TextTable:
        cells = self.steps.assign(n=self.steps["n"].map("{:,}".format), lost=self.steps["lost"].map("{:,}".format))
        return TextTable(f"Participants, {self.region}", cells)

    def _repr_html_(self) -> str:
        return self._layout().to_html()

    def __repr__(self) -> str:
        return repr(self._layout())


def flow(
    results: xr.Dataset,
    *,
    region: str,
    slabs: xr.DataTree | None = None,
    having: str | None = None,
    fit: Regression | None = None,
) -> Flow:
    """Count participants of one region from the archives to the model. Computes small variables alone.

    Parameters
    ----------
    results : Dataset
        From `bmx.run`, `bmx.qc.flag` or `bmx.join`; each adds its steps.
    region : whose values
    slabs : tree from `bmx.open_store`, for the step from archives to slabs
    having : a variable of the joined data that participants must have, as `bmd_spine`
    fit : a Regression whose sample is the last step

    Returns
    -------
    Flow; it prints the steps, and `.plot()` draws them.

    Raises
    ------
    AnalysisError
        The region or variable is not in the data.
    """
    if "region" not in results.indexes or region not in results.indexes["region"]:
        raise AnalysisError(f"the data have no region {region!r}; found {_labels(results)}")
    one = results.sel(region=region)
    rows: list[dict[str, object]] = []
    left = np.ones(results.sizes["participant"], np.bool_)
    if slabs is not None:
        number = get_region(region).slab
        status = pd.Series(slabs[f"slab_{number}/slab_status"].to_numpy())
        names = {value: name for name, value in SLAB_STATUS.items()}
        usable = status.isin([SLAB_STATUS["complete"], SLAB_STATUS["incomplete"]])
        rows.append({"step": "archives in the store", "n": len(status), "lost": 0, "reasons": ""})
        lost = status[~usable].map(names).map(f"slab {number} {{}}".format)
        rows.append(_step(f"slab {number} usable", int(usable.sum()), lost))
    else:
        rows.append({"step": "participants", "n": int(left.sum()), "lost": 0, "reasons": ""})
    if "status" in one:
        good = one["status"].to_numpy() == MEASUREMENT_STATUS["measured"]
        # Who lacks the slab was lost a step before, where that step is shown.
        told = pd.Series(one["reason"].to_numpy().astype(object)).astype(str)
        before = usable.to_numpy() if slabs is not None else left
        rows.append(_step(f"{region} measured", int((before & good).sum()), told[before & ~good]))
        left = before & good
    if "qc_outcome" in one:
        good = one["qc_outcome"].to_numpy() == QC_OUTCOME["ok"]
        causes = {value: name.replace("_", " ") for name, value in QC_CAUSE.items()}
        told = (
            pd.Series(one["qc_cause"].to_numpy()).map(causes) if "qc_cause" in one else pd.Series("", range(len(good)))
        )
        rows.append(_step("passed quality control", int((left & good).sum()), told[left & ~good]))
        left &= good
    if having is not None:
        if having not in results:
            raise AnalysisError(
                f"the data have no {having!r}; join the phenotypes first: bmx.join(results, phenotypes)"
            )
        there = pd.notna(results[having].to_numpy())
        rows.append(
            _step(f"with {having}", int((left & there).sum()), pd.Series(f"no {having}", range((left & ~there).sum())))
        )
        left &= there
    if fit is not None:
        inside = np.isin(results["participant"].to_numpy(), fit.sample)
        missing = fit.dropped.reindex(results["participant"].to_numpy()[left & ~inside]).fillna("not selected")
        rows.append(_step("in the model", int(inside.sum()), missing))
    return Flow(region, pd.DataFrame(rows))


def _step(name: str, n: int, reasons: pd.Series) -> dict[str, object]:
    counts = reasons.replace("", "no reason given").value_counts()
    told = [f"{count:,} {reason}" for reason, count in counts.head(_MOST).items()]
    if len(counts) > _MOST:
        told.append(f"{int(counts.iloc[_MOST:].sum()):,} for other reasons")
    return {"step": name, "n": n, "lost": len(reasons), "reasons": "; ".join(told)}


def _labels(data: xr.Dataset) -> str:
    return ", ".join(map(str, data.indexes["region"])) if "region" in data.indexes else "no dimension region"
