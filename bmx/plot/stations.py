"""One participant out of a store, for looking at: images and masks of each slab, with its place in the body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import xarray as xr

from bmx.acquisition import ContrastName
from bmx.core.geometry import to_world
from bmx.errors import SourceError
from bmx.types import Affine, IntVolume, Mask

_THIN = 2
"""Every second row and column shows where the body is."""

_BODY, _MARGIN = 0.1, 6.0

Box = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Station:
    """What was acquired of one slab."""

    name: str
    affine: Affine
    """Voxel index (x, y, z, 1) to RAS+ mm."""
    images: Mapping[ContrastName, IntVolume]
    """(z, y, x), without the store's margin."""
    masks: Mapping[str, Mask] = field(default_factory=dict)
    """(z, y, x) by region."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(z, y, x) voxels."""
        return next(iter(self.images.values())).shape

    def world(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
        """Positions of voxel indices (..., 3) in array order z, y, x; RAS+ mm."""
        return to_world(self.affine, indices)

    @property
    def heights(self) -> npt.NDArray[np.float64]:
        """World z of the middle of each slice, mm."""
        slices, rows, columns = self.shape
        middle = np.array([[z, (rows - 1) / 2, (columns - 1) / 2] for z in range(slices)])
        return np.asarray(to_world(self.affine, middle)[:, 2])

    @property
    def ends(self) -> tuple[float, float]:
        """World z of its lower and upper end, mm: the outer sides of its outer slices."""
        z, half = self.heights, abs(float(self.affine[2, 2])) / 2
        return float(z.min()) - half, float(z.max()) + half


def choose_eid(data: xr.DataTree, eid: int | str | None, *, what: str) -> int:
    """Give `eid` back if the tree has it, the first participant for None.

    Raises
    ------
    KeyError
        If nobody is called so.
    """
    eids = data["participant"].to_numpy()
    if eid is None and len(eids):
        return int(eids[0])
    if eid is None or int(eid) not in eids:
        raise KeyError(f"participant {eid} is not in the {what}; choose one of their {len(eids)} EIDs")
    return int(eid)


def read_stations(
    slabs: xr.DataTree, eid: int, contrasts: Sequence[ContrastName], *, masks: xr.DataTree | None = None
) -> list[Station]:
    """Read one participant: only these volumes, and only of the slabs that were acquired. From head to foot.

    Raises
    ------
    SourceError
        If there is none.
    """
    found = []
    for name in sorted(child for child in slabs.children if child.startswith("slab_")):
        slab = slabs[name].to_dataset()[[*contrasts, "affine", "native_slices"]].sel(participant=eid)
        acquired = slice(int(slab["native_slices"]))
        if not acquired.stop:
            continue
        slab = slab.isel(z=acquired).compute()
        drawn = {} if masks is None else _masks(masks, name, eid, acquired)
        images = {contrast: slab[contrast].to_numpy() for contrast in contrasts}
        found.append(Station(name, slab["affine"].to_numpy(), images, drawn))
    if not found:
        raise SourceError(f"participant {eid} has no slab with images, nothing can be drawn; slab_reason says why")
    return sorted(found, key=lambda station: -station.ends[1])


def shares(stations: Sequence[Station]) -> list[tuple[float, float]]:
    """World z from and to which each station is shown: neighbours meet in the middle of their overlap.

    Parameters
    ----------
    stations : from head to foot

    Returns
    -------
    (low, high) mm of each; between stations that don't overlap a gap stays.
    """
    low, high = (list(side) for side in zip(*(station.ends for station in stations), strict=True))
    for above in range(len(stations) - 1):
        if low[above] < high[above + 1]:
            low[above] = high[above + 1] = (low[above] + high[above + 1]) / 2
    return list(zip(low, high, strict=True))


def brightest(stations: Sequence[Station]) -> float:
    """Upper end of one window for all images: what 1 in 200 in-phase voxels exceeds; never 0."""
    thinned = [_in_phase(station, slice(None)).ravel() for station in stations]
    return float(np.percentile(np.concatenate(thinned), 99.5)) or 1.0


def body_box(stations: Sequence[Station], white: float, *, z: float | None = None) -> Box:
    """Where the body is: voxels of a tenth of the window's upper end and more, and a margin of 6 mm around them.

    Parameters
    ----------
    stations : images to look at
    white : upper end of the window
    z : only in the slices at this height, mm

    Returns
    -------
    (lowest, highest) coordinate on world x, y and z, mm; that of the slabs where nothing is bright.
    """
    found = []
    for station in stations:
        index = slice(None)
        if z is not None:
            nearest = int(np.argmin(np.abs(station.heights - z)))
            index = slice(nearest, nearest + 1)
        image = _in_phase(station, index)
        bright = np.argwhere(image > _BODY * white)
        bright = bright if len(bright) else np.argwhere(image >= 0)
        found.append(station.world(bright * [1, _THIN, _THIN] + [index.start or 0, 0, 0]))
    # A few bright voxels outside are ghosts and noise.
    low, high = np.percentile(np.concatenate(found), [0.2, 99.8], axis=0)
    return [(float(a) - _MARGIN, float(b) + _MARGIN) for a, b in zip(low, high, strict=True)]


def _in_phase(station: Station, slices: slice) -> IntVolume:
    return station.images["in_phase"][slices, ::_THIN, ::_THIN]


def _masks(masks: xr.DataTree, name: str, eid: int, acquired: slice) -> dict[str, Mask]:
    if name not in masks.children or "mask" not in masks[name].to_dataset():
        return {}
    mask = masks[name].to_dataset()["mask"].sel(participant=eid).isel(z=acquired).compute()
    return {str(region): mask.sel(region=region).to_numpy().astype(np.bool_) for region in mask["region"].to_numpy()}
