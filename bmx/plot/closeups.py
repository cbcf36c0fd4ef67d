"""The regions of one participant, close: masks over every contrast and the fat fraction (after the paper's Fig. 3)."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from bmx.plot.cases import Case, Place, open_places, read_case
from bmx.plot.overlays import VIEWS, draw_overlay
from bmx.plot.style import FAINT, INK, REGION_COLOURS, title
from bmx.regions import get_region
from bmx.variables import MEASUREMENT_STATUS, QC_OUTCOME

_HEADINGS = {
    "in_phase": "in phase", "opposed_phase": "opposed phase", "fat": "fat", "water": "water", "percent": "fat fraction"
}  # fmt: skip
_COLOUR_MAP = "viridis"
_TILE, _TEXT, _BAR, _HEAD, _FOOT = 2.5, 2.1, 0.85, 0.75, 0.35
"""Width of a picture, of the words at the left, of the colour bar; heights above and below; inches."""


def overlay(
    store: Place | xr.DataTree,
    results: Place | xr.Dataset,
    eid: int | str,
    *,
    masks: Place | xr.DataTree | None = None,
    regions: str | Sequence[str] | None = None,
) -> Figure:
    """Draw the masks of one participant over each contrast and the fat fraction. Reads this participant alone.

    A row for each region: the slice that cuts most of the mask, in the slab where it was measured, with its
    millimetres equal in both directions, the body's sides and a scale bar. Fat and water are shown as they were
    measured: exchanged back where a swap was repaired. The fat fraction is each voxel's own, not smoothed.

    Parameters
    ----------
    store : of `bmx.convert`, or what `bmx.open_store` gave
    results : of `bmx.run`, or what `bmx.open_results` gave; judged by `bmx.qc.flag`, the outcome is written, too
    eid : who
    masks : of the run; by default beside the results, if these are a path
    regions : which, by default all of the results

    Raises
    ------
    KeyError
        If the participant or a region isn't in the results.
    """
    opened = open_places(store, results, masks)
    known = [str(name) for name in opened.results.indexes["region"]]
    shown = [regions] if isinstance(regions, str) else list(regions or known)
    eid = int(eid)
    if eid not in opened.results.indexes["participant"]:
        raise KeyError(f"participant {eid} is not among the {opened.results.sizes['participant']} of the results")
    if missing := [name for name in shown if name not in known]:
        raise KeyError(f"no region {', '.join(missing)} in the results, which have {', '.join(known)}")
    measured = opened.results.sel(participant=eid).compute()
    cases = {name: read_case(opened, eid, name) for name in shown}
    seen = next((case.images for case in cases.values() if case is not None), {"fat": None, "water": None})
    columns = [*seen, "percent"]

    height = _TILE * 142 / 180
    size = (_TEXT + _TILE * len(columns) + _BAR, _HEAD + height * len(shown) + _FOOT)
    figure = Figure(figsize=size, dpi=110, facecolor="white")
    grid = figure.add_gridspec(
        len(shown), len(columns), left=_TEXT / size[0], right=1 - _BAR / size[0], top=1 - _HEAD / size[1],
        bottom=_FOOT / size[1], wspace=0.03, hspace=0.04,
    )  # fmt: skip
    for row, name in enumerate(shown):
        for column, what in enumerate(columns):
            axes = figure.add_subplot(grid[row, column])
            _draw(axes, cases[name], name, what)
            if row == 0:
                axes.set_title(_HEADINGS[what], fontsize=11, color=INK)
            if column == 0:
                _write(axes, measured.sel(region=name), name)
    _add_bar(figure, size)
    kind = "Simulated participant" if opened.slabs.attrs.get("simulated") else "Participant"
    figure.text(0.012, 1 - 0.3 / size[1], f"{kind} {eid}", fontsize=14, color=INK)
    note = "Outline: the mask before erosion. ±: standard error. Fat fraction: dual-echo, of single voxels; not a PDFF."
    figure.text(0.012, 0.1 / size[1], note, fontsize=9, color=FAINT)
    return figure


def _draw(axes: Axes, case: Case | None, region: str, what: str) -> None:
    if case is None:
        axes.set(xticks=[], yticks=[], facecolor="#EEEEEE")
        axes.text(0.5, 0.5, "no image", ha="center", va="center", color=FAINT, transform=axes.transAxes)
        return
    site = get_region(region).site
    view, colour = VIEWS[site], REGION_COLOURS[site]
    if what == "percent":
        draw_overlay(
            axes, case.percent, case.mask, case.affine, view=view, colour="white", filled=False, limits=(0, 100),
            colour_map=_COLOUR_MAP,
        )  # fmt: skip
    else:
        draw_overlay(axes, case.images[what], case.mask, case.affine, view=view, colour=colour, filled=False)


def _write(axes: Axes, one: xr.Dataset, region: str) -> None:
    """What was measured, or why nothing was, at the left of a row."""
    lines = []
    if int(one["status"]) == MEASUREMENT_STATUS["measured"]:
        error = f" ± {float(one['bmff_se']):.1f}" if "bmff_se" in one and np.isfinite(one["bmff_se"]) else ""
        lines += [f"BMFF {float(one['bmff']):.1f}{error} %", f"{float(one['volume']):.1f} mL"]
        if int(one["measured_slab"]) != get_region(region).slab:
            lines.append(f"in slab {int(one['measured_slab'])}")
    reason = str(one["reason"].item() or "")
    if "qc_outcome" in one:
        names = {value: name for name, value in QC_OUTCOME.items()}
        lines.append(f"QC: {names[int(one['qc_outcome'])].replace('_', ' ')}")
        reason = str(one["qc_reason"].item() or "") or reason
    if reason:
        lines.append(fill(reason, 30, max_lines=5, placeholder=" …"))
    words = ((0.95, title(region), 11, "bold"), (0.82, "\n".join(lines), 9, "normal"))
    for height, text, size, weight in words:
        axes.text(
            -0.06, height, text, fontsize=size, weight=weight, ha="right", va="top", color=INK, transform=axes.transAxes
        )


def _add_bar(figure: Figure, size: tuple[float, float]) -> None:
    place = (1 - (_BAR - 0.12) / size[0], _FOOT / size[1], 0.14 / size[0], 1 - (_HEAD + _FOOT) / size[1])
    bar = figure.colorbar(ScalarMappable(Normalize(0, 100), _COLOUR_MAP), cax=figure.add_axes(place))
    bar.set_label("fat fraction, %", fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
