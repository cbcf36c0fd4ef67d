"""Small cohorts for tests: made once in a session, and compared to the last byte."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
import zarr
from distributed import Client

from bmx.acquisition import ContrastName
from bmx.ingest.conversion import convert
from bmx.regions import REGIONS
from tests.exams import make_exam
from tests.networks import write_model

PAIR: tuple[ContrastName, ContrastName] = ("fat", "water")


def make_store(folder: Path, eids: Sequence[int], *, slabs: Sequence[int], client: Client) -> Path:
    """Convert exams with a pattern instead of anatomy, `folder/dixon` to `folder/slabs.zarr`."""
    for eid in eids:
        make_exam(folder / "dixon", eid, slabs=slabs)
    store = folder / "slabs.zarr"
    convert(folder / "dixon", store, slabs=slabs, contrasts=PAIR, client=client)
    return store


def write_models(folder: Path, *, regions: Sequence[str] = tuple(REGIONS), simulated: bool = True) -> Path:
    """Write an untrained model of each region."""
    for region in regions:
        write_model(folder / region, region, simulated=simulated, bias=0.0)
    return folder


def contents(store: Path) -> dict[str, bytes]:
    """Every file of a store, without the history that tells when it was written."""
    history = str(zarr.open_group(store, mode="r").attrs.get("history", "no history")).encode()
    return {
        str(path.relative_to(store)): path.read_bytes().replace(history, b"")
        for path in store.rglob("*")
        if path.is_file()
    }


def assert_same_values(found: xr.Dataset, expected: xr.Dataset) -> None:
    """The same variables with the very same values, dtypes and attributes; text by what it says."""
    assert set(map(str, found.variables)) == set(map(str, expected.variables))
    for name in expected.variables:
        one, other = found[name].to_numpy(), expected[name].to_numpy()
        assert found[name].dims == expected[name].dims, name
        assert found[name].attrs == expected[name].attrs, name
        if other.dtype.kind in "OTU":
            assert one.tolist() == other.tolist(), name
        else:
            assert one.dtype == other.dtype, name
            np.testing.assert_array_equal(one, other, err_msg=str(name))
