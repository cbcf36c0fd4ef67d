from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from bmx.errors import SchemaError
from bmx.measurement import measure_vertebrae
from bmx.schema import validate
from bmx.variables import SLAB_STATUS, VARIABLES, variables_of
from tests.conftest import MaxComputes

Trees = tuple[xr.DataTree, xr.DataTree]
FRACTIONS = (30.0, 45.0, 60.0)
"""Percent of the three vertebrae of participant 0, from the highest; one more for each further participant."""


@pytest.fixture
def spines(toy_cohort: Callable[..., Trees]) -> Trees:
    """Two participants whose slab 2 shows three vertebrae with discs between them, and one who lacks it."""
    slabs, masks = toy_cohort(participants=3, chunk=None)
    slices, rows, columns = 44, 30, 30
    mask = np.zeros((3, 1, slices, rows, columns), np.uint8)
    total, percent = np.full((3, slices, rows, columns), 1000.0), np.full((3, slices, rows, columns), 5.0)
    for place, low in enumerate((31, 17, 3)):
        mask[:, 0, low : low + 10, 8:22, 8:22] = 1
        for participant in range(3):
            percent[participant, low : low + 10, 8:22, 8:22] = FRACTIONS[place] + participant
    old = slabs["slab_2"].to_dataset(inherit=False)
    images = {"fat": total * percent / 100, "water": total * (100 - percent) / 100}
    new = {
        name: (VARIABLES[name].dims, np.rint(image).astype(np.uint16), old[name].attrs)
        for name, image in images.items()
    }
    affine = np.broadcast_to([[-2.2, 0, 0, 30], [0, -2.2, 0, 20], [0, 0, 4.5, -100.0]], (3, 3, 4)).copy()
    status = np.array([SLAB_STATUS["complete"], SLAB_STATUS["complete"], SLAB_STATUS["absent"]], np.uint8)
    facts = {"affine": affine, "native_slices": np.full(3, slices, np.int16), "slab_status": status}
    new |= {name: old[name].copy(data=values).variable for name, values in facts.items()}
    changed = old.drop_vars(["fat", "water"]).assign(new)
    drawn = xr.Dataset({"mask": (VARIABLES["mask"].dims, mask)}, coords={"region": ["spine"]})
    slabs["slab_2"], masks["slab_2"] = xr.DataTree(changed), xr.DataTree(drawn)
    return slabs, masks


def test_measure_vertebrae__measures_each_from_the_highest_down(spines: Trees) -> None:
    slabs, masks = spines
    found = measure_vertebrae(slabs, masks=masks).compute()
    validate(found, *[variable.name for variable in variables_of("vertebrae")])
    bmff = found["vertebra_bmff"]
    np.testing.assert_allclose(bmff[0, :3], FRACTIONS, atol=0.1)
    np.testing.assert_allclose(bmff[1, :3], np.add(FRACTIONS, 1), atol=0.1)
    assert np.isnan(bmff[:2, 3:]).all()
    assert (found["vertebra_voxels"][:2, 3:] == 0).all()
    assert (np.diff(found["vertebra_centroid"][0, :3, 2]) < 0).all()
    np.testing.assert_allclose(found["vertebra_voxels"][0, :3], 10 * 14 * 14, rtol=0.12)


def test_measure_vertebrae__measures_what_was_exchanged_exchanged_back(spines: Trees) -> None:
    """As the spine itself is."""
    slabs, masks = spines
    plain = measure_vertebrae(slabs, masks=masks).compute()
    slab, drawn = (tree["slab_2"].to_dataset(inherit=False) for tree in (slabs, masks))
    slabs["slab_2"] = xr.DataTree(slab.assign(fat=slab["water"], water=slab["fat"]))
    masks["slab_2"] = xr.DataTree(drawn.assign(swap=xr.ones_like(slab["fat"], dtype=np.uint8)))
    xr.testing.assert_identical(measure_vertebrae(slabs, masks=masks).compute(), plain)


def test_measure_vertebrae__names_no_level_without_an_anchor(spines: Trees) -> None:
    """Slab 2 shows neither the sacrum nor the skull: a name would be a guess."""
    slabs, masks = spines
    assert (measure_vertebrae(slabs, masks=masks)["vertebra_level"].compute() == "").all()


def test_measure_vertebrae__of_who_lacks_the_slab_is_empty(spines: Trees) -> None:
    slabs, masks = spines
    found = measure_vertebrae(slabs, masks=masks).isel(participant=2).compute()
    assert np.isnan(found["vertebra_bmff"]).all()
    assert (found["vertebra_voxels"] == 0).all()


def test_measure_vertebrae__computes_nothing_and_any_chunks_give_the_same(
    spines: Trees, max_computes: MaxComputes
) -> None:
    slabs, masks = spines
    expected = measure_vertebrae(slabs, masks=masks).compute()
    with max_computes(0):
        lazy = measure_vertebrae(slabs.chunk(participant=1), masks=masks.chunk(participant=2))
    xr.testing.assert_identical(lazy.compute(), expected)


def test_measure_vertebrae__wants_a_spine(spines: Trees) -> None:
    slabs, masks = spines
    with pytest.raises(
        SchemaError, match="the masks hold no spine; expected region spine in slab_2, found femoral_head"
    ):
        measure_vertebrae(slabs, masks=xr.DataTree.from_dict({k: v.to_dataset(inherit=False) for k, v in
                                                              masks.children.items() if k != "slab_2"}))  # fmt: skip
