"""Participants with four contrasts, of boxes: what the tests of the pictures look at."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bmx.variables import VARIABLES
from tests.conftest import declared, make_toy_cohort

STEP = 2.0, 2.0, 5.0
"""Voxel of these slabs, mm along x, y, z."""

EIDS = 1_000_000, 1_000_001


def whole_body(overlap_mm: float = 10.0) -> tuple[xr.DataTree, xr.DataTree]:
    """Two participants with six slabs of 12 slices; fat is 100 n and water 0 in a block in the middle of slab n."""
    like, _ = make_toy_cohort(2, chunk=None)
    slabs, masks = {"/": like.to_dataset()}, {"/": like.to_dataset().drop_attrs()}
    shape, top = (12, 30, 40), 300.0
    for number in range(1, 7):
        fat = np.zeros((2, *shape), np.uint16)
        fat[..., 5:25, 10:30] = 100 * number
        bottom = top - 12 * STEP[2]
        affine = np.array([[-2.0, 0, 0, 39], [0, -2.0, 0, 29], [0, 0, 5.0, bottom + 2.5]])
        top = bottom + overlap_mm
        values = {
            "fat": fat,
            "water": np.zeros_like(fat),
            "in_phase": fat,
            "opposed_phase": fat,
            "affine": np.broadcast_to(affine, (2, 3, 4)).copy(),
            "native_slices": np.full(2, 12, np.int16),
        }
        slabs[f"slab_{number}"] = declared(values)
        if number in (2, 4, 5):
            regions = {2: ["spine"], 4: ["femoral_head", "total_hip"], 5: ["femoral_diaphysis"]}[number]
            mask = np.zeros((2, len(regions), *shape), np.uint8)
            mask[..., 4:8, 12:18, 15:20] = 1
            masks[f"slab_{number}"] = declared({"mask": mask}).assign_coords(region=regions)
    return xr.DataTree.from_dict(slabs), xr.DataTree.from_dict(masks)


def without(slabs: xr.DataTree, number: int, row: int) -> xr.DataTree:
    """Let a participant lack a slab, as a store says it."""
    changed = slabs.copy(deep=True)
    slab = changed[f"slab_{number}"].to_dataset(inherit=False)
    slab["affine"][row], slab["native_slices"][row] = np.nan, 0
    changed[f"slab_{number}"] = xr.DataTree(slab)
    return changed


def labelled(slabs: xr.DataTree) -> xr.DataTree:
    """Labels of two bones: one in slab 3, lowest slices; one in slab 5."""
    truth: dict[str, xr.Dataset] = {"/": slabs.to_dataset()}
    attrs = VARIABLES["labels"].attrs | {"flag_values": [0, 15, 23], "flag_meanings": "background L3 femur_left"}
    for number in range(1, 7):
        labels = np.zeros((2, 12, 30, 40), np.uint8)
        if number == 3:
            labels[:, :5, 12:18, 15:20] = 15
        if number == 5:
            labels[:, 7:10, 12:18, 15:20] = 23
        truth[f"slab_{number}"] = xr.Dataset({"labels": (VARIABLES["labels"].dims, labels, attrs)})
    return xr.DataTree.from_dict(truth)
