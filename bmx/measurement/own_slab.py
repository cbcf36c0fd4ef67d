"""What quality control must know of the slab of every region, so that it needs the results alone."""

from __future__ import annotations

from collections.abc import Hashable
from functools import reduce
from operator import or_
from typing import Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from bmx.acquisition import SLABS
from bmx.regions import get_region
from bmx.variables import RESULT_FLAGS, SLAB_FLAGS, flag_bits

_IRREGULAR: Final = flag_bits(
    ["repeated_series", "unexpected_shape", "unexpected_spacing", "missing_slices", "label_conflict",
     "unexpected_position", "wrong_origin", "archive_unreadable"],
    SLAB_FLAGS,
)  # fmt: skip
"""Slab flags that are the paper's "data structure". A missing or wrong manifest harms nobody."""

_TOLD: Final = ("slab_bottom", "slab_top", "slab_residual")


def add_own_slab(results: xr.Dataset, slabs: xr.DataTree) -> xr.Dataset:
    """Say of each region where its own slab ends, whether its images fit each other, and whether it is irregular. Lazy.

    A slab that was acquired twice makes those below it irregular, too: the numbers of all series after it tell another
    slab.

    Parameters
    ----------
    results : Dataset
        `flags`, (participant, region), of the participants of the slabs in the same order
    slabs : DataTree
        `affine`, `native_slices`, `slab_flags`, perhaps `physics_residual`

    Returns
    -------
    Dataset
        With `slab_bottom`, `slab_top` and `slab_residual`, (participant, region) float32, NaN where there is no slab;
        `flags` has `irregular_source`.
    """
    nodes = {number: slabs[slab.name].to_dataset() for number, slab in SLABS.items() if slab.name in slabs.children}
    bits = {number: node["slab_flags"].reset_coords(drop=True) for number, node in nodes.items()}
    facts, odd = [], []
    for name in results.indexes["region"]:
        own = get_region(str(name)).slab
        facts.append(_facts(nodes[own]) if own in nodes else _nothing(results))
        before = [(one & SLAB_FLAGS["repeated_series"]) > 0 for number, one in bits.items() if number < own]
        here = [(bits[own] & _IRREGULAR) > 0] if own in bits else []
        odd.append(reduce(or_, [*before, *here], xr.DataArray(data=False)))
    told, irregular = (_beside(results, each) for each in (facts, odd))
    flags = results["flags"] | irregular.astype(np.uint16) * np.uint16(RESULT_FLAGS["irregular_source"])
    found: dict[Hashable, xr.DataArray] = {name: told.isel(fact=k) for k, name in enumerate(_TOLD)}
    return results.assign({"flags": flags, **found})


def _beside(results: xr.Dataset, columns: list[xr.DataArray]) -> xr.DataArray:
    """One column for each region."""
    return xr.concat(columns, dim="region").assign_coords(region=results.indexes["region"])


def _facts(slab: xr.Dataset) -> xr.DataArray:
    """Of one slab (participant, fact): world z of its ends, mm, and the larger physics residual."""
    unknown = xr.full_like(slab["native_slices"], np.nan, np.float32).expand_dims(relation=2, axis=-1)
    found: xr.DataArray = xr.apply_ufunc(
        _ends_and_residual, slab["affine"], slab["native_slices"], slab.get("physics_residual", unknown),
        kwargs={"rows": slab.sizes["y"], "columns": slab.sizes["x"]},
        input_core_dims=[("world_axis", "voxel_axis"), (), ("relation",)], output_core_dims=[("fact",)],
        dask="parallelized", output_dtypes=[np.float32], dask_gufunc_kwargs={"output_sizes": {"fact": len(_TOLD)}},
    ).reset_coords(drop=True)  # fmt: skip
    return found


def _nothing(results: xr.Dataset) -> xr.DataArray:
    people = results["flags"].isel(region=0, drop=True).reset_coords(drop=True)
    return xr.full_like(people, np.nan, np.float32).expand_dims(fact=len(_TOLD), axis=-1)


def _ends_and_residual(
    affine: npt.NDArray[np.float64],
    slices: npt.NDArray[np.int16],
    residual: npt.NDArray[np.float32],
    *,
    rows: int,
    columns: int,
) -> npt.NDArray[np.float32]:
    """World z in the middle of a slice: for oblique slabs the middle of its upper and lower face."""
    z = affine[..., 2, :]
    first = z[..., 3] + z[..., 0] * (columns - 1) / 2 + z[..., 1] * (rows - 1) / 2
    faces = np.stack([first - z[..., 2] / 2, first + z[..., 2] * (slices - 0.5)], axis=-1)
    # `fmax` leaves out what isn't known.
    larger = np.fmax.reduce(residual, axis=-1)
    return np.stack([faces.min(-1), faces.max(-1), larger], axis=-1).astype(np.float32)
