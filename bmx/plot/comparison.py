"""Real images beside simulated ones at the same height of the body: where does the simulation give itself away?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bmx.acquisition import CONTRASTS, ContrastName
from bmx.core.geometry import voxel_volume
from bmx.errors import SchemaError, SourceError, did_you_mean
from bmx.plot.pages import EDGE, GAP, WIDTH, Page
from bmx.plot.pieces import Piece, draw_piece, real_piece, simulated_piece
from bmx.plot.sheets import CHALK, DIM, draw_scale_bar
from bmx.plot.stations import Station, choose_eid, read_stations
from bmx.plot.style import title
from bmx.schema import validate

_HEAD, _HEADING, _FOOT, _STRIP, _TALLEST = 0.45, 0.3, 0.4, 0.3, 2.4
"""Above everything, above each row, below everything, left of everything, the most that a row may measure; inches."""

_MARGIN = 8.0
"""Black around a body, mm."""


def beside(
    slabs: xr.DataTree,
    truth: xr.DataTree,
    *,
    real: Mapping[str, Mapping[ContrastName, str | Path]],
    eid: int | str | None = None,
) -> Figure:
    """Real images beside those of one simulated participant at the same height. Reads this participant, nobody else.

    Both show equal millimetres; each image has the window from its own 1st to its own 99th percentile.

    Parameters
    ----------
    slabs : DataTree
        The contrasts that `real` names, `affine` and `native_slices`.
    truth : DataTree
        `labels` as in the `truth.zarr` of simulated participants: they tell at which height a bone lies.
    real : bone of the labels, say `L3` -> contrast -> file
        The middle slice of each NIfTI file or folder of DICOM files is shown beside the simulated slice through
        the middle of the bone. All contrasts of one bone have one grid.
    eid : int, optional
        Whom to show; otherwise the first.

    Returns
    -------
    Figure
        A row for each bone; 2400 pixels wide at its own resolution (`savefig(path)`).

    Raises
    ------
    SchemaError
        If a variable is missing or wrong.
    KeyError
        If `eid` is not among the participants.
    SourceError
        If an image can't be read, or the participant has none where a bone lies.
    ValueError
        If a contrast or a bone is unknown, or `real` is empty.
    """
    contrasts = _contrasts_of(real)
    validate(slabs, *contrasts, "affine", "native_slices")
    bones = _bones(truth)
    if unknown := [bone for bone in real if bone not in bones]:
        raise ValueError(f"the labels have no bone {unknown[0]!r}; {did_you_mean(unknown[0], bones)}")
    shown = choose_eid(slabs, eid, what="slabs")
    choose_eid(truth, shown, what="truth")
    stations = read_stations(slabs, shown, contrasts)
    places = _find(bones, truth, stations, shown, list(real))
    pairs = [
        (real_piece(files), simulated_piece(*places[bone], tuple(files))) for bone, files in real.items()
    ]  # fmt: skip

    columns = max(len(files) for files in real.values())
    width = (WIDTH - _STRIP - 2 * EDGE - (columns - 1) * EDGE - columns * GAP) / (2 * columns)
    boxes = [_common_size(pair) for pair in pairs]
    scales = [min(width / across, _TALLEST / down) for down, across in boxes]
    rows = [scale * down for scale, (down, _) in zip(scales, boxes, strict=True)]
    page = Page(_HEAD + sum(rows) + len(rows) * _HEADING + _FOOT)
    page.write(EDGE, 0.3, f"Real images beside simulated participant {shown}", fontsize=15, color=CHALK)
    top = _HEAD
    for bone, pair, box, scale, row in zip(real, pairs, boxes, scales, rows, strict=True):
        top += _HEADING
        page.write(
            EDGE + 0.1, top + row / 2, title(bone), fontsize=12, color=CHALK, ha="center", va="center", rotation=90
        )
        left = EDGE + _STRIP
        for contrast in real[bone]:
            for piece, kind in zip(pair, ("real", "simulated"), strict=True):
                heading = f"{title(contrast)}, {kind}"
                page.write(left + width / 2, top - 0.07, heading, fontsize=11, color=CHALK, ha="center")
                axes = page.panel(left + (width - box[1] * scale) / 2, top, box[1] * scale, row)
                draw_piece(axes, piece, contrast, box)
                if left == EDGE + _STRIP:
                    draw_scale_bar(axes, 50)
                left += width + GAP
            left += EDGE - GAP
        top += row
    page.write(
        EDGE, page.height - 0.12,
        "Equal millimetres in each row; each image from its own 1st to its own 99th percentile. "
        "The people differ: compare tissues, not sizes.",
        fontsize=9.5, color=DIM,
    )  # fmt: skip
    return page.figure


def _contrasts_of(real: Mapping[str, Mapping[ContrastName, str | Path]]) -> tuple[ContrastName, ...]:
    """All contrasts that are named for any bone, in their fixed order."""
    named = {contrast for files in real.values() for contrast in files}
    if not named or not all(real.values()):
        raise ValueError("expected at least one real image for each bone; name them as {bone: {contrast: file}}")
    if unknown := sorted(named - set(CONTRASTS)):
        raise ValueError(f"no contrast is called {unknown[0]!r}; {did_you_mean(unknown[0], CONTRASTS)}")
    return tuple(contrast for contrast in CONTRASTS if contrast in named)


def _bones(truth: xr.DataTree) -> dict[str, int]:
    """Number of each bone in the labels."""
    for child in truth.children.values():
        if "labels" in child.dataset:
            attrs = child.dataset["labels"].attrs
            return dict(zip(str(attrs["flag_meanings"]).split(), map(int, attrs["flag_values"]), strict=True))
    raise SchemaError("the truth holds no labels of bones; expected slab_N/labels as bmx.simulate writes them")


def _find(
    bones: Mapping[str, int], truth: xr.DataTree, stations: Sequence[Station], eid: int, wanted: Sequence[str]
) -> dict[str, tuple[Station, tuple[int, int, int]]]:
    """The slab that holds most of each bone, and the voxel (z, y, x) in the bone's middle."""
    most: dict[str, float] = {}
    found: dict[str, tuple[Station, tuple[int, int, int]]] = {}
    for station in stations:
        labels = truth[station.name].to_dataset()["labels"].sel(participant=eid).to_numpy()[: station.shape[0]]
        for bone in wanted:
            places = np.argwhere(labels == bones[bone])
            volume = len(places) * voxel_volume(station.affine)
            if volume > most.get(bone, 0):
                most[bone] = volume
                z, y, x = (int(place) for place in np.rint(places.mean(axis=0)))
                found[bone] = station, (z, y, x)
    if missing := [bone for bone in wanted if bone not in found]:
        raise SourceError(f"no slab of participant {eid} holds {missing[0]}; choose another bone or participant")
    return found


def _common_size(pair: tuple[Piece, Piece]) -> tuple[float, float]:
    """Height and width of a box that holds either piece, mm."""
    (down, across), (other_down, other_across) = (piece.size for piece in pair)
    return max(down, other_down) + 2 * _MARGIN, max(across, other_across) + 2 * _MARGIN
