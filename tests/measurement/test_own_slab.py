from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from bmx.acquisition import SLABS
from bmx.measurement import measure
from bmx.regions import REGIONS
from bmx.variables import RESULT_FLAGS, SLAB_FLAGS
from tests.conftest import MaxComputes

Toy = Callable[..., tuple[xr.DataTree, xr.DataTree]]


def irregular(results: xr.Dataset) -> list[list[bool]]:
    found = (results["flags"] & RESULT_FLAGS["irregular_source"]) > 0
    rows: list[list[bool]] = found.transpose("participant", "region").to_numpy().tolist()
    return rows


@pytest.mark.parametrize("chunk", [None, 1, 2])
def test_measure__says_where_the_slab_of_each_region_ends(
    toy_cohort: Toy, chunk: int | None, max_computes: MaxComputes
) -> None:
    """As from its eight corners: of an oblique slab, the middle of its lower and its upper face."""
    slabs, masks = toy_cohort(participants=3, chunk=chunk)
    oblique = slabs["slab_4"].to_dataset(inherit=False).compute()
    oblique["affine"] = oblique["affine"].copy(data=_tilted(oblique["affine"].to_numpy()))
    slabs["slab_4"] = xr.DataTree(oblique if chunk is None else oblique.chunk(participant=chunk))
    with max_computes(0):
        results = measure(slabs, masks=masks)
    for name, region in REGIONS.items():
        slab = slabs[SLABS[region.slab].name].to_dataset().compute()
        ends = np.array([_ends(slab, row) for row in range(3)])
        np.testing.assert_allclose(results["slab_bottom"].sel(region=name), ends[:, 0], atol=1e-4)
        np.testing.assert_allclose(results["slab_top"].sel(region=name), ends[:, 1], atol=1e-4)
    assert np.isnan(results["slab_residual"]).all()  # nobody checked


def test_measure__calls_what_follows_a_repeat_irregular(toy_cohort: Toy) -> None:
    """The numbers of all series after it are another slab's; a cut slab concerns its own regions alone."""
    slabs, masks = toy_cohort(participants=4, chunk=None)
    flags = {1: ("slab_4", "repeated_series"), 2: ("slab_4", "unexpected_shape"), 3: ("slab_2", "manifest_missing")}
    for row, (name, flag) in flags.items():
        slabs[name]["slab_flags"][row] = SLAB_FLAGS[flag]
    # A slab that no region is in counts, too.
    spare = slabs["slab_2"].to_dataset(inherit=False).copy(deep=True)
    spare["slab_flags"][:] = [SLAB_FLAGS["repeated_series"], 0, 0, 0]
    slabs["slab_1"] = xr.DataTree(spare)
    found = irregular(measure(slabs, masks=masks))
    assert found == [[True] * 4, [False, True, True, True], [False, True, True, False], [False] * 4]


def test_measure__carries_the_larger_residual_of_the_slab(toy_cohort: Toy) -> None:
    slabs, masks = toy_cohort(participants=2, chunk=None)
    known = np.array([[0.1, 0.4], [np.nan, 0.2]], np.float32)
    shaft = slabs["slab_5"].to_dataset(inherit=False).assign(physics_residual=(("participant", "relation"), known))
    slabs["slab_5"] = xr.DataTree(shaft)
    results = measure(slabs, masks=masks)
    np.testing.assert_allclose(results["slab_residual"].sel(region="femoral_diaphysis"), [0.4, 0.2])
    assert np.isnan(results["slab_residual"].sel(region="spine")).all()


def test_measure__of_a_mask_in_another_slab_tells_of_the_regions_own(toy_cohort: Toy) -> None:
    """Where its own slab ends says whether the region lies outside it."""
    slabs, masks = toy_cohort(participants=2, chunk=None)
    plain = measure(slabs, masks=masks)
    own, beside = (masks[name].to_dataset(inherit=False) for name in ("slab_4", "slab_5"))
    head = beside["mask"].assign_coords(region=["femoral_head"])
    own["mask"].loc[{"region": "femoral_head"}] = 0
    masks["slab_4"] = xr.DataTree(own)
    masks["slab_5"] = xr.DataTree(xr.concat([xr.Dataset({"mask": head}), beside], dim="region"))
    moved = measure(slabs, masks=masks)
    assert (moved["measured_slab"].sel(region="femoral_head") == 5).all()
    for name in ("slab_bottom", "slab_top"):
        np.testing.assert_array_equal(moved[name], plain[name])


def _tilted(affine: np.ndarray) -> np.ndarray:
    """Rows and columns that rise a little."""
    return affine + np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0.3, -0.2, 0, 5]])


def _ends(slab: xr.Dataset, row: int) -> tuple[float, float]:
    """Mean height of the four corners of the lowest and the highest face."""
    matrix = slab["affine"].to_numpy()[row]
    slices = int(slab["native_slices"][row])
    faces = [
        np.mean([(matrix @ [x, y, z, 1])[2] for x in (0, slab.sizes["x"] - 1) for y in (0, slab.sizes["y"] - 1)])
        for z in (-0.5, slices - 0.5)
    ]
    return min(faces), max(faces)
