"""A region is measured in one slab: its own, or for some participants one beside it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from bmx.regions import ALL_REGIONS
from bmx.variables import RESULT_FLAGS


def choose_slab(measured: Mapping[int, xr.Dataset]) -> xr.Dataset:
    """Join what was measured in each slab, with each region once. Lazy.

    Parameters
    ----------
    measured : slab number -> participant x region, with `voxels` and `flags`

    Returns
    -------
    participant x region, in the order of `bmx.regions`. Each participant's values are those of the slab in which
    their mask has voxels. If it is another than the region's own, `flags` says so; if there is none, the region's own
    slab, or the lowest where that isn't among them, tells why.
    """
    chosen = []
    for name, region in ALL_REGIONS.items():
        able = [number for number, one in sorted(measured.items()) if name in one.indexes["region"]]
        if not able:
            continue
        found = {number: measured[number].sel(region=[name]) for number in sorted(able, key=region.slab.__ne__)}
        # Without coordinates: xarray would compute them to see whether they agree, on the cluster, within a task.
        plain = {number: one.reset_coords(drop=True) for number, one in found.items()}
        best, *others = (one if number == region.slab else _from_beside(one) for number, one in plain.items())
        for other in others:
            best = other.where((other["voxels"] > 0) & (best["voxels"] == 0), best)
        chosen.append(best.assign_coords(next(iter(found.values())).coords))
    return xr.concat(chosen, dim="region", data_vars="minimal", coords="minimal", compat="override", join="exact")


def _from_beside(measured: xr.Dataset) -> xr.Dataset:
    """The same, and where there is a mask, that it lies in another slab than its own."""
    bit = np.uint16(RESULT_FLAGS["adjacent_slab_used"])
    return measured.assign(flags=measured["flags"] | (measured["voxels"] > 0).astype(np.uint16) * bit)
