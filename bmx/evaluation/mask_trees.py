"""Compare two trees of masks, as `bmx.open_masks` gives them, one partition at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from bmx.acquisition import PIXEL_MM, SLABS, slab_number
from bmx.core.agreement import Agreement, compare_masks
from bmx.errors import SchemaError
from bmx.schema import validate
from bmx.types import Mask

GRID = ("z", "y", "x")


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
    # The truth of a simulation has groups without masks: faults, results, slabs in which no region lies.
    slabs = [{name for name, node in tree.children.items() if "mask" in node.data_vars} for tree in (masks, reference)]
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


def compare_trees(masks: xr.DataTree, reference: xr.DataTree) -> dict[tuple[str, str], Agreement]:
    """Compare masks by participant and region; computes them, on the Dask cluster in use if there is one.

    Stores of masks hold no affine: distances and volumes are those of the protocol's voxels.

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
            output_dtypes=[np.float64], dask_gufunc_kwargs={"output_sizes": {"measure": len(Agreement._fields)}},
        )  # fmt: skip
        table = numbers.transpose("region", "participant", "measure").to_numpy()
        for region, rows in zip(drawn["region"].values.tolist(), table, strict=True):
            for participant, row in zip(drawn["participant"].values.tolist(), rows, strict=True):
                found[str(participant), str(region)] = Agreement(*row.tolist())
    return found


def _numbers(mask: Mask, reference: Mask, *, spacing: Sequence[float]) -> npt.NDArray[np.float64]:
    return np.array(compare_masks(mask, reference, spacing))
