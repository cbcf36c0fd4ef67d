"""`segment`: a lazy tree of masks from a lazy tree of slabs and one model per region."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr

from bmx.acquisition import SLABS, slab_number
from bmx.errors import ModelError
from bmx.models.base import Models, RegionModel
from bmx.models.library import load_models
from bmx.regions import REGIONS, get_region, regions_of_slab
from bmx.schema import validate
from bmx.types import Affine, IntVolume
from bmx.variables import SLAB_STATUS, VARIABLES

_VOXELS = ("z", "y", "x")


def segment(
    slabs: xr.DataTree,
    *,
    models: str | Path | Models,
    regions: Sequence[str] | None = None,
    allow_simulated: bool = False,
) -> xr.DataTree:
    """Draw the masks of the bone marrow regions; lazy, nothing is read or computed.

    Parameters
    ----------
    slabs : tree from `bmx.open_store`
    models : a directory of models, `"simulated"` for the weights that ship with bmx, or what
        `bmx.load_models` gave, or a mapping from region to any `bmx.models.base.RegionModel`
    regions : which to draw; by default all whose slab is in the tree
    allow_simulated : use models trained on simulated anatomy on images of people all the same

    Returns
    -------
    DataTree with the participants of `slabs`; each `slab_*` that holds a region has
    `mask (participant, region, z, y, x)` uint8, `confidence (participant, region)` float32, and
    `model (region)`, the digests of the models. A slab that a participant lacks gives an empty mask, and NaN.

    Raises
    ------
    ModelError
        If a region has no model, or a model trained on simulation meets a store that isn't simulated.
    """
    validate(slabs, "participant", "fat", "water", "affine", "native_slices", "slab_status")
    wanted = choose_regions(slabs, regions)
    found = load_models(models, regions=tuple(wanted))
    check_allowed(slabs, found, allow_simulated=allow_simulated)
    nodes = {"/": xr.Dataset(coords={"participant": slabs["participant"]})}
    for number, slab in SLABS.items():
        names = [region.name for region in regions_of_slab(number) if region.name in wanted]
        if names:
            dataset = slabs.children[slab.name].to_dataset(inherit=False)
            nodes[f"/{slab.name}"] = _segment_slab(dataset, [found[one] for one in names])
    nodes["/"].attrs = {
        "simulated": bool(slabs.attrs.get("simulated", False)),
        "models_simulated": any(model.simulated for model in found.values()),
    }
    return xr.DataTree.from_dict(nodes)


def choose_regions(slabs: xr.DataTree, asked: Sequence[str] | None) -> list[str]:
    """Names of the regions asked for, by default all whose slab is in the tree, in their fixed order.

    Raises
    ------
    ModelError
        If the slab of a region isn't in the tree.
    ValueError
        If a region is unknown.
    """
    numbers = sorted(slab_number(name) for name in slabs.children if name.startswith("slab_"))
    wanted = None if asked is None else {get_region(name).name for name in asked}
    if absent := [REGIONS[name] for name in wanted or () if REGIONS[name].slab not in numbers]:
        raise ModelError(
            f"{absent[0].name} cannot be drawn: it lies in slab {absent[0].slab}, and the store has "
            f"slabs {', '.join(map(str, numbers))}; convert that slab too, or leave the region out"
        )
    return [
        region.name
        for region in REGIONS.values()
        if region.slab in numbers and (wanted is None or region.name in wanted)
    ]


def check_allowed(slabs: xr.DataTree, models: Models, *, allow_simulated: bool) -> None:
    """Refuse models trained on simulation for images of people, unless it was asked for."""
    drawn = [name for name, model in models.items() if model.simulated]
    if drawn and not slabs.attrs.get("simulated", False) and not allow_simulated:
        raise ModelError(
            f"the models of {', '.join(drawn)} were trained on simulated anatomy, and this store holds images that "
            "were not simulated: their masks cannot be trusted. Train on your own masks with bmx.train, or say "
            "allow_simulated=True (the results will carry that fact)"
        )


def _segment_slab(slab: xr.Dataset, models: list[RegionModel]) -> xr.Dataset:
    names = [model.region for model in models]
    drawn = xr.apply_ufunc(
        _segment_block,
        slab["fat"],
        slab["water"],
        slab["affine"],
        slab["native_slices"],
        slab["slab_status"],
        input_core_dims=[_VOXELS, _VOXELS, ("world_axis", "voxel_axis"), (), ()],
        output_core_dims=[("region", *_VOXELS), ("region",)],
        kwargs={"models": models},
        dask="parallelized",
        output_dtypes=[np.uint8, np.float32],
        dask_gufunc_kwargs={"output_sizes": {"region": len(names)}},
    )
    digests = xr.DataArray(np.array([one.digest for one in models], dtype=object), dims="region")
    values = dict(zip(("mask", "confidence", "model"), (*drawn, digests), strict=True))
    return xr.Dataset(
        {name: value.assign_attrs(VARIABLES[name].attrs) for name, value in values.items()},
        coords={"region": ("region", np.array(names, dtype=object))},
    )


def _segment_block(
    fat: IntVolume,
    water: IntVolume,
    affine: Affine,
    native_slices: npt.NDArray[np.int16],
    status: npt.NDArray[np.uint8],
    *,
    models: list[RegionModel],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Draw a block of participants.

    Returns
    -------
    masks (participant, region, z, y, x) and confidence (participant, region)
    """
    masks = np.zeros((len(fat), len(models), *fat.shape[1:]), np.uint8)
    confidence = np.full(masks.shape[:2], np.nan, np.float32)
    usable = (SLAB_STATUS["complete"], SLAB_STATUS["incomplete"])
    for row, (slices, state) in enumerate(zip(native_slices, status, strict=True)):
        if state in usable and slices > 0:
            for column, model in enumerate(models):
                drawing = model.draw(fat[row, :slices], water[row, :slices], affine[row])
                masks[row, column, :slices] = drawing.mask
                confidence[row, column] = drawing.confidence
    return masks, confidence
