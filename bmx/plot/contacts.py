"""The cases at one end of a metric, side by side: where to look first."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bmx.errors import did_you_mean
from bmx.plot.cases import Place, open_places, read_case
from bmx.plot.overlays import VIEWS, draw_overlay
from bmx.plot.style import FAINT, INK, REGION_COLOURS, title
from bmx.regions import get_region

_COLUMNS, _TILE = 6, 2.2
"""Pictures in a row, and the width of one, inches."""


def contact_sheet(
    store: Place | xr.DataTree,
    results: Place | xr.Dataset,
    *,
    by: str = "confidence",
    largest: bool = False,
    n: int = 24,
    regions: str | Sequence[str] | None = None,
    masks: Place | xr.DataTree | None = None,
) -> Figure:
    """Draw the cases with the lowest values of a metric, on fat + water. Reads the images of these alone.

    Parameters
    ----------
    store : of `bmx.convert`, or what `bmx.open_store` gave
    results : of `bmx.run`, or what `bmx.open_results` gave, or some participants of it
    by : a variable of the results by participant and region; what has none (NaN) isn't shown
    largest : the highest values instead: for `bmff_se`
    n : how many at most
    regions : only these, by default all
    masks : of the run; by default beside the results, if these are a path

    Raises
    ------
    ValueError
        If no number by participant and region has this name.
    KeyError
        If a region isn't in the results.
    """
    opened = open_places(store, results, masks)
    numbers = [
        str(name)
        for name, one in opened.results.data_vars.items()
        if set(one.dims) == {"participant", "region"} and one.dtype.kind in "fiu"
    ]
    if by not in numbers:
        raise ValueError(f"no number by participant and region is called {by!r}; {did_you_mean(by, numbers)}")
    metric = opened.results[by]
    if regions is not None:
        metric = metric.sel(region=[regions] if isinstance(regions, str) else list(regions))
    ranked = _ranked(metric.where(opened.results["measured_slab"] > 0), largest=largest)[:n]

    rows = max(1, math.ceil(len(ranked) / _COLUMNS))
    height = _TILE * 142 / 180 + 0.42
    figure = Figure(figsize=(_COLUMNS * _TILE, rows * height + 0.7), dpi=100, facecolor="white")
    grid = figure.add_gridspec(
        rows, _COLUMNS, left=0.01, right=0.99, bottom=0.01, top=1 - 0.95 / (rows * height + 0.7), wspace=0.04,
        hspace=0.28,
    )  # fmt: skip
    for place, (eid, region, value) in enumerate(ranked):
        axes = figure.add_subplot(grid[place // _COLUMNS, place % _COLUMNS])
        case = read_case(opened, eid, region)
        site = get_region(region).site
        if case is None:
            axes.set(xticks=[], yticks=[], facecolor="#EEEEEE")
        else:
            draw_overlay(
                axes, case.total, case.mask, case.affine, view=VIEWS[site], colour=REGION_COLOURS[site], filled=False
            )
        axes.set_title(f"{eid}  {title(region).lower()}\n{by} {value:.3g}", fontsize=8.5, color=INK)
    end = "highest" if largest else "lowest"
    units = opened.results[by].attrs.get("units", "1")
    figure.text(
        0.01, 1 - 0.32 / (rows * height + 0.7), f"{len(ranked)} measurements with the {end} {by.replace('_', ' ')}"
        f"{f' ({units})' if units != '1' else ''}", fontsize=13, color=INK if len(ranked) else FAINT,
    )  # fmt: skip
    return figure


def _ranked(metric: xr.DataArray, *, largest: bool) -> list[tuple[int, str, float]]:
    """EID, region and value, the first to be looked at first; equal ones in their order."""
    table = metric.transpose("participant", "region").to_numpy().astype(np.float64)
    eids, regions = metric.indexes["participant"], metric.indexes["region"]
    order = np.argsort(-table if largest else table, axis=None, kind="stable")
    places = zip(*np.unravel_index(order, table.shape), strict=True)
    return [(int(eids[i]), str(regions[j]), float(table[i, j])) for i, j in places if np.isfinite(table[i, j])]
