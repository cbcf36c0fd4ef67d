from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from bmx.acquisition import SLABS
from bmx.errors import SchemaError, StoreError
from bmx.store.layout import consolidate
from bmx.store.reading import open_store
from bmx.store.slabs import column_names, create_store, write_columns, write_images
from bmx.variables import VARIABLES
from tests.conftest import MaxComputes

PARTICIPANTS, SHARD = 5, 2


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Five participants, slab 2, shards of two; the voxel in the corner is the participant's position."""
    url = str(tmp_path / "s.zarr")
    create_store(url, participants=PARTICIPANTS, shard=SHARD, slabs=[2], contrasts=["fat", "water"], instance=2)
    for start in range(0, PARTICIPANTS, SHARD):
        block = np.zeros((min(SHARD, PARTICIPANTS - start), *SLABS[2].stored_shape), np.uint16)
        block[:, 0, 0, 0] = 1 + np.arange(start, start + len(block))
        write_images(url, SLABS[2], {"fat": block, "water": block * 10}, start=start)
    write_columns(
        url,
        ({path: _empty(path) for path in column_names([2])} | {"participant": 100 + np.arange(PARTICIPANTS)}).items(),
    )
    zarr.open_group(url, mode="r+").attrs.update({"history": "now", "simulated": True})
    consolidate(url)
    return Path(url)


def _empty(path: str) -> np.ndarray:
    variable = VARIABLES[path.rpartition("/")[2]]
    extra = {"world_axis": 3, "voxel_axis": 4, "relation": 2}
    shape = (PARTICIPANTS, *(extra[dim] for dim in variable.dims[1:]))
    return np.zeros(shape, "U1" if variable.dtype == "string" else variable.dtype)


def test_open_store__is_lazy_and_its_chunks_are_partitions(store: Path, max_computes: MaxComputes) -> None:
    """One task per volume would not reach a hundred thousand participants."""
    with max_computes(0):
        tree = open_store(store)
        some = tree["slab_2/fat"].isel(participant=3)
    assert tree["slab_2/fat"].chunks == ((2, 2, 1), (46,), (174,), (224,))
    assert tree["slab_2/affine"].chunks is None
    assert tree["slab_2"].to_dataset().chunks["participant"] == (2, 2, 1)
    assert int(some[0, 0, 0]) == 4


def test_open_store__selects_by_eid(store: Path) -> None:
    """Children share the participants of the root."""
    tree = open_store(store)
    assert int(tree["slab_2/water"].sel(participant=102)[0, 0, 0]) == 30
    assert tree.sel(participant=[104, 100])["slab_2/fat"][:, 0, 0, 0].to_numpy().tolist() == [5, 1]


def test_open_store__agrees_with_plain_xarray(store: Path) -> None:
    """Whoever doesn't have bmx reads the same."""
    plain = xr.open_datatree(store, engine="zarr")
    xr.testing.assert_identical(open_store(store).compute(), plain.compute())


def test_open_store__keeps_integers(store: Path) -> None:
    """A fill value must not turn magnitudes into floats with NaN: zero is a measurement."""
    tree = open_store(store)
    assert tree["slab_2/fat"].dtype == np.uint16
    assert tree["slab_2/slab_status"].dtype == np.uint8
    assert tree["slab_2/slab_status"].attrs["flag_meanings"].startswith("absent complete")


def test_open_store__reads_new_blocks_after_the_store_was_written_again(store: Path) -> None:
    """Dask recognises blocks by name; a store with another history must have other names."""
    before = open_store(store)["slab_2/fat"].data.name
    zarr.open_group(store, mode="r+", use_consolidated=False).attrs["history"] = "later"
    consolidate(str(store))
    assert open_store(store)["slab_2/fat"].data.name != before


def test_open_store__refuses_what_is_not_ready(store: Path, tmp_path: Path) -> None:
    """Missing, unfinished, or with a variable lost."""
    with pytest.raises(StoreError, match="there is no Zarr store"):
        open_store(tmp_path / "nowhere.zarr")
    create_store(str(tmp_path / "begun.zarr"), participants=1, shard=1, slabs=[2], contrasts=["fat"], instance=2)
    with pytest.raises(StoreError, match=r"begun but not finished; call bmx\.convert again"):
        open_store(tmp_path / "begun.zarr")
    del zarr.open_group(store, mode="r+", use_consolidated=False)["slab_2/native_slices"]
    consolidate(str(store))
    with pytest.raises(SchemaError, match=r"native_slices: expected int16 \(participant\), found nothing"):
        open_store(store)
