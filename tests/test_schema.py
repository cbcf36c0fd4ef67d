from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from bmx.errors import SchemaError
from bmx.schema import validate
from bmx.variables import SLAB_FLAGS, VARIABLES, flag_bits, flag_names, variables_of
from tests.conftest import MaxComputes, make_toy_cohort


def test_validate__gives_back_what_is_as_declared(max_computes: MaxComputes) -> None:
    """The very object, and nothing is computed: it stands on the first line of every verb."""
    slabs, masks = make_toy_cohort()
    with max_computes(0):
        assert validate(slabs, "participant", "fat", "water", "affine", "slab_status") is slabs
        assert validate(masks, "mask") is masks


def test_validate__lists_every_mismatch_at_once() -> None:
    """Who repairs one error at a time loses an afternoon."""
    slabs, _ = make_toy_cohort(participants=2)
    slab = slabs["slab_4"].to_dataset(inherit=False)
    changed = slab.drop_vars("slab_status").assign(
        fat=slab["fat"].astype("float32"),
        water=slab["water"].transpose(..., "z"),
        affine=slab["affine"].assign_attrs(units="cm"),
    )
    wrong = xr.DataTree.from_dict(
        {
            "/": slabs.to_dataset().drop_vars("participant"),
            "slab_2": slabs["slab_2"].to_dataset(inherit=False),
            "slab_4": changed,
        }
    )
    with pytest.raises(SchemaError) as caught:
        validate(wrong, "participant", "fat", "water", "affine", "slab_status")
    assert str(caught.value).splitlines()[1:] == [
        "  participant: expected int64 (participant), found nothing",
        "  slab_4/fat: expected dtype uint16, found float32",
        "  slab_4/water: expected dims (participant, z, y, x), found (participant, y, x, z)",
        "  slab_4/affine: expected units 'mm', found 'cm'",
        "  slab_4/slab_status: expected uint8 (participant), found nothing",
    ]


def test_validate__expects_slabs_in_a_tree() -> None:
    """A results Dataset given where slabs are wanted."""
    with pytest.raises(SchemaError, match=r"fat: expected a tree with children slab_1 \.\.\. slab_6, found none"):
        validate(xr.DataTree(), "fat")


@pytest.mark.parametrize("dtype", [object, "U3", np.dtypes.StringDType()])
def test_validate__takes_any_of_the_text_dtypes(dtype: object) -> None:
    """Zarr gives one, pandas another, literals a third."""
    data = xr.Dataset({"sex": ("participant", np.array(["a", "b"], dtype=dtype))})
    assert validate(data, "sex") is data


def test_variables__are_declared_completely() -> None:
    """Every variable has a meaning, a unit unless it is text or a day, and a dtype that NumPy knows."""
    for variable in VARIABLES.values():
        assert variable.long_name
        assert (variable.dtype == "string" or "datetime" in variable.dtype) == (variable.units == "")
        assert variable.dtype == "string" or np.dtype(variable.dtype)
        assert variable.dims
        assert not (variable.flag_values and variable.flag_masks)


def test_variables_of__splits_the_dictionary() -> None:
    """Each variable has one place."""
    places = ("store", "slab", "series", "masks", "results", "vertebrae", "qc", "truth", "faults", "phenotypes")
    assert sum(len(variables_of(place)) for place in places) == len(VARIABLES)
    assert variables_of(*places) == tuple(VARIABLES.values())


@pytest.mark.parametrize("name", [name for name, variable in VARIABLES.items() if variable.flag_masks])
def test_flag_masks__are_single_bits_that_fit(name: str) -> None:
    """A flag beyond the dtype would vanish when it is stored."""
    masks = list(VARIABLES[name].flag_masks.values())
    assert all(mask.bit_count() == 1 for mask in masks)
    assert len(set(masks)) == len(masks)
    assert max(masks) <= np.iinfo(VARIABLES[name].dtype).max


@given(st.sets(st.sampled_from(list(SLAB_FLAGS))))
def test_flags__come_back_by_name(names: set[str]) -> None:
    """Bits are for storage, names for people."""
    assert set(flag_names(flag_bits(names, SLAB_FLAGS), SLAB_FLAGS)) == names


def test_validate__says_what_to_open() -> None:
    """A path where a Dataset is expected is the commonest slip."""
    with pytest.raises(SchemaError, match=r"expected a Dataset or DataTree, found 'r.zarr', a str; open results with"):
        validate("r.zarr", "bmff")  # type: ignore[type-var]  # wrong on purpose
