"""Fat and water where they belong."""

from __future__ import annotations

import xarray as xr

from bmx.variables import SWAP


def exchange_back(slab: xr.Dataset, drawn: xr.Dataset) -> xr.Dataset:
    """Exchange fat and water of a slab where its masks say that they are exchanged. Lazy.

    Parameters
    ----------
    slab : `fat` and `water` (participant, z, y, x)
    drawn : perhaps with `swap (participant, z, y, x)`, bits of `bmx.variables.SWAP`
    """
    if "swap" not in drawn:
        return slab
    exchanged = (drawn["swap"] & SWAP["exchanged"]) > 0
    fat, water = slab["fat"], slab["water"]
    return slab.assign(fat=fat.where(~exchanged, water), water=water.where(~exchanged, fat))
