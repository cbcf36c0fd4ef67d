"""One picture of the whole journey: masks on their images, and what was measured against what is true."""

from __future__ import annotations

from textwrap import shorten

import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bmx.plot.cases import Case, Opened, read_case
from bmx.plot.overlays import VIEWS, draw_overlay
from bmx.plot.scatter import draw_agreement
from bmx.plot.style import FAINT, INK, REGION_COLOURS, title
from bmx.regions import get_region
from bmx.schema import validate
from bmx.variables import MEASUREMENT_STATUS, QC_OUTCOME


def journey(
    slabs: xr.DataTree, masks: xr.DataTree, results: xr.Dataset, truth: xr.Dataset, *, eid: int | None = None
) -> Figure:
    """Masks of one participant over their images, above measured against true BMFF of all. Computes.

    Parameters
    ----------
    slabs, masks : DataTree
        As for `measure`; the images and masks of one participant are read.
    results : Dataset
        `bmff`, `status` and `reason` (participant, region); with `qc_outcome`, values that quality control
        doesn't pass are drawn hollow and left out of the errors.
    truth : Dataset
        True `bmff (participant, region)` in percent.
    eid : int, optional
        Whom to show; otherwise the first participant who was measured in all regions, or in most.

    Returns
    -------
    Figure
        One column a region; 1400 pixels wide for four regions at its own resolution (`savefig(path)`).

    Raises
    ------
    SchemaError
        If a variable is missing or wrong.
    KeyError
        If `eid` is not among the participants.
    """
    validate(slabs, "fat", "water", "affine", "native_slices")
    validate(masks, "mask")
    validate(results, "bmff", "status", "reason", "measured_slab")
    opened = Opened(slabs, masks, results)
    validate(truth, "bmff")
    table = {name: _table(results[name]) for name in ("bmff", "status", "reason", "qc_outcome") if name in results}
    eids, regions = list(table["bmff"].index), list(table["bmff"].columns)
    true = _table(truth["bmff"]).reindex(index=eids, columns=regions)
    shown = _most_measured(table["status"]) if eid is None else eid
    if shown not in eids:
        raise KeyError(f"participant {shown} is not in the results; choose one of their {len(eids)} EIDs")
    row = eids.index(shown)
    usable = table["qc_outcome"] == QC_OUTCOME["ok"] if "qc_outcome" in table else true.notna()

    figure = Figure(figsize=(3.5 * len(regions), 8.1), dpi=100, facecolor="white")
    grid = figure.add_gridspec(
        2,
        len(regions),
        height_ratios=[0.85, 1],
        left=0.05,
        right=0.98,
        top=0.87,
        bottom=0.115,
        wspace=0.15,
        hspace=0.13,
    )
    for column, region in enumerate(regions):
        colour = REGION_COLOURS.get(region, FAINT)
        above, below = figure.add_subplot(grid[0, column]), figure.add_subplot(grid[1, column])
        _draw_participant(above, read_case(opened, shown, region), colour)
        above.text(0, 1.12, title(region), fontsize=13, weight="bold", color=INK, transform=above.transAxes)
        above.text(0, 1.035, _value(table, row, column), fontsize=11.5, color=INK, transform=above.transAxes)
        draw_agreement(
            below, true[region].to_numpy(float), table["bmff"][region].to_numpy(float),
            usable=usable[region].to_numpy(bool), colour=colour, mark=row,
        )  # fmt: skip
        below.set_xlabel("true BMFF (%)", fontsize=11, color=INK)
        if column == 0:
            below.set_ylabel("measured BMFF (%)", fontsize=11, color=INK)
    kind = "simulated participant" if slabs.attrs.get("simulated") else "participant"
    figure.text(0.05, 0.958, f"Bone marrow fat fraction (BMFF) of {kind} {shown}", fontsize=15, color=INK)
    figure.text(
        0.05, 0.022,
        f"Above: fat + water image, mask in colour. Below: all {len(eids)} participants; the ring is the one above, "
        "hollow points don't pass quality control. BMFF is dual-echo, not a PDFF.",
        fontsize=10, color=FAINT,
    )  # fmt: skip
    return figure


def _table(data: xr.DataArray) -> pd.DataFrame:
    """Values by EID and region."""
    values = data.transpose("participant", "region").to_numpy()
    return pd.DataFrame(
        values, index=data.indexes["participant"], columns=[str(name) for name in data.indexes["region"]]
    )


def _most_measured(status: pd.DataFrame) -> int:
    """EID of the first participant who was measured in most regions."""
    measured = (status == MEASUREMENT_STATUS["measured"]).sum(axis="columns").to_numpy()
    return int(status.index[int(measured.argmax())])


def _value(table: dict[str, pd.DataFrame], row: int, column: int) -> str:
    """What was measured, or why nothing was."""
    bmff, status, reason = (table[name].to_numpy()[row, column] for name in ("bmff", "status", "reason"))
    return (
        f"BMFF {bmff:.1f} %"
        if status == MEASUREMENT_STATUS["measured"]
        else shorten(f"no value: {reason}", 42, placeholder=" …")
    )


def _draw_participant(axes: Axes, case: Case | None, colour: str) -> None:
    """Image and mask of one region of one participant, where it was measured."""
    if case is None:
        axes.set(xticks=[], yticks=[], facecolor="#EEEEEE")  # nothing was acquired; the heading says why
        return
    draw_overlay(axes, case.total, case.mask, case.affine, view=VIEWS[get_region(case.region).site], colour=colour)
