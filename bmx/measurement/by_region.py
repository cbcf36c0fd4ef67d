"""`measure`: one BMFF for each participant and region."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xarray as xr

from bmx.acquisition import slab_number
from bmx.core.bmff import Correction, Measurement, measure_mask
from bmx.core.corrections import Correct, as_correction, describe_correction
from bmx.core.missing_slices import leave_out_halves
from bmx.core.noise import slab_levels
from bmx.core.recipes import DEFAULT_RECIPE, Recipe, get_recipe
from bmx.measurement.checks import GRID, check_fit, slabs_with_masks
from bmx.measurement.judging import MEASURABLE, judge
from bmx.measurement.one_slab import choose_slab
from bmx.measurement.own_slab import add_own_slab
from bmx.measurement.swaps import exchange_back
from bmx.regions import Region, get_region
from bmx.schema import conform, plain_attrs, validate
from bmx.types import TEXT, Affine, IntVolume
from bmx.variables import MEASUREMENT_STATUS, RESULT_FLAGS, SWAP, VARIABLES, variables_of

ORIGIN = ("ukb_field", "ukb_instance", "simulated", "models_simulated")
"""Attributes of slabs and masks that the results carry on."""


def measure(
    slabs: xr.DataTree, *, masks: xr.DataTree, recipe: str | Recipe = DEFAULT_RECIPE, correct: Correct | None = None
) -> xr.Dataset:
    """BMFF, size and place of every mask, for every participant. Lazy: nothing is read here.

    Before measuring, single voxels are removed from each mask and gaps of one voxel are closed
    (paper 2.6; not in the spine, where the gaps are discs); `flags` tells where that happened.

    Parameters
    ----------
    slabs : DataTree
        As `open_store` gives it: `participant` at the root; children with `fat`, `water`, `affine`,
        `native_slices`, `slab_status`, `slab_flags`, `slab_reason`, perhaps `physics_residual`.
    masks : DataTree
        Of the same participants in the same order; each child holds the `mask` of some regions, perhaps
        `model (region)`, the digest of what drew them, `confidence (participant, region)`, and
        `given (participant, region)`, False for whom there is no mask rather than an empty one. A region may stand in
        several slabs, if each participant has its mask in one of them. Where `swap` has its first bit, fat and water
        are measured exchanged; `flags` tells of masks that touch this, or what is in doubt (the second bit).
    recipe : "mask_aware", "paper", "released_code", "none", or a `bmx.core.recipes.Recipe`
        All erode in plane by one voxel, the diaphysis not at all. "mask_aware" averages fat and water over those
        nearest neighbours that are measured, too, and gives voxels without signal no value. "paper" averages over all
        nearest neighbours, across the mask's border: in a phantom shaft of six voxels a slice that lowers 88.0 % to
        86.6 %, because cortex and muscle come in. "released_code" does what the authors' program does. "none" doesn't
        smooth. `python benchmarks/recipes.py` prints what each does to a region.
    correct : function or mapping, optional
        Undoes the bias of two points where you know it: a function of voxel values (percent) and the name of the
        region, which must be picklable to run on a cluster; or by region (slope, intercept). Nothing is corrected by
        default, and a two-point fat fraction is no PDFF.

    Returns
    -------
    Dataset
        `participant × region`, the variables declared for results in `bmx.variables`, with the regions of
        the masks in the order of `bmx.regions`. A value is NaN where there is none; `status` and `reason`
        say why: no mask was given or the slab is absent (not_attempted), the slab is unreadable or lacks fat or
        water (failed), the mask has no voxel (empty), nothing of it is left after erosion, or it has no signal
        (failed). `bmff_sd` is NaN also for one voxel. Attributes: the recipe with all its parameters, the correction,
        and whether images or models were simulated.

    Raises
    ------
    SchemaError
        If a variable is missing or wrong, or the masks are of other participants or on another grid.
    ValueError
        If a region or recipe is unknown, or a correction is no line.
    """
    chosen, correction = get_recipe(recipe), as_correction(correct)
    validate(
        slabs, "participant", "fat", "water", "affine", "native_slices", "slab_status", "slab_flags", "slab_reason"
    )
    validate(masks, "mask")
    names = slabs_with_masks(masks)
    check_fit(slabs, masks, names)
    measured = {
        number: _measure_slab(slabs[name].to_dataset(), masks[name].to_dataset(), number, chosen, correction)
        for number, name in ((slab_number(name), name) for name in names)
    }
    joined = add_own_slab(choose_slab(measured), slabs)
    joined = conform(joined[[variable.name for variable in variables_of("results") if variable.name in joined]])
    # One chunk along region, as Zarr wants it, and partitions for what the store holds in memory, as xarray wants them
    # to work in blocks; coordinates that are in memory stay there.
    in_memory = {name: one.variable for name, one in joined.coords.items() if one.chunks is None}
    partitions = joined["bmff"].chunksizes["participant"]
    results = joined.chunk(region=-1, participant=partitions).assign_coords(in_memory)
    results["participant"].attrs = VARIABLES["participant"].attrs
    told = {**masks.attrs, **slabs.attrs}
    origin = {key: told[key] for key in ORIGIN if key in told}
    return results.assign_attrs(plain_attrs({**origin, **chosen.attrs, "correction": describe_correction(correct)}))


def _measure_slab(
    slab: xr.Dataset, drawn: xr.Dataset, number: int, recipe: Recipe, correct: Correction | None
) -> xr.Dataset:
    """Results of the regions whose masks lie in one slab."""
    slab, drawn = slab.chunk(dict.fromkeys(GRID, -1)), drawn.chunk(dict.fromkeys(("region", *GRID), -1))
    regions = [get_region(str(name)) for name in drawn["region"].values]
    slab = exchange_back(slab, drawn)
    numbers = xr.apply_ufunc(
        _numbers, slab["fat"], slab["water"], drawn["mask"], slab["affine"], slab["native_slices"], slab["slab_status"],
        kwargs={"regions": regions, "recipe": recipe, "correct": correct},
        input_core_dims=[GRID, GRID, ("region", *GRID), ("world_axis", "voxel_axis"), (), ()],
        output_core_dims=[("region", "number")],
        dask_gufunc_kwargs={"output_sizes": {"number": len(Measurement._fields) + 1}},
        vectorize=True, dask="parallelized", output_dtypes=["float64"],
    )  # fmt: skip
    given = drawn.get("given", xr.ones_like(drawn["mask"].isel(dict.fromkeys(GRID, 0), drop=True), np.bool_))
    status, flags, reason = xr.apply_ufunc(
        judge, numbers, slab["slab_status"], slab["slab_flags"], slab["slab_reason"], given,
        input_core_dims=[("number",), (), (), (), ()], output_core_dims=[(), (), ()],
        dask="parallelized", output_dtypes=[np.uint8, np.uint16, TEXT],
    )  # fmt: skip

    if "swap" in drawn:
        touched = xr.apply_ufunc(
            _swap_flags, drawn["mask"], drawn["swap"], input_core_dims=[("region", *GRID), GRID],
            output_core_dims=[("region",)], vectorize=True, dask="parallelized", output_dtypes=[np.uint16],
        )  # fmt: skip
        flags = flags | touched
    first = Measurement._fields.index("centroid_x")
    values = {
        **{name: numbers[..., index] for index, name in enumerate(Measurement._fields) if name in VARIABLES},
        "volume": numbers[..., Measurement._fields.index("volume")].where(given),
        "centroid": numbers[..., first : first + 3].rename(number="world_axis"),
        "confidence": drawn.get("confidence", xr.full_like(status, np.nan, np.float32)),
        "measured_slab": xr.full_like(status, number).where(status == MEASUREMENT_STATUS["measured"], 0),
        "status": status,
        "flags": flags,
        "reason": reason,
    }
    coords = {
        "region": [region.name for region in regions],
        "slab": ("region", [region.slab for region in regions]),
        "side": ("region", [region.side for region in regions]),
        "erosion": ("region", [recipe.erosion[region.site] for region in regions]),
        "model": drawn["model"].variable if "model" in drawn.variables else ("region", [""] * len(regions)),
    }
    return conform(xr.Dataset(values).assign_coords(coords))


def _swap_flags(masks: npt.NDArray[np.uint8], swap: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """Bits of `RESULT_FLAGS`, (region,): whose mask lies in what was exchanged back, or may be exchanged."""
    if not swap.any():
        return np.zeros(len(masks), np.uint16)
    bits = {SWAP["exchanged"]: RESULT_FLAGS["swap_corrected"], SWAP["suspected"]: RESULT_FLAGS["swap_suspected"]}
    seen = [np.bitwise_or.reduce(swap[mask > 0], initial=0) for mask in masks]
    return np.array([sum(flag for bit, flag in bits.items() if one & bit) for one in seen], np.uint16)


def _numbers(
    fat: IntVolume,
    water: IntVolume,
    masks: npt.NDArray[np.uint8],
    affine: Affine,
    native_slices: np.int16,
    slab_status: np.uint8,
    *,
    regions: list[Region],
    recipe: Recipe,
    correct: Correction | None,
) -> npt.NDArray[np.float64]:
    """What the masks of one slab measure, (region, number); nothing where there is no slab to measure in."""
    if slab_status not in MEASURABLE:
        return np.array([(*Measurement(volume=np.nan), np.nan)] * len(regions))
    slices = int(native_slices)
    fat, water = leave_out_halves(fat, water)
    levels = slab_levels(fat[:slices], water[:slices])
    found = (
        measure_mask(
            fat, water, mask, affine, slices, region=region, recipe=recipe, correct=correct, levels=levels
        )
        for mask, region in zip(masks, regions, strict=True)
    )  # fmt: skip
    return np.array([(*one, levels.bright) for one in found])
