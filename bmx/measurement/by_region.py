"""Measure bone marrow fat fraction (BMFF) inside masks (paper 2.8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from bmx.acquisition import slab_number
from bmx.core.bmff import Measurement, measure_mask
from bmx.errors import SchemaError, did_you_mean
from bmx.measurement.one_slab import choose_slab
from bmx.regions import REGIONS, get_region
from bmx.schema import conform, validate
from bmx.types import Affine, IntVolume
from bmx.variables import MEASUREMENT_STATUS, RESULT_FLAGS, SLAB_FLAGS, SLAB_STATUS, VARIABLES, variables_of

GRID = ("z", "y", "x")
TEXT = np.dtypes.StringDType()
ORIGIN = ("ukb_field", "ukb_instance", "simulated", "models_simulated")
"""Attributes of slabs and masks that the results carry on."""
_MEASURABLE = (SLAB_STATUS["complete"], SLAB_STATUS["incomplete"])
_STATUS_FLAGS = {"absent": "slab_absent", "incomplete": "slab_incomplete", "unreadable": "slab_unreadable"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a fat fraction map is made and a mask is trimmed before measuring."""

    name: str
    smoothing: int
    """Radius in voxels of the neighbour mean of fat and water; 0 for none."""
    erosion: Mapping[str, int]
    """In-plane erosion in voxels, by region."""
    meaning: str

    @property
    def attrs(self) -> dict[str, str | int]:
        """What a results Dataset says of how it was made; erosion stands beside each region."""
        return {"recipe": self.name, "recipe_smoothing": self.smoothing, "recipe_meaning": self.meaning}


_PAPER_EROSION = {region.name: region.erosion for region in REGIONS.values()}

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("paper", 1, _PAPER_EROSION, "fat and water averaged over the nearest neighbours, then their ratio"),
        Recipe("none", 0, _PAPER_EROSION, "the ratio of fat and water as acquired"),
    )
}


def get_recipe(name: str) -> Recipe:
    """Give the recipe called `name`, or name the closest one.

    Examples
    --------
    >>> get_recipe("none").smoothing
    0
    >>> get_recipe("papper")
    Traceback (most recent call last):
    ...
    ValueError: no recipe is called 'papper'; expected one of paper, none (did you mean paper?)
    """
    if name in RECIPES:
        return RECIPES[name]
    raise ValueError(f"no recipe is called {name!r}; {did_you_mean(name, RECIPES)}")


def measure(slabs: xr.DataTree, *, masks: xr.DataTree, recipe: str = "paper") -> xr.Dataset:
    """BMFF, size and place of every mask, for every participant. Lazy: nothing is read here.

    Before measuring, single voxels are removed from each mask and gaps of one voxel are closed
    (paper 2.6; not in the spine, where the gaps are discs); `flags` tells where that happened.

    Parameters
    ----------
    slabs : DataTree
        As `open_store` gives it: `participant` at the root; children with `fat`, `water`, `affine`,
        `native_slices`, `slab_status`, `slab_flags`, `slab_reason`.
    masks : DataTree
        Of the same participants in the same order; each child holds the `mask` of some regions, and
        perhaps `model (region)`, the digest of what drew them. A region may stand in several slabs, if each
        participant has its mask in one of them.
    recipe : "paper" or "none"
        Both erode in plane by one voxel, the diaphysis not at all. "paper" first averages fat and water
        over the nearest neighbours, across the mask's border: in a phantom shaft of six voxels a slice
        that lowers 88.0 % to 86.6 %, because cortex and muscle come in. "none" doesn't smooth.

    Returns
    -------
    Dataset
        `participant × region`, the variables declared for results in `bmx.variables`, with the regions of
        the masks in the order of `bmx.regions`. A value is NaN where there is none; `status` and `reason`
        say why: the slab is absent (not_attempted) or unreadable (failed), the mask has no voxel
        (empty), or nothing of it is left after erosion (failed). `bmff_sd` is NaN also for one voxel.
        Attributes: the recipe, and whether images or models were simulated.

    Raises
    ------
    SchemaError
        If a variable is missing or wrong, or the masks are of other participants or on another grid.
    ValueError
        If a region or recipe is unknown.
    """
    chosen = get_recipe(recipe)
    validate(
        slabs, "participant", "fat", "water", "affine", "native_slices", "slab_status", "slab_flags", "slab_reason"
    )
    validate(masks, "mask")
    names = sorted(name for name, node in masks.children.items() if name.startswith("slab_") and "mask" in node)
    _check_fit(slabs, masks, names)
    measured = {
        slab_number(name): _measure_slab(slabs[name].to_dataset(), masks[name].to_dataset(), slab_number(name), chosen)
        for name in names
    }
    joined = conform(choose_slab(measured))
    # One chunk along region, as Zarr wants it; the coordinates stay in memory.
    results = joined.chunk(region=-1).assign_coords(joined.coords)
    results["participant"].attrs = VARIABLES["participant"].attrs
    told = {**masks.attrs, **slabs.attrs}
    origin = {key: told[key] for key in ORIGIN if key in told}
    return results.assign_attrs(origin, **chosen.attrs)


def _check_fit(slabs: xr.DataTree, masks: xr.DataTree, names: list[str]) -> None:
    """Refuse masks that don't belong to these slabs; reads metadata and indexes only."""
    problems: list[str] = []
    seen = False
    for name in names:
        if name not in slabs.children:
            problems.append(f"{name}: masks were given, but the store has no such slab")
            continue
        slab, drawn = slabs[name].to_dataset(), masks[name].to_dataset()
        found, expected = ({dim: data.sizes[dim] for dim in GRID} for data in (drawn["mask"], slab["fat"]))
        if found != expected:
            problems.append(
                f"{name}/mask: expected the grid of the slab, {_sizes(expected)}, found {_sizes(found)}; "
                "draw or resample the masks on the slab's own voxels"
            )
        if "participant" not in drawn.coords or not drawn.indexes["participant"].equals(slab.indexes["participant"]):
            problems.append(
                f"{name}/mask: expected the participants of the store in the same order; "
                "select the same participants in both trees"
            )
        if "region" not in drawn.coords:
            problems.append(f"{name}/mask: expected a coordinate region that names them, found none")
            continue
        seen |= bool([get_region(str(region)) for region in drawn["region"].values])
    if not seen and not problems:
        problems.append("masks: expected at least one child slab_1 ... slab_6 with a region, found none")
    if problems:
        raise SchemaError("the masks don't fit the slabs:\n" + "\n".join(f"  {problem}" for problem in problems))


def _sizes(sizes: Mapping[str, int]) -> str:
    return " × ".join(f"{dim} {size}" for dim, size in sizes.items())


def _measure_slab(slab: xr.Dataset, drawn: xr.Dataset, number: int, recipe: Recipe) -> xr.Dataset:
    """Results of the regions whose masks lie in one slab."""
    slab, drawn = (data.chunk(dict.fromkeys(GRID, -1)) for data in (slab, drawn))
    regions = [get_region(str(name)) for name in drawn["region"].values]
    erosion = xr.DataArray([recipe.erosion[region.name] for region in regions], dims="region")
    one_piece = xr.DataArray([region.one_piece for region in regions], dims="region")
    numbers = xr.apply_ufunc(
        _numbers, slab["fat"], slab["water"], drawn["mask"], slab["affine"], slab["native_slices"], slab["slab_status"],
        erosion, one_piece,
        kwargs={"smoothing": recipe.smoothing},
        input_core_dims=[GRID, GRID, GRID, ("world_axis", "voxel_axis"), (), (), (), ()],
        output_core_dims=[("number",)], dask_gufunc_kwargs={"output_sizes": {"number": len(Measurement._fields)}},
        vectorize=True, dask="parallelized", output_dtypes=["float64"],
    )  # fmt: skip
    status, flags, reason = xr.apply_ufunc(
        _judge, numbers, slab["slab_status"], slab["slab_flags"], slab["slab_reason"],
        input_core_dims=[("number",), (), (), ()], output_core_dims=[(), (), ()],
        dask="parallelized", output_dtypes=[np.uint8, np.uint16, TEXT],
    )  # fmt: skip

    first = Measurement._fields.index("centroid_x")
    values = {
        **{name: numbers[..., index] for index, name in enumerate(Measurement._fields) if name in VARIABLES},
        "centroid": numbers[..., first : first + 3].rename(number="world_axis"),
        # Masks that people drew have none.
        "confidence": drawn["confidence"] if "confidence" in drawn else xr.full_like(numbers[..., 0], np.nan),
        "measured_slab": xr.full_like(status, number).where(status == MEASUREMENT_STATUS["measured"], 0),
        "status": status,
        "flags": flags,
        "reason": reason,
    }
    coords = {
        "region": [region.name for region in regions],
        "slab": ("region", [region.slab for region in regions]),
        "side": ("region", [region.side for region in regions]),
        "erosion": erosion,
        "model": drawn["model"].variable if "model" in drawn.variables else ("region", [""] * len(regions)),
    }
    in_order = [variable.name for variable in variables_of("results") if variable.name in values]
    return conform(xr.Dataset(values).assign_coords(coords))[in_order]


def _numbers(
    fat: IntVolume,
    water: IntVolume,
    mask: npt.NDArray[np.uint8],
    affine: Affine,
    native_slices: np.int16,
    slab_status: np.uint8,
    erosion: np.int64,
    one_piece: np.bool_,
    *,
    smoothing: int,
) -> npt.NDArray[np.float64]:
    """What one mask measures, as one array; nothing where there is no slab to measure in."""
    if slab_status not in _MEASURABLE:
        return np.array(Measurement(volume=np.nan))
    return np.array(
        measure_mask(
            fat, water, mask, affine, int(native_slices),
            smoothing=smoothing, erosion=int(erosion), one_piece=bool(one_piece),
        )
    )  # fmt: skip


def _judge(
    numbers: npt.NDArray[np.float64],
    slab_status: npt.NDArray[np.uint8],
    slab_flags: npt.NDArray[np.uint16],
    slab_reason: npt.NDArray[np.generic],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16], npt.NDArray[np.generic]]:
    """Status, flags and reason of every measurement, (participant, region), from (participant, region, number)."""
    column = dict(zip(Measurement._fields, np.moveaxis(numbers, -1, 0), strict=True))
    flags = column["flags"].astype(np.uint16)
    for slab_value, flag in _STATUS_FLAGS.items():
        flags |= np.where(slab_status == SLAB_STATUS[slab_value], RESULT_FLAGS[flag], 0).astype(np.uint16)
    repeated = slab_flags & SLAB_FLAGS["repeated_series"] > 0
    flags |= np.where(repeated, RESULT_FLAGS["repeated_series"], 0).astype(np.uint16)

    told = slab_reason.astype(object)
    cases: list[tuple[npt.NDArray[np.bool_], str, object]] = [
        (slab_status == SLAB_STATUS["withdrawn"], "not_attempted", "the participant has withdrawn"),
        (slab_status == SLAB_STATUS["absent"], "not_attempted", np.where(told == "", "the slab is absent", told)),
        (slab_status == SLAB_STATUS["unreadable"], "failed", np.where(told == "", "the slab is unreadable", told)),
        (column["voxels"] == 0, "empty", "the mask has no voxel"),
        (column["eroded_voxels"] == 0, "failed", "nothing of the mask is left after erosion"),
        (np.isnan(column["bmff"]), "failed", "fat and water are zero everywhere in the mask"),
    ]
    conditions = [np.broadcast_to(condition, flags.shape) for condition, _, _ in cases]
    status = np.select(conditions, [MEASUREMENT_STATUS[name] for _, name, _ in cases], MEASUREMENT_STATUS["measured"])
    reason = np.select(conditions, [np.broadcast_to(np.asarray(text, object), flags.shape) for *_, text in cases], "")
    return status.astype(np.uint8), flags, reason.astype(TEXT)
