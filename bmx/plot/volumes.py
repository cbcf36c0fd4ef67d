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
from bmx.variables import QC_FLAGS

_EVERYBODY = "all"
_SEXES = ("Female", "Male")
_WIDTH = 0.8


def violins(results: xr.Dataset, *, small_sd: float | None = None) -> Figure:
    """Draw the volume of every non-empty mask, by region and, where `sex` is known, by sex. Computes.

    The dotted line lies `small_sd` SD below the mean of everybody, the paper's limit of what is small; masks below it
    are drawn in red and counted. Judged results have their own limit and reference, which are used: where they were
    judged by sex, each violin has the line of its group, and a mask is red if it is small for its person's sex.

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
    by_sex = sexes is not None and results.attrs.get("qc_by") == "sex"
    figure = Figure(figsize=(1.0 + 2.2 * len(regions), 4.0), layout="constrained")
    panels = figure.subplots(1, len(regions), squeeze=False)[0]
    for axes, region in zip(panels, regions, strict=True):
        here = results.sel(region=region)
        volume = here["volume"].to_numpy().astype(np.float64)
        drawn = volume > 0
        groups = {_EVERYBODY: drawn}
        if sexes is not None:
            groups |= {name: drawn & (sexes == name) for name in _SEXES}
        lines = {name: _limit(here, volume[drawn], distance, name if by_sex else _EVERYBODY) for name in groups}
        # Whoever has no sex is judged among all.
        own = np.full(len(volume), lines[_EVERYBODY])
        for name, inside in groups.items():
            own[inside] = lines[name]
        small = drawn & (volume < own)
        if small_sd is None and "qc_flags" in here:
            small = drawn & ((here["qc_flags"].to_numpy() & QC_FLAGS["small_volume"]) > 0)
        colour = REGION_COLOURS.get(get_region(region).site, FAINT)
        for place, (name, inside) in enumerate(groups.items()):
            _draw(axes, place, volume[inside], small[inside], colour)
            if by_sex:
                ends = [place - _WIDTH / 2, place + _WIDTH / 2]
                axes.plot(ends, [lines[name]] * 2, color=INK, linestyle=":", linewidth=1)
        labels = [f"{name.lower()}\nn = {int(inside.sum())}" for name, inside in groups.items()]
        axes.set_xticks(range(len(groups)), labels, fontsize=8)
        axes.set_xlim(-0.6, len(groups) - 0.4)
        axes.set_ylim(0, None)
        if not by_sex:
            axes.axhline(lines[_EVERYBODY], color=INK, linestyle=":", linewidth=1)
        axes.set_title(f"{title(region)}\n{int(small.sum())} small", fontsize=10, color=INK)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("volume of the mask, mL")
    source = results.attrs.get("qc_reference", "cohort")
    note = f"Dotted: mean − {distance:g} SD ({source}). n: non-empty masks, the small ones included. Line: median."
    if by_sex:
        note += "\nEach violin has the limit of its group (all, female, male); red: small for the person's own sex."
    figure.supxlabel(note, fontsize=8, color=FAINT)
    return figure


def _limit(here: xr.Dataset, volume: npt.NDArray[np.float64], distance: float, group: str) -> float:
    """The volume below which a mask is small in a group, mL."""
    if "qc_reference_volume_mean" in here:
        of_group = here.sel(qc_group=group)
        mean, sd = (float(of_group[f"qc_reference_volume_{name}"]) for name in ("mean", "sd"))
    else:
        mean, sd = (float(volume.mean()), float(volume.std(ddof=1))) if len(volume) > 1 else (np.nan, np.nan)
    return mean - distance * sd


def _draw(axes: Axes, place: int, volume: npt.NDArray[np.float64], small: npt.NDArray[np.bool_], colour: str) -> None:
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
    for chosen, ink in ((~small, colour), (small, "#B2182B")):
        axes.scatter(across[chosen], volume[chosen], s=7, color=ink, alpha=0.8, linewidth=0)
