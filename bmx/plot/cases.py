"""One region of one participant, as its pictures need it: images and mask of the slab in which it was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr

from bmx.acquisition import CONTRASTS, SLABS
from bmx.core.fat_fraction import fat_fraction
from bmx.errors import SchemaError
from bmx.regions import get_region
from bmx.schema import validate
from bmx.store.reading import open_store
from bmx.store.results import masks_beside, open_masks, open_results
from bmx.types import Affine, Mask
from bmx.variables import SWAP

Place = str | Path


@dataclass(frozen=True, slots=True)
class Opened:
    """A store, the results of a run on it and the masks that it drew; all lazy."""

    slabs: xr.DataTree
    masks: xr.DataTree
    results: xr.Dataset


@dataclass(frozen=True, slots=True)
class Case:
    """One region of one participant; native slices only."""

    region: str
    slab: int
    images: Mapping[str, npt.NDArray[np.float32]]
    """By contrast, (z, y, x) in scanner units; fat and water exchanged back where the run found them exchanged."""
    mask: Mask
    affine: Affine

    @property
    def total(self) -> npt.NDArray[np.float32]:
        """Fat + water, (z, y, x)."""
        return self.images["fat"] + self.images["water"]

    @property
    def percent(self) -> npt.NDArray[np.float32]:
        """Fat fraction of each voxel that gives signal, (z, y, x) %; NaN elsewhere."""
        total = self.total
        # Air is a tenth as bright as tissue at most; a fat fraction there is noise.
        found = fat_fraction(self.images["fat"], self.images["water"])
        found[total < 0.1 * np.percentile(total, 99)] = np.nan
        return found


def open_places(store: Place | xr.DataTree, results: Place | xr.Dataset, masks: Place | xr.DataTree | None) -> Opened:
    """Open what isn't open; the masks of a run lie beside its results.

    Raises
    ------
    SchemaError
        If the results are open, and nobody says where the masks are; or if a variable is missing or wrong.
    """
    if masks is None:
        if isinstance(results, xr.Dataset):
            raise SchemaError("results that are open don't say where their masks are; give masks=, or the path of both")
        masks = masks_beside(results)
    slabs = store if isinstance(store, xr.DataTree) else open_store(store)
    drawn = masks if isinstance(masks, xr.DataTree) else open_masks(masks)
    measured = results if isinstance(results, xr.Dataset) else open_results(results)
    validate(slabs, "fat", "water", "affine", "native_slices")
    validate(drawn, "mask")
    return Opened(slabs, drawn, validate(measured, "bmff", "volume", "status", "reason", "measured_slab"))


def read_case(opened: Opened, eid: int, region: str) -> Case | None:
    """Read images and mask of one region of one participant, and nothing else; None if there is no image.

    Raises
    ------
    KeyError
        If the participant or the region isn't there.
    """
    measured = int(opened.results["measured_slab"].sel(participant=eid, region=region))
    number = measured or get_region(region).slab
    name = SLABS[number].name
    if name not in opened.slabs.children:
        return None
    slab = opened.slabs[name].to_dataset().sel(participant=eid)
    count = int(slab["native_slices"])
    if not count:
        return None
    seen = [contrast for contrast in CONTRASTS if contrast in slab]
    images: dict[str, npt.NDArray[np.float32]] = {
        contrast: slab[contrast][:count].to_numpy().astype(np.float32) for contrast in seen
    }
    drawn = opened.masks[name].to_dataset().sel(participant=eid)
    if "swap" in drawn:
        exchanged = drawn["swap"][:count].to_numpy() & SWAP["exchanged"] > 0
        fat, water = images["fat"], images["water"]
        images |= {"fat": np.where(exchanged, water, fat), "water": np.where(exchanged, fat, water)}
    mask = drawn["mask"].sel(region=region)[:count].to_numpy().astype(np.bool_)
    return Case(region, number, images, mask, slab["affine"].to_numpy())
