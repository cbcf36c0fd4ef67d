"""Volumes of the masks as violins, with the line below which a mask is small: the paper's Fig. 4A."""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from bmx.plot.style import FAINT, INK, REGION_COLOURS, title
from bmx.regions import get_region
from bmx.schema import validate

_EVERYBODY = "all"
_WIDTH = 0.8


def violins(results: xr.Dataset, *, small_sd: float | None = None) -> Figure:
    """Draw the volume of every non-empty mask, by region and, where `sex` is known, by sex. Computes.

    The dotted line lies `small_sd` SD below the mean of everybody, the paper's limit of what is small; masks below it
    are drawn in red and counted. Judged results have their own limit and reference, which are used.

    Parameters
    ----------
    results : as `bmx.run` gives it, perhaps judged by `bmx.qc.flag`, perhaps joined with phenotypes that have `sex`
    small_sd : how many SD; by default what the results were judged by, else 2.5 (paper 3.2)

    Raises
    ------
    SchemaError
        If `volume` is missing or wrong.
    """
    validate(results, "volume")
    regions = [str(name) for name in results.indexes["region"]]
    distance = float(results.attrs.get("qc_small_sd", 2.5)) if small_sd is None else small_sd
    sexes = results["sex"].to_numpy().astype(object) if "sex" in results else None
    figure = Figure(figsize=(1.0 + 2.2 * len(regions), 4.0), layout="constrained")
    panels = figure.subplots(1, len(regions), squeeze=False)[0]
    for axes, region in zip(panels, regions, strict=True):
        here = results.sel(region=region)
        volume = here["volume"].to_numpy().astype(np.float64)
        drawn = volume > 0
        groups = {_EVERYBODY: drawn}
        if sexes is not None:
            groups |= {name: drawn & (sexes == name) for name in ("Female", "Male")}
        lowest = _limit(here, volume[drawn], distance)
        colour = REGION_COLOURS.get(get_region(region).site, FAINT)
        for place, inside in enumerate(groups.values()):
            _draw(axes, place, volume[inside], lowest, colour)
        labels = [f"{name.lower()}\nn = {int(inside.sum())}" for name, inside in groups.items()]
        axes.set_xticks(range(len(groups)), labels, fontsize=8)
        axes.set_xlim(-0.6, len(groups) - 0.4)
        axes.set_ylim(0, None)
        small = int((volume[drawn] < lowest).sum())
        axes.axhline(lowest, color=INK, linestyle=":", linewidth=1)
        axes.set_title(f"{title(region)}\n{small} small", fontsize=10, color=INK)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("volume of the mask, mL")
    source = results.attrs.get("qc_reference", "cohort")
    note = f"Dotted: mean − {distance:g} SD ({source}). n: non-empty masks, the small ones included. Line: median."
    figure.supxlabel(note, fontsize=8, color=FAINT)
    return figure


def _limit(here: xr.Dataset, volume: npt.NDArray[np.float64], distance: float) -> float:
    """The volume below which a mask is small, mL."""
    if "qc_reference_volume_mean" in here:
        of_all = here.sel(qc_group=_EVERYBODY)
        mean, sd = (float(of_all[f"qc_reference_volume_{name}"]) for name in ("mean", "sd"))
    else:
        mean, sd = (float(volume.mean()), float(volume.std(ddof=1))) if len(volume) > 1 else (np.nan, np.nan)
    return mean - distance * sd


def _draw(axes: Axes, place: int, volume: npt.NDArray[np.float64], lowest: float, colour: str) -> None:
    """One violin with every mask as a point."""
    if not len(volume):
        return
    if len(volume) > 2 and float(np.ptp(volume)) > 0:
        bodies = axes.violinplot([volume], [place], widths=_WIDTH, showextrema=False, showmedians=True)
        bodies["cmedians"].set(color=INK, linewidth=1.2)
        for body in cast("list[PolyCollection]", bodies["bodies"]):
            body.set(facecolor=colour, alpha=0.35)
    # The same points wherever the figure is drawn again.
    across = place + np.random.default_rng(len(volume)).uniform(-0.12, 0.12, len(volume))
    small = volume < lowest
    for chosen, ink in ((~small, colour), (small, "#B2182B")):
        axes.scatter(across[chosen], volume[chosen], s=7, color=ink, alpha=0.8, linewidth=0)
