"""How many participants there are from the archives to the model, and why each of the others isn't there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import xarray as xr

from bmx.analysis.result import Regression
from bmx.analysis.text_table import TextTable
from bmx.errors import AnalysisError, did_you_mean
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
    having: str | Sequence[str] | None = None,
    fit: Regression | None = None,
) -> Flow:
    """Count participants of one region from the archives to the model. Computes small variables alone.

    Parameters
    ----------
    results : Dataset
        From `bmx.run`, `bmx.qc.flag` or `bmx.join`; each adds its steps.
    region : whose values
    slabs : tree from `bmx.open_store`, for the step from archives to slabs; matched by EID
    having : variables of the joined data that participants must have, as `bmd_spine`, each a step
    fit : a Regression whose sample is the last step

    Returns
    -------
    Flow; it prints the steps, and `.plot()` draws them.

    Raises
    ------
    AnalysisError
        The region or variable is not in the data, or the fit isn't one of who is left.
    """
    if "region" not in results.indexes or region not in results.indexes["region"]:
        raise AnalysisError(f"the data have no region {region!r}; found {_labels(results)}")
    one = results.sel(region=region)
    eids = results.indexes["participant"]
    steps = _of_the_store(slabs, region, eids) if slabs is not None else _Steps("participants", eids)
    _keep_joined(steps, results)
    if "status" in one:
        good = one["status"].to_numpy() == MEASUREMENT_STATUS["measured"]
        steps.keep(f"{region} measured", pd.Series(good, eids), _text(one["reason"]))
    if "qc_outcome" in one:
        good = one["qc_outcome"].to_numpy() == QC_OUTCOME["ok"]
        causes = {value: name.replace("_", " ") for name, value in QC_CAUSE.items()}
        told = pd.Series(one["qc_cause"].to_numpy(), eids).map(causes) if "qc_cause" in one else ""
        steps.keep("passed quality control", pd.Series(good, eids), told)
    for name in [having] if isinstance(having, str) else having or ():
        known = [str(key) for key, one in results.variables.items() if one.dims == ("participant",)]
        if name not in known:
            joined = "join_participants" in results.attrs
            hint = did_you_mean(name, known) if joined else "join the phenotypes first: bmx.join(results, phenotypes)"
            raise AnalysisError(f"the data have no {name!r} by participant; {hint}")
        steps.keep(f"with {name}", pd.Series(pd.notna(results[name].to_numpy()), eids), f"no {name}")
    if fit is not None:
        _keep_fitted(steps, fit, eids)
    return Flow(region, pd.DataFrame(steps.rows))


class _Steps:
    """Who is left, by EID, and what each step cost."""

    def __init__(self, name: str, eids: pd.Index[int]) -> None:
        self.left = eids
        self.rows: list[dict[str, object]] = [{"step": name, "n": len(eids), "lost": 0, "reasons": ""}]

    def keep(self, name: str, good: pd.Series[bool], reasons: pd.Series[str] | str) -> None:
        """Go on with those of whom `good` is true; who isn't in it is lost."""
        stays = good.reindex(self.left, fill_value=False).to_numpy(np.bool_)
        lost = self.left[~stays]
        why = pd.Series(reasons, lost) if isinstance(reasons, str) else reasons.reindex(lost).fillna("")
        counts = why.replace("", "no reason given").value_counts()
        told = [f"{count:,} {reason}" for reason, count in counts.head(_MOST).items()]
        if len(counts) > _MOST:
            told.append(f"{int(counts.iloc[_MOST:].sum()):,} for other reasons")
        self.left = self.left[stays]
        self.rows.append({"step": name, "n": len(self.left), "lost": len(lost), "reasons": "; ".join(told)})


def _of_the_store(slabs: xr.DataTree, region: str, eids: pd.Index[int]) -> _Steps:
    """The first steps, where the store is at hand."""
    number, stored = get_region(region).slab, slabs.to_dataset().indexes["participant"]
    steps = _Steps("archives in the store", stored[stored >= 0])  # who has withdrawn has no EID
    status = pd.Series(slabs[f"slab_{number}/slab_status"].to_numpy(), stored)
    names = {value: f"slab {number} {name}" for name, value in SLAB_STATUS.items()}
    usable = status.isin([SLAB_STATUS["complete"], SLAB_STATUS["incomplete"]])
    steps.keep(f"slab {number} usable", usable, status.map(names))
    if len(steps.left.difference(eids)):
        steps.keep("in the data", pd.Series(True, eids), "not in the data that were given")
    return steps


def _keep_joined(steps: _Steps, results: xr.Dataset) -> None:
    """The step of `bmx.join`, where nobody has been taken out of its participants since."""
    only_results = int(results.attrs.get("join_only_results", 0))
    if not only_results or results.attrs.get("join_participants") != results.sizes["participant"]:
        return
    if steps.rows[-1]["step"] == "in the data":
        lost = cast(int, steps.rows[-1]["lost"])
        others = f"{lost - only_results:,} no results; " if lost > only_results else ""
        told = f"{others}{min(lost, only_results):,} no phenotypes"
        steps.rows[-1] |= {"step": "joined with phenotypes", "reasons": told}
    elif len(steps.rows) == 1:
        n = len(steps.left)
        steps.rows = [
            {"step": "participants with results", "n": n + only_results, "lost": 0, "reasons": ""},
            {"step": "joined with phenotypes", "n": n, "lost": only_results,
             "reasons": f"{only_results:,} no phenotypes"},
        ]  # fmt: skip


def _keep_fitted(steps: _Steps, fit: Regression, eids: pd.Index[int]) -> None:
    if fit.family == "mixed":
        raise AnalysisError("a mixed model has several values of a participant; give flow a fit of regress")
    used = pd.Index(fit.sample)
    if len(other := used.difference(steps.left)):
        raise AnalysisError(
            f"the fit uses {len(other)} participants that are not left after {steps.rows[-1]['step']!r}, the first is "
            f"{other[0]}; expected a fit to these data, of this region and the values that passed quality control"
        )
    steps.keep("in the model", pd.Series(True, used), fit.dropped.reindex(eids).fillna("not selected"))


def _text(reasons: xr.DataArray) -> pd.Series[str]:
    return pd.Series(reasons.to_numpy().astype(object), reasons.indexes["participant"]).astype(str)


def _labels(data: xr.Dataset) -> str:
    return ", ".join(map(str, data.indexes["region"])) if "region" in data.indexes else "no dimension region"
