from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmx.cohort.places import parameters_digest

OPTIONS: dict[str, Any] = {
    "store": "/a/s.zarr",
    "masks": "/a/r.masks.zarr",
    "regions": ["spine"],
    "models": {"spine": ["/a/models/spine", "01"]},
    "recipe": "paper",
    "neighbours": True,
    "bmx_version": "1",
}


@given(st.permutations(list(OPTIONS)))
def test_parameters_digest__does_not_depend_on_order_or_place(names: list[str]) -> None:
    """Two people with the same data, models and options must see the same digest."""
    shuffled = {name: OPTIONS[name] for name in names} | {"store": "s3://b/s.zarr", "masks": "m.zarr"}
    shuffled["models"] = {"spine": ["elsewhere", "01"]}
    assert parameters_digest(shuffled) == parameters_digest(OPTIONS)


@pytest.mark.parametrize(
    "changed",
    [
        {"models": {"spine": ["/a/models/spine", "02"]}},
        {"regions": ["total_hip"]},
        {"recipe": "none"},
        {"neighbours": False},
        {"bmx_version": "2"},
        {"new_option": 1},
    ],
    ids=str,
)
def test_parameters_digest__tells_everything_else_apart(changed: dict[str, Any]) -> None:
    """Values depend on it; options that don't exist yet, too."""
    assert parameters_digest(OPTIONS | changed) != parameters_digest(OPTIONS)
