"""What is known of simulated participants: `truth.zarr`, laid out like masks and results.

| group | variables |
|---|---|
| `slab_N` | `mask` where a region lies; `labels` (single bones), `swapped`, `fat_fraction` |
| `results` | `bmff`, `bmff_recipe`, `coverage`, `cause`, by participant and region |
| `faults` | a row for each fault: `fault_participant`, `fault_name`, `fault_slab`, `fault_detail`, `fault_cause` |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr

from bmx.acquisition import SLABS
from bmx.regions import REGIONS, Region, regions_of_slab
from bmx.schema import validate
from bmx.simulation.bodies import SimulatedSlab
from bmx.simulation.faults.base import Fault
from bmx.simulation.faults.causes import expected_cause
from bmx.simulation.faults.registry import FAULTS
from bmx.simulation.labels import LABELS
from bmx.simulation.recipes import RECIPES, true_bmff
from bmx.store.layout import consolidate, create_column, create_images, open_for_writing
from bmx.types import FloatVolume
from bmx.variables import VARIABLES, variables_of

TRUTH = "truth.zarr"
RESULTS = "results"
FAULT_ROWS = "faults"

_STEP = 0.01
"""Percent per unit of the packed fat fraction."""

Record = Mapping[str, npt.NDArray[Any]]


def regions_in(slabs: Sequence[int]) -> tuple[Region, ...]:
    """Regions that lie in any of these slabs, in their fixed order."""
    return tuple(region for region in REGIONS.values() if region.slab in slabs)


def create_truth(path: Path, eids: Sequence[int], slabs: Sequence[int], *, maps: bool = True) -> None:
    """Lay out an empty truth: one shard per participant and slab, so that each is written alone."""
    root = zarr.open_group(path, mode="w", zarr_format=3)
    root.attrs.update({"simulated": True, "source": "bmx simulate"})
    create_column(root, VARIABLES["participant"], np.asarray(eids, np.int64))
    labels = replace(VARIABLES["labels"], flag_values={"background": 0} | LABELS)
    for number in slabs:
        group = root.create_group(SLABS[number].name)
        shape = (len(eids), *SLABS[number].stored_shape)
        create_images(group, labels, shape, shard=1)
        create_images(group, VARIABLES["swapped"], shape, shard=1)
        if maps:
            packed = create_images(group, VARIABLES["fat_fraction"], shape, shard=1)
            packed.attrs.update({"scale_factor": _STEP, "_FillValue": 0})
        if names := [region.name for region in regions_of_slab(number)]:
            create_images(group, VARIABLES["mask"], (len(eids), len(names), *shape[1:]), shard=1)
            create_column(group, VARIABLES["region"], np.array(names, object))


def write_volumes(path: Path, row: int, simulated: Mapping[int, SimulatedSlab], *, maps: bool = True) -> None:
    """Write one participant's masks, labels, swaps and fat fraction into its own shards."""
    root = open_for_writing(str(path))
    for number, slab in simulated.items():
        group = root[SLABS[number].name]
        assert isinstance(group, zarr.Group)
        _write(group, "labels", row, slab.labels)
        if slab.swapped is not None:
            _write(group, "swapped", row, slab.swapped)
        if maps:
            _write(group, "fat_fraction", row, _pack(slab.fat_percent))
        if slab.masks:
            _write(group, "mask", row, np.stack(list(slab.masks.values())))


def describe(
    eid: int, simulated: Mapping[int, SimulatedSlab], faults: Sequence[Fault], regions: Sequence[Region]
) -> dict[str, npt.NDArray[Any]]:
    """Everything known of one participant that is no volume: values by region, and a row for each fault."""
    placed = [(simulated[region.slab], region) for region in regions]
    by_recipe = [true_bmff(slab, region) for slab, region in placed]
    return {
        "bmff": np.array([values["none"] for values in by_recipe], np.float32),
        "bmff_recipe": np.array([[values[name] for values in by_recipe] for name in RECIPES], np.float32),
        "coverage": np.array([slab.coverage[region.name] for slab, region in placed], np.float32),
        "cause": np.array([expected_cause(region, faults, simulated) for region in regions], np.str_),
        "fault_participant": np.full(len(faults), eid, np.int64),
        "fault_name": np.array([fault.name for fault in faults], np.str_),
        "fault_slab": np.array([fault.slab for fault in faults], np.uint8),
        "fault_detail": np.array([fault.detail for fault in faults], np.str_),
        "fault_cause": np.array([FAULTS[fault.name].cause for fault in faults], np.str_),
    }


def write_tables(path: Path, records: Sequence[Record], regions: Sequence[Region]) -> None:
    """Write what `describe` gave of all participants, in their order; then the truth can be opened."""
    root = open_for_writing(str(path))
    results = root.require_group(RESULTS)
    create_column(results, VARIABLES["region"], np.array([region.name for region in regions], object))
    create_column(results, VARIABLES["recipe"], np.array(RECIPES, object))
    for name in ("bmff", "bmff_recipe", "coverage", "cause"):
        create_column(results, VARIABLES[name], np.stack([record[name] for record in records]))
    rows = root.require_group(FAULT_ROWS)
    for variable in variables_of("faults"):
        create_column(rows, variable, np.concatenate([record[variable.name] for record in records]))
    consolidate(str(path))


def open_truth(folder: str | Path) -> xr.DataTree:
    """Open what `bmx simulate OUT` knows of its participants.

    Returns
    -------
    Lazy DataTree. `slab_*`: `mask` laid out like the masks of a run; `labels`, each vertebra and both femora
    (`flag_values` and `flag_meanings` name them); `swapped`, where fat and water are exchanged; `fat_fraction`,
    percent, without noise, NaN without signal. `results`, a Dataset like the results of a run: `bmff (participant,
    region)`, percent, without noise, over the eroded true mask, and by recipe; `coverage`, the share of a
    region that lies in its slab; `cause`, why it can be expected to fail. `faults`: a row for each fault, as
    table with `truth["faults"].to_dataset(inherit=False).to_dataframe()`.
    """
    tree = xr.open_datatree(str(Path(folder) / TRUTH), engine="zarr", chunks={}, consolidated=True)
    return validate(tree, "participant", *(("mask",) if tree[RESULTS].sizes["region"] else ()))


def _pack(percent: FloatVolume) -> npt.NDArray[np.uint16]:
    """In steps of a hundredth; 0 means missing, so the least that is known is one step."""
    known = np.isfinite(percent)
    steps = np.zeros(percent.shape, np.uint16)
    steps[known] = np.maximum(np.rint(percent[known] / _STEP), 1)
    return steps


def _write(group: zarr.Group, name: str, row: int, volume: npt.NDArray[Any]) -> None:
    """Write (..., z, y, x) into a longer z axis; the margin stays 0."""
    array = group[name]
    assert isinstance(array, zarr.Array)
    block = np.zeros(array.shape[1:], array.dtype)
    block[..., : volume.shape[-3], :, :] = volume
    array[row] = block
