"""`segment`: a lazy tree of masks from a lazy tree of slabs and one model per region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from bmx.acquisition import SLABS
from bmx.models.base import Models, RegionModel, Side
from bmx.models.library import load_models
from bmx.regions import Region, get_region
from bmx.schema import validate
from bmx.segmentation.block import INPUTS, draw_block, find_swaps_in_block
from bmx.segmentation.choice import Sides, check_allowed, choose_regions, regions_by_slab, slabs_of
from bmx.variables import VARIABLES

_VOXELS = ("z", "y", "x")


def segment(
    slabs: xr.DataTree,
    *,
    models: str | Path | Models,
    regions: str | Sequence[str] | None = None,
    side: Sides = "left",
    neighbours: bool = True,
    swaps: bool = True,
    allow_simulated: bool = False,
) -> xr.DataTree:
    """Draw the masks of the bone marrow regions; lazy, nothing is read or computed.

    Parameters
    ----------
    slabs : tree from `bmx.open_store`
    models : a directory of models, `"simulated"` for the weights that ship with bmx, or what
        `bmx.load_models` gave, or a mapping from region to any `bmx.models.base.RegionModel`
    regions : which to draw; by default all whose slab is in the tree
    side : "left" as in the paper (2.6), "right" or "both": of the femora. Those of the right are called
        `femoral_head_right` and so on; what has learned left femora draws them in the mirrored image
    neighbours : look for a femoral region in the slabs beside its own where it seems to leave that, or isn't found
        there. The paper (2.6) doesn't
    swaps : find where the reconstruction exchanged fat and water, in all slabs of the tree together. What is drawn on
        F + W doesn't depend on it, what is measured does. The paper doesn't
    allow_simulated : use models trained on simulated anatomy on images of people all the same

    Returns
    -------
    DataTree with the participants of `slabs`; each `slab_*` that can hold a region has
    `mask (participant, region, z, y, x)` uint8, `confidence (participant, region)` float32, and
    `model (region)`, the digests of the models. A region is drawn for each participant in one slab, and its masks in
    the slabs beside it are empty, with a confidence of NaN. A slab that a participant lacks gives the same.
    With `swaps`, also `swap (participant, z, y, x)` uint8: bit 1 where fat and water are exchanged, bit 2 where
    that is in doubt.

    Raises
    ------
    ModelError
        If a region has no model, or a model trained on simulation meets a store that isn't simulated.
    """
    validate(slabs, "participant", "fat", "water", "affine", "native_slices", "slab_status")
    wanted = choose_regions(slabs, regions, side)
    found = models_of(wanted, models)
    check_allowed(slabs, found, allow_simulated=allow_simulated)
    nodes = {"/": xr.Dataset(coords={"participant": slabs["participant"]})}
    drawn: dict[int, list[xr.Dataset]] = {}
    for number in sorted({get_region(name).slab for name in wanted}):
        mine = {name: model for name, model in found.items() if get_region(name).slab == number}
        for where, dataset in _segment_slab(slabs, number, mine, neighbours=neighbours).items():
            drawn.setdefault(where, []).append(dataset)
    for where, names in regions_by_slab(slabs, wanted, neighbours=neighbours).items():
        joined = xr.concat(drawn[where], dim="region").sel(region=names).chunk(region=-1)
        nodes[f"/{SLABS[where].name}"] = joined.assign_coords(region=joined["region"].astype(object))
    if swaps:
        for where, found_there in _find_swaps(slabs).items():
            if (name := f"/{SLABS[where].name}") in nodes:
                nodes[name] = nodes[name].assign(found_there.data_vars)
    nodes["/"].attrs = {
        "simulated": bool(slabs.attrs.get("simulated", False)),
        "models_simulated": any(model.simulated for model in found.values()),
    }
    return xr.DataTree.from_dict(nodes)


def _segment_slab(
    slabs: xr.DataTree, own: int, models: Mapping[str, RegionModel], *, neighbours: bool
) -> dict[int, xr.Dataset]:
    """Masks of the regions of one slab, by the slab in which they lie."""
    regions = [get_region(name) for name in models]
    able = [number for number in slabs_of(regions[0], neighbours=neighbours) if SLABS[number].name in slabs]
    inputs = _inputs(slabs, able)
    eids = xr.DataArray(slabs["participant"].to_numpy(), dims="participant")
    inputs.insert(0, eids.chunk(participant=chunks) if (chunks := inputs[0].chunksizes.get("participant")) else eids)
    drawn = xr.apply_ufunc(
        draw_block,
        *inputs,
        input_core_dims=[[dim for dim in one.dims if dim != "participant"] for one in inputs],
        output_core_dims=[
            ("slab", "region"),
            *(("region", *(f"{dim}_{number}" for dim in _VOXELS)) for number in able),
        ],
        kwargs={
            "models": list(models.values()),
            "sides": [_side(region) for region in regions],
            "numbers": able,
            "own": own,
        },
        dask="parallelized",
        output_dtypes=[np.float32, *[np.uint8] * len(able)],
        dask_gufunc_kwargs={"output_sizes": {"region": len(regions), "slab": len(able)}},
    )
    digests = xr.DataArray(np.array([one.digest for one in models.values()], dtype=object), dims="region")
    nodes = {}
    for place, number in enumerate(able):
        mask = drawn[1 + place].rename(dict(zip(_axes(number), _VOXELS, strict=True)))
        values = {"mask": mask, "confidence": drawn[0].isel(slab=place), "model": digests}
        nodes[number] = xr.Dataset(
            {name: value.assign_attrs(VARIABLES[name].attrs) for name, value in values.items()},
            coords={"region": ("region", np.array(list(models), dtype=object))},
        )
    return nodes


def models_of(regions: Sequence[str], models: str | Path | Models) -> dict[str, RegionModel]:
    """The model of each region; that of a left one draws the right one, too."""
    drawing = {name: get_region(name).site for name in regions}
    found = load_models(models, regions=tuple(dict.fromkeys(drawing.values())))
    return {name: found[model] for name, model in drawing.items()}


def _side(region: Region) -> Side:
    """What a model is asked for; what has no side is drawn alike for both."""
    return "right" if region.side == "right" else "left"


def _find_swaps(slabs: xr.DataTree) -> dict[int, xr.Dataset]:
    """Where fat and water are exchanged, by slab."""
    able = [number for number, slab in SLABS.items() if slab.name in slabs.children]
    inputs = _inputs(slabs, able)
    found = xr.apply_ufunc(
        find_swaps_in_block,
        *inputs,
        input_core_dims=[[dim for dim in one.dims if dim != "participant"] for one in inputs],
        output_core_dims=[_axes(number) for number in able],
        kwargs={"numbers": able},
        dask="parallelized",
        output_dtypes=[np.uint8] * len(able),
    )
    nodes = {}
    for place, number in enumerate(able):
        # Of a single slab apply_ufunc gives the array itself.
        swap = (found if len(able) == 1 else found[place]).rename(dict(zip(_axes(number), _VOXELS, strict=True)))
        nodes[number] = xr.Dataset({"swap": swap.assign_attrs(VARIABLES["swap"].attrs)})
    return nodes


def _inputs(slabs: xr.DataTree, numbers: Sequence[int]) -> list[xr.DataArray]:
    """What is wanted of each slab, with axes that tell the slabs apart."""
    inputs: list[xr.DataArray] = []
    for number in numbers:
        slab = slabs.children[SLABS[number].name].to_dataset(inherit=False)
        apart = dict(zip(_VOXELS, _axes(number), strict=True))
        inputs += [slab[name].rename({dim: apart[dim] for dim in slab[name].dims if dim in apart}) for name in INPUTS]
    return inputs


def _axes(number: int) -> tuple[str, ...]:
    """Slabs differ in shape: names of their axes that tell them apart."""
    return tuple(f"{dim}_{number}" for dim in _VOXELS)
