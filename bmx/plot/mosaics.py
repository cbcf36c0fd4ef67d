"""One participant at a glance: all contrasts from neck to knee with their masks, whole and in axial slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bmx.acquisition import CONTRASTS
from bmx.errors import SchemaError
from bmx.plot.pages import EDGE, GAP, WIDTH, Page
from bmx.plot.sheets import CHALK, DIM, Picture, Sheet, draw_scale_bar, draw_sheet, sample, write_sides
from bmx.plot.stations import Station, body_box, brightest, choose_eid, read_stations, shares
from bmx.plot.style import REGION_COLOURS, title
from bmx.schema import validate
from bmx.types import Mask

_HEAD, _HEADING, _FOOT, _STRIP = 0.66, 0.36, 0.3, 0.42
"""Above everything, above the axial slices, below everything, and left of the axial slices; inches."""

_FULL = 0.8
"""A slice counts as full of a region if it holds this share of the fullest slice's voxels."""

_CUT_MM = 4.0
"""Steps in which the best coronal and sagittal cut are looked for."""


@dataclass(frozen=True, slots=True)
class Level:
    """Where an axial slice is shown."""

    heading: str
    slab: str
    """Where it is looked for; a region that was drawn in another slab is shown there."""
    region: str | None = None
    """In the middle of its mask; where that is empty, or without a region ..."""
    height: float = 0.5
    """... at this share of the slab, counted from its lower end."""


LEVELS = (
    Level("Chest", "slab_1", height=0.3),
    Level("Mid spine", "slab_2", "spine"),
    Level("Femoral head", "slab_4", "femoral_head"),
    Level("Total hip", "slab_4", "total_hip"),
    Level("Femoral diaphysis", "slab_5", "femoral_diaphysis"),
    Level("Knee", "slab_6", height=0.4),
)


@dataclass(frozen=True, slots=True)
class _Slice:
    """One level in one participant."""

    level: Level
    sheet: Sheet
    station: Station | None
    """None if the slab is absent."""


def mosaic(slabs: xr.DataTree, masks: xr.DataTree, eid: int | str | None = None) -> Figure:
    """All four contrasts of one participant with the outlines of the masks. Reads this participant, nobody else.

    Above, for each contrast, a coronal and a sagittal cut through all slabs, which are placed by their affines and
    meet in the middle of their overlaps; what no slab covers is black. Below, axial slices through the regions,
    the chest and the knees. Millimetres are equal in both directions, one window serves all images.

    Parameters
    ----------
    slabs : DataTree
        `in_phase`, `opposed_phase`, `fat`, `water`, `affine` and `native_slices` of any slabs.
    masks : DataTree
        `mask` as a run writes it, or the `truth.zarr` of simulated participants.
    eid : int, optional
        Whom to show; otherwise the first.

    Returns
    -------
    Figure
        2400 pixels wide at its own resolution (`savefig(path)`).

    Raises
    ------
    SchemaError
        If a variable is missing or wrong.
    KeyError
        If `eid` is not among the participants.
    SourceError
        If the participant has no images.
    """
    validate(slabs, "affine", "native_slices")
    if lacking := [
        name
        for name in CONTRASTS
        if any(name not in slabs[slab] for slab in slabs.children if slab.startswith("slab_"))
    ]:
        raise SchemaError(
            f"the store has no {', '.join(lacking)}; a mosaic shows all four contrasts: "
            "bmx convert --contrasts fat,water,in_phase,opposed_phase keeps them"
        )
    validate(slabs, *CONTRASTS)
    validate(masks, "mask")
    shown = choose_eid(slabs, eid, what="slabs")
    choose_eid(masks, shown, what="masks")
    stations = read_stations(slabs, shown, tuple(CONTRASTS), masks=masks)
    white = brightest(stations)
    whole = _whole_sheets(stations, white)
    slices = [_slice(level, stations, white) for level in LEVELS]

    scale = (WIDTH - 5 * EDGE - 4 * GAP) / (len(CONTRASTS) * sum(sheet.size[0] for sheet in whole))
    row_scale = (WIDTH - 2 * EDGE - _STRIP - (len(slices) - 1) * GAP) / sum(one.sheet.size[0] for one in slices)
    row = row_scale * max(one.sheet.size[1] for one in slices)
    below = _HEAD + whole[0].size[1] * scale + _HEADING
    page = Page(below + len(CONTRASTS) * (row + GAP) + _FOOT)
    kind = "Simulated participant" if slabs.attrs.get("simulated") else "Participant"
    page.write(EDGE, 0.3, f"{kind} {shown}", fontsize=15, color=CHALK)
    _draw_whole(page, whole, stations, slices, scale=scale, white=white)
    _draw_slices(page, slices, top=below, row=row, scale=row_scale, white=white)
    page.write(
        EDGE, page.height - 0.12,
        "Outlines: masks, in the colours of the headings. Ticks: heights of the axial slices. "
        f"All images have one window, 0 to {white:.0f} (arbitrary units).",
        fontsize=9.5, color=DIM,
    )  # fmt: skip
    return page.figure


def _whole_sheets(stations: Sequence[Station], white: float) -> tuple[Sheet, Sheet]:
    """A coronal sheet through most of all masks, a sagittal one through most of the spine's; else the middle."""
    x, y, _ = body_box(stations, white)
    z = min(one.ends[0] for one in stations), max(one.ends[1] for one in stations)
    drawn = [(region, mask, one) for one in stations for region, mask in one.masks.items()]
    spine = [part for part in drawn if part[0] == "spine"]
    return (
        Sheet(1, _fullest(drawn, 1, sum(y) / 2), across=x, up=z),
        Sheet(0, _fullest(spine, 0, sum(x) / 2), across=y, up=z),
    )


def _fullest(drawn: Sequence[tuple[str, Mask, Station]], world_axis: int, otherwise: float) -> float:
    """World coordinate at which a cut shows much of many masks, mm; each mask counts the same, however large."""
    edges = np.arange(-400.0, 401.0, _CUT_MM)
    score = np.zeros(len(edges) - 1)
    for _, mask, station in drawn:
        counts, _ = np.histogram(station.world(np.argwhere(mask))[:, world_axis], edges)
        score += np.sqrt(counts / max(counts.max(), 1))  # a little of two masks is more than all of one
    return float(edges[np.argmax(score)] + _CUT_MM / 2) if score.any() else otherwise


def _slice(level: Level, stations: Sequence[Station], white: float) -> _Slice:
    """Where a level lies in this participant; somewhere in the middle if its slab is absent."""
    station = _station_of(level, stations)
    if station is None:
        return _Slice(level, Sheet(2, 0.0, across=(-150, 150), up=(-100, 100)), None)
    mask = station.masks.get(level.region or "")
    low, high = station.ends
    if mask is not None and mask.any():
        counts = mask.sum(axis=(1, 2))
        full = np.flatnonzero(counts >= _FULL * counts.max())
        middle = np.average(np.arange(len(counts)), weights=counts)
        z = station.heights[full[np.argmin(np.abs(full - middle))]]
    else:
        z = station.heights[np.argmin(np.abs(station.heights - low - level.height * (high - low)))]
    x, y, _ = body_box([station], white, z=float(z))
    return _Slice(level, Sheet(2, float(z), across=x, up=y), station)


def _station_of(level: Level, stations: Sequence[Station]) -> Station | None:
    """The slab with most of the region: what left its own slab is drawn in the one beside it. Else the level's own."""
    region = level.region or ""
    voxels = {one.name: int(one.masks[region].sum()) for one in stations if region in one.masks}
    name = max(voxels, key=lambda slab: (voxels[slab], slab == level.slab)) if any(voxels.values()) else level.slab
    return next((one for one in stations if one.name == name), None)


def _draw_whole(
    page: Page, whole: Sequence[Sheet], stations: Sequence[Station], slices: Sequence[_Slice], *, scale: float,
    white: float,
) -> None:  # fmt: skip
    """Coronal and sagittal cut of each contrast, side by side."""
    outlines = [_outlines(sheet, stations) for sheet in whole]
    left = EDGE
    for place, contrast in enumerate(CONTRASTS):
        page.write(left, _HEAD - 0.08, title(contrast), fontsize=12, color=CHALK)
        for sheet, masks in zip(whole, outlines, strict=True):
            width, height = (length * scale for length in sheet.size)
            axes = page.panel(left, _HEAD, width, height)
            picture = np.zeros(sheet.shape, np.float32)
            for station, (low, high) in zip(stations, shares(stations), strict=True):
                rows = sheet.rows(low, high)
                picture[rows] = sample(station.images[contrast], station.affine, sheet.points()[rows])
            draw_sheet(axes, sheet, picture, window=(0, white), masks=masks)
            if place == 0:
                write_sides(axes, sheet)
            if left == EDGE:
                draw_scale_bar(axes, 100)
                _mark_heights(axes, slices)
            left += width + GAP
        left += EDGE - GAP


def _draw_slices(page: Page, slices: Sequence[_Slice], *, top: float, row: float, scale: float, white: float) -> None:
    """A column of axial slices for each level, a row for each contrast."""
    for place, contrast in enumerate(CONTRASTS):
        middle = top + place * (row + GAP) + row / 2
        name = title(contrast).replace(" ", "\n")
        page.write(EDGE + _STRIP / 2, middle, name, fontsize=11, color=CHALK, ha="center", va="center", rotation=90)
    left = EDGE + _STRIP
    for column, one in enumerate(slices):
        width, height = (length * scale for length in one.sheet.size)
        colour = REGION_COLOURS.get(one.level.region or "", CHALK)
        page.write(left + width / 2, top - 0.07, one.level.heading, fontsize=11, color=colour, ha="center")
        for place, contrast in enumerate(CONTRASTS):
            axes = page.panel(left, top + place * (row + GAP) + (row - height) / 2, width, height)
            if one.station is None:
                absent = f"{title(one.level.slab)} is absent"
                axes.text(0.5, 0.5, absent, fontsize=10, color=DIM, ha="center", va="center")
                continue
            picture = sample(one.station.images[contrast], one.station.affine, one.sheet.points())
            draw_sheet(axes, one.sheet, picture, window=(0, white), masks=_outlines(one.sheet, [one.station]))
            if place == 0:
                write_sides(axes, one.sheet)
            if place == column == 0:
                draw_scale_bar(axes, 100)
        left += width + GAP


def _outlines(sheet: Sheet, stations: Sequence[Station]) -> dict[str, Picture]:
    """Share of each region in the sheet, sampled like the images."""
    return {
        region: sample(mask, station.affine, sheet.points())
        for station in stations
        for region, mask in station.masks.items()
    }


def _mark_heights(axes: Axes, slices: Sequence[_Slice]) -> None:
    """A tick at both edges for each axial slice."""
    for one in slices:
        if one.station is not None:
            colour = REGION_COLOURS.get(one.level.region or "", CHALK)
            for edge in ((0, 0.05), (0.95, 1)):
                axes.axhline(one.sheet.at, *edge, color=colour, linewidth=1.2)
