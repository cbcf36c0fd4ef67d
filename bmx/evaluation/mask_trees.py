"""Compare two trees of masks, as `bmx.open_masks` gives them, one partition at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from bmx.acquisition import PIXEL_MM, SLABS, slab_number
from bmx.core.agreement import Agreement, compare_masks, together
from bmx.errors import SchemaError
from bmx.schema import validate
from bmx.types import Mask

GRID = ("z", "y", "x")

_MEASURES = 4
"""Numbers of an `Agreement`."""


def shared_masks(masks: xr.DataTree, reference: xr.DataTree) -> Iterator[tuple[str, xr.DataArray, xr.DataArray]]:
    """By slab, the masks of the participants and regions that both trees have; lazy.

    Raises
    ------
    SchemaError
        If `mask` is missing or wrong in either, or they share no participant or region, or lie on different grids.
    """
    validate(masks, "mask")
    validate(reference, "mask")
    found = False
    slabs = [_slabs(tree) for tree in (masks, reference)]
    for name in sorted(slabs[0] & slabs[1]):
        drawn, true = (tree[name].to_dataset()["mask"].reset_coords(drop=True) for tree in (masks, reference))
        grids = [tuple(mask.sizes[dim] for dim in GRID) for mask in (drawn, true)]
        if grids[0] != grids[1]:
            raise SchemaError(
                f"{name}: the masks and their reference must lie on one grid (z, y, x), "
                f"found {grids[0]} and {grids[1]}; draw both on the slab's own voxels"
            )
        drawn, true = xr.align(drawn, true, join="inner")
        if drawn.size:
            found = True
            yield name, drawn, true
    if not found:
        raise SchemaError(
            "the masks and their reference have no participant with the same region; "
            f"found slabs {', '.join(masks.children)} and {', '.join(reference.children)}"
        )


def stray_masks(masks: xr.DataTree, reference: xr.DataTree) -> Iterator[tuple[str, xr.DataArray]]:
    """By slab, the masks of regions that the reference has, but not in this slab; lazy.

    A region that lies beside its slab is drawn there; many a reference has each region in its own slab alone.
    """
    own, listed = ({name: set(_labels(tree, name, "region")) for name in _slabs(tree)} for tree in (masks, reference))
    shared = set[str]().union(*(own[name] & listed[name] for name in own.keys() & listed.keys()))
    people = {one for name in listed for one in _labels(reference, name, "participant")}
    for name in sorted(own):
        if names := sorted((own[name] & shared) - listed.get(name, set())):
            mask = masks[name].to_dataset()["mask"].reset_coords(drop=True)
            yield (
                name,
                mask.sel(region=names, participant=[one for one in mask.indexes["participant"] if one in people]),
            )


def alone(
    masks: xr.DataTree, reference: xr.DataTree, *, region: str | None
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Participants and regions, of `region` or of all, that only the first, and only the second, of two trees has."""
    first, second = (
        {
            (str(participant), name)
            for slab in _slabs(tree)
            for name in _labels(tree, slab, "region")
            if region in (None, name)
            for participant in _labels(tree, slab, "participant")
        }
        - not_given(tree)
        for tree in (masks, reference)
    )
    return sorted(first - second), sorted(second - first)


def not_given(tree: xr.DataTree) -> set[tuple[str, str]]:
    """Participants and regions of whom nobody drew a mask, as `bmx.read_masks` says; computes those flags."""
    lacking = set()
    for name in _slabs(tree):
        node = tree[name].to_dataset()
        if "given" in node:
            given = node["given"].transpose("participant", "region")
            people, regions = (given.indexes[dim].tolist() for dim in given.dims)
            lacking |= {(str(people[row]), str(regions[column])) for row, column in np.argwhere(~given.to_numpy())}
    return lacking


def _slabs(tree: xr.DataTree) -> set[str]:
    """Names of the groups with masks. The truth of a simulation has others: faults, results, slabs without regions."""
    return {name for name, node in tree.children.items() if "mask" in node.data_vars}


def _labels(tree: xr.DataTree, slab: str, dim: str) -> list[str]:
    """EIDs or names of regions."""
    labels: list[str] = tree[slab].to_dataset().indexes[dim].tolist()
    return labels


def voxel_ml(slab: str) -> float:
    """Of the protocol."""
    return SLABS[slab_number(slab)].slice_mm * PIXEL_MM**2 / 1000


def compare_trees(masks: xr.DataTree, reference: xr.DataTree) -> dict[tuple[str, str], Agreement]:
    """Compare masks by participant and region; computes them, on the Dask cluster in use if there is one.

    Stores of masks hold no affine: distances and volumes are those of the protocol's voxels. A region that stands in
    several slabs, as where it was looked for beside its own, is compared in each, and what was found is added. Of whom
    nobody drew a mask there is nothing to compare. What lies only in a slab where the other tree doesn't have the
    region can't be compared, and says so.

    Raises
    ------
    SchemaError
        As `shared_masks`.
    """
    found: dict[tuple[str, str], Agreement] = {}
    for name, drawn, true in shared_masks(masks, reference):
        spacing = (SLABS[slab_number(name)].slice_mm, PIXEL_MM, PIXEL_MM)
        whole = dict.fromkeys(GRID, -1)
        numbers = xr.apply_ufunc(
            _numbers, drawn.chunk(whole), true.chunk(whole), kwargs={"spacing": spacing},
            input_core_dims=[GRID, GRID], output_core_dims=[("measure",)], vectorize=True, dask="parallelized",
            output_dtypes=[np.float64], dask_gufunc_kwargs={"output_sizes": {"measure": _MEASURES}},
        )  # fmt: skip
        table = numbers.transpose("region", "participant", "measure").to_numpy()
        for region, rows in zip(drawn["region"].values.tolist(), table, strict=True):
            for participant, row in zip(drawn["participant"].values.tolist(), rows, strict=True):
                key, here = (str(participant), str(region)), Agreement(*row.tolist())
                found[key] = together(found[key], here) if key in found else here
    for name, strays in stray_masks(masks, reference):
        for key, volume in _volumes(name, strays):
            if volume and not found[key].volume:
                found[key] = found[key]._replace(
                    dice=np.nan, volume=volume, apart=f"the mask lies in {name}, where the reference lacks the region"
                )
    for name, strays in stray_masks(reference, masks):
        for key, volume in _volumes(name, strays):
            if volume and not found[key].reference_volume:
                found[key] = found[key]._replace(
                    dice=np.nan, reference_volume=volume,
                    apart=f"the reference lies in {name}, where the masks lack the region",
                )  # fmt: skip
    nobody = not_given(masks) | not_given(reference)
    return {key: one for key, one in found.items() if key not in nobody}


def _volumes(slab: str, masks: xr.DataArray) -> Iterator[tuple[tuple[str, str], float]]:
    """Participant and region, and the volume in mL; computes."""
    table = (masks != 0).sum(GRID).transpose("participant", "region").to_numpy() * voxel_ml(slab)
    for participant, row in zip(masks["participant"].values.tolist(), table.tolist(), strict=True):
        for region, volume in zip(masks["region"].values.tolist(), row, strict=True):
            yield (str(participant), str(region)), volume


def _numbers(mask: Mask, reference: Mask, *, spacing: Sequence[float]) -> npt.NDArray[np.float64]:
    return np.array(compare_masks(mask, reference, spacing)[:_MEASURES])
