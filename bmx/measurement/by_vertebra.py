"""`measure_vertebrae`: one BMFF for each participant and vertebra."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xarray as xr

from bmx.acquisition import SLABS
from bmx.core.bmff import Correction
from bmx.core.corrections import Correct, as_correction, describe_correction
from bmx.core.missing_slices import leave_out_halves
from bmx.core.recipes import DEFAULT_RECIPE, Recipe, get_recipe
from bmx.core.vertebra_bmff import MOST, VertebraMeasurement, measure_vertebrae_of
from bmx.core.vertebrae import LEVELS
from bmx.errors import SchemaError
from bmx.measurement.by_region import ORIGIN
from bmx.measurement.checks import GRID, check_fit
from bmx.measurement.judging import MEASURABLE
from bmx.measurement.swaps import exchange_back
from bmx.regions import REGIONS
from bmx.schema import conform, plain_attrs, validate
from bmx.types import TEXT, Affine, IntVolume, Mask
from bmx.variables import VARIABLES, variables_of

_SPINE = REGIONS["spine"]
_NAMES = np.array(["", *LEVELS])


def measure_vertebrae(
    slabs: xr.DataTree, *, masks: xr.DataTree, recipe: str | Recipe = DEFAULT_RECIPE, correct: Correct | None = None
) -> xr.Dataset:
    """BMFF, size and place of every vertebra of the spine masks, for every participant. Lazy.

    Parameters
    ----------
    slabs, masks, recipe, correct : as in `bmx.measure`; the masks must hold a spine
        Beside `mask` there may be a `sacrum (participant, z, y, x)` uint8: where it lies next to the lowest vertebra,
        that one is L5, and all have names.

    Returns
    -------
    Dataset
        `participant × vertebra`, the variables declared for vertebrae in `bmx.variables`; vertebra 1 is the highest in
        the mask, and who has fewer than 12 gets NaN and 0 voxels for the others. **The same number is not the same
        vertebra in everybody**: which ones lie in the slab differs from person to person. `vertebra_level` names them
        where an anchor is visible; elsewhere `vertebra_centroid` tells where they lie. `vertebra_cut` marks those that
        reach the end of the slab.

    Raises
    ------
    SchemaError
        If a variable is missing or wrong, the masks hold no spine, or are of other participants or on another grid.
    ValueError
        If a recipe is unknown, or a correction is no line.
    """
    chosen, correction = get_recipe(recipe), as_correction(correct)
    validate(slabs, "participant", "fat", "water", "affine", "native_slices", "slab_status")
    validate(masks, "mask")
    name = SLABS[_SPINE.slab].name
    if name not in masks.children or "spine" not in masks[name].to_dataset().get("region", ()):
        raise SchemaError(f"the masks hold no spine; expected region spine in {name}, found {_found(masks)}")
    check_fit(slabs, masks, [name])
    slab, drawn = (tree[name].to_dataset().chunk(dict.fromkeys(GRID, -1)) for tree in (slabs, masks))
    slab = exchange_back(slab, drawn)
    spine = drawn["mask"].sel(region="spine", drop=True)
    sacrum = drawn.get("sacrum", xr.zeros_like(spine))
    numbers = xr.apply_ufunc(
        _numbers, slab["fat"], slab["water"], spine, sacrum, slab["affine"], slab["native_slices"], slab["slab_status"],
        kwargs={"recipe": chosen, "correct": correction},
        input_core_dims=[GRID, GRID, GRID, GRID, ("world_axis", "voxel_axis"), (), ()],
        output_core_dims=[("vertebra", "number")],
        dask_gufunc_kwargs={"output_sizes": {"vertebra": MOST, "number": len(VertebraMeasurement._fields)}},
        vectorize=True, dask="parallelized", output_dtypes=["float64"],
    )  # fmt: skip
    fields = VertebraMeasurement._fields
    first = fields.index("centroid_x")
    values = {
        **{field: numbers[..., index] for index, field in enumerate(fields[:first])},
        "vertebra_level": xr.apply_ufunc(
            _level, numbers[..., fields.index("vertebra_level")], dask="parallelized", output_dtypes=[TEXT]
        ),
        "vertebra_centroid": numbers[..., first:].rename(number="world_axis"),
    }
    in_order = [variable.name for variable in variables_of("vertebrae") if variable.name in values]
    results = conform(xr.Dataset(values).assign_coords(vertebra=np.arange(1, MOST + 1)))[in_order]
    results["participant"].attrs = VARIABLES["participant"].attrs
    told = {**masks.attrs, **slabs.attrs}
    origin = {key: told[key] for key in ORIGIN if key in told}
    attrs = plain_attrs({**origin, **chosen.attrs, "correction": describe_correction(correct)})
    return results.reset_coords(drop=True).assign_attrs(attrs)


def _numbers(
    fat: IntVolume,
    water: IntVolume,
    mask: npt.NDArray[np.uint8],
    sacrum: npt.NDArray[np.uint8],
    affine: Affine,
    native_slices: np.int16,
    slab_status: np.uint8,
    *,
    recipe: Recipe,
    correct: Correction | None,
) -> npt.NDArray[np.float64]:
    """What the vertebrae of one participant measure, (vertebra, number)."""
    table = np.array([VertebraMeasurement()] * MOST)
    if slab_status in MEASURABLE:
        fat, water = leave_out_halves(fat, water)
        anchor: Mask | None = sacrum.astype(np.bool_) if sacrum.any() else None
        found = measure_vertebrae_of(
            fat, water, mask, affine, int(native_slices), recipe=recipe, correct=correct, sacrum=anchor
        )
        if found:
            table[: len(found)] = found
    return table


def _found(masks: xr.DataTree) -> str:
    nodes = [node.to_dataset() for node in masks.children.values()]
    regions = [str(one) for node in nodes if "region" in node for one in node["region"].values]
    return ", ".join(regions) or "no region"


def _level(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.generic]:
    return _NAMES[numbers.astype(np.intp)].astype(TEXT)
