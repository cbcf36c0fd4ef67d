"""What the store says of each region's slab: whether its images are sound, and from where to where it reaches."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bmx.acquisition import SLABS
from bmx.errors import SchemaError
from bmx.quality.limits import base_region
from bmx.regions import REGIONS
from bmx.schema import validate
from bmx.variables import RESULT_FLAGS, SLAB_FLAGS, SLAB_STATUS, flag_bits

IRREGULAR = flag_bits(
    ["repeated_series", "unexpected_shape", "unexpected_spacing", "missing_slices", "label_conflict",
     "unexpected_position", "wrong_origin", "archive_unreadable"],
    SLAB_FLAGS,
)  # fmt: skip
"""Slab flags that are the paper's "data structure". A missing or wrong manifest harms nobody."""

_NOTICED = flag_bits(["repeated_series", "slab_absent", "slab_unreadable", "slab_incomplete"], RESULT_FLAGS)
"""The same, as far as results know it."""

_HURT = [SLAB_STATUS[name] for name in ("absent", "incomplete", "unreadable")]


def slab_of(region: str) -> int:
    """The slab that holds a region in a clean exam; a right-side region lies beside the left one."""
    return REGIONS[region if region in REGIONS else base_region(region)].slab


def gather(results: xr.Dataset, slabs: xr.DataTree | None) -> xr.Dataset:
    """What is known of the slab of every region. Lazy; images are not touched.

    Parameters
    ----------
    results : Dataset
        `flags`.
    slabs : DataTree, optional
        As `open_store` gives it, with the participants of the results.

    Returns
    -------
    Dataset, (participant, region)
        `irregular`, bool: series or headers weren't as in a clean exam, or the slab is damaged or absent; of all
        regions if any slab was acquired twice, because the numbers of all series after it tell another slab;
        `residual`, float32, the larger physics residual; `bottom` and `top`, float64, world z of the slab's
        outer ends, mm. The last three are NaN without `slabs`.
    """
    flags = results["flags"].reset_coords(drop=True)
    twice = ((flags & RESULT_FLAGS["repeated_series"]) > 0).any("region")
    noticed = ((flags & _NOTICED) > 0) | twice
    if slabs is None:
        unknown = xr.full_like(noticed, np.nan, dtype=np.float64)
        return xr.Dataset({"irregular": noticed, "residual": unknown, "bottom": unknown, "top": unknown})
    validate(slabs, "participant", "affine", "native_slices", "slab_status", "slab_flags", "physics_residual")
    eids = results.indexes["participant"]
    if missing := eids.difference(slabs.to_dataset().indexes["participant"]).tolist():
        raise SchemaError(
            f"{len(missing)} participants of the results are not in the store, the first is {missing[0]}; "
            "expected the store that the results were made of"
        )
    told = {
        number: _of_slab(slabs, number, eids) for number in {slab_of(str(name)) for name in results.indexes["region"]}
    }
    beside = xr.concat([told[slab_of(str(name))] for name in results.indexes["region"]], dim="region")
    beside = beside.assign_coords(region=results.indexes["region"]).transpose("participant", "region")
    return beside.assign(irregular=beside["irregular"] | noticed | _any_repeated(slabs, eids))


def _any_repeated(slabs: xr.DataTree, eids: object) -> xr.DataArray:
    """Whether any slab was acquired twice, (participant)."""
    known = [slabs[slab.name]["slab_flags"] for slab in SLABS.values() if slab.name in slabs.children]
    flags = xr.concat([one.reset_coords(drop=True) for one in known], "slab", coords="minimal", compat="override")
    return ((flags.sel(participant=eids) & SLAB_FLAGS["repeated_series"]) > 0).any("slab").reset_coords(drop=True)


def _of_slab(slabs: xr.DataTree, number: int, eids: object) -> xr.Dataset:
    name = SLABS[number].name
    if name not in slabs.children:
        raise SchemaError(
            f"the store has no {name}, but the results have a region of it; give the store of the results"
        )
    slab = slabs[name].to_dataset().sel(participant=eids)
    affine, slices = slab["affine"], slab["native_slices"]
    # World z in the middle of a slice: for oblique slabs the middle of its upper and lower face.
    z = affine.isel(world_axis=2)
    middle = sum(
        (
            z.isel(voxel_axis=axis) * (slab.sizes[dim] - 1) / 2
            for axis, dim in enumerate(("x", "y"))
            if dim in slab.sizes
        ),
        start=z.isel(voxel_axis=3),
    )
    step = z.isel(voxel_axis=2)
    faces = xr.concat([middle - step / 2, middle + step * (slices - 0.5)], dim="face")
    hurt = slab["slab_status"].isin(_HURT) | ((slab["slab_flags"] & IRREGULAR) > 0)
    return xr.Dataset(
        {
            "irregular": hurt,
            "residual": slab["physics_residual"].max("relation", skipna=True),
            "bottom": faces.min("face"),
            "top": faces.max("face"),
        }
    ).reset_coords(drop=True)
