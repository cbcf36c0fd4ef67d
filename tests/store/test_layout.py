from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from bmx.errors import StoreError
from bmx.store.layout import COLUMN_CHUNK, check_format, consolidate, create_column, create_images, find_store
from bmx.variables import VARIABLES


@pytest.fixture
def root(tmp_path: Path) -> zarr.Group:
    return zarr.create_group(tmp_path / "s.zarr", attributes={"bmx_format": "bmx-slabs", "bmx_format_version": 1})


def test_create_images__a_chunk_is_a_volume_and_a_shard_a_partition(root: zarr.Group) -> None:
    """Reading one participant must not read others, and 100,000 participants must not be 100,000 files."""
    fat = create_images(root, VARIABLES["fat"], (7, 4, 3, 2), shard=3)
    assert (fat.chunks, fat.shards) == ((1, 4, 3, 2), (3, 4, 3, 2))
    mask = create_images(root, VARIABLES["mask"], (7, 2, 4, 3, 2), shard=3)
    assert (mask.chunks, mask.shards) == ((1, 1, 4, 3, 2), (3, 2, 4, 3, 2))
    assert mask.metadata.dimension_names == ("participant", "region", "z", "y", "x")
    assert dict(mask.attrs) == VARIABLES["mask"].attrs


def test_create_images__empty_volumes_are_not_written(root: zarr.Group, tmp_path: Path) -> None:
    """Nor kept when a partition is done again and a slab turns out to be absent."""
    fat = create_images(root, VARIABLES["fat"], (4, 4, 3, 2), shard=2)
    fat[0:2] = np.ones((2, 4, 3, 2), np.uint16)
    fat[2:4] = np.zeros((2, 4, 3, 2), np.uint16)
    assert {path.name for path in (tmp_path / "s.zarr/fat").iterdir()} == {"zarr.json", "c.0.0.0.0"}
    fat[0:2] = np.zeros((2, 4, 3, 2), np.uint16)
    assert {path.name for path in (tmp_path / "s.zarr/fat").iterdir()} == {"zarr.json"}


def test_create_images__lengthens_what_is_there(root: zarr.Group) -> None:
    """New participants go at the end; the old ones stay as they are."""
    fat = create_images(root, VARIABLES["fat"], (2, 1, 1, 2), shard=2)
    fat[:] = np.array([1, 2, 3, 4], np.uint16).reshape(2, 1, 1, 2)
    longer = create_images(root, VARIABLES["fat"], (3, 1, 1, 2), shard=2)
    assert longer[:].ravel().tolist() == [1, 2, 3, 4, 0, 0]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("participant", np.array([5, 2**40], np.int64)),
        ("slab_reason", np.array(["", "fehlt: Länge 3", "x" * 500])),
        ("slab_reason", np.array(["a", "b"], object)),
        ("affine", np.full((2, 3, 4), np.nan)),
        ("series_used", np.array([True, False])),
        ("slab_reason", np.zeros(0, "U1")),
    ],
)
def test_create_column__comes_back_through_plain_xarray(
    root: zarr.Group, tmp_path: Path, name: str, values: np.ndarray
) -> None:
    """Variable-length text, NaN and booleans survive, without a warning."""
    create_column(root, VARIABLES[name], values)
    consolidate(str(tmp_path / "s.zarr"))
    found = xr.open_zarr(tmp_path / "s.zarr", chunks=None)[name]
    assert found.dims == VARIABLES[name].dims
    assert found.attrs == VARIABLES[name].attrs
    np.testing.assert_array_equal(np.asarray(found.to_numpy(), values.dtype), values)


def test_create_column__replaces_and_lengthens(root: zarr.Group) -> None:
    """Finalising again after the store has grown."""
    for count in (2, 5):
        create_column(root, VARIABLES["native_slices"], np.arange(count, dtype=np.int16))
    array = root["native_slices"]
    assert isinstance(array, zarr.Array)
    assert array[:].tolist() == [0, 1, 2, 3, 4]
    assert array.chunks == (COLUMN_CHUNK,)


def test_check_format__tells_every_way_in_which_a_store_is_not_ready(root: zarr.Group, tmp_path: Path) -> None:
    """Nothing, unfinished, another format, another version."""
    url, advice = str(tmp_path / "s.zarr"), "call bmx.convert again"
    assert find_store(str(tmp_path / "nowhere.zarr"), "bmx-slabs", 1) is None
    with pytest.raises(StoreError, match=r"there is no Zarr store at .*nowhere\.zarr; expected bmx-slabs version 1"):
        check_format(str(tmp_path / "nowhere.zarr"), "bmx-slabs", 1, unfinished=advice)
    with pytest.raises(StoreError, match=r"was begun but not finished; call bmx\.convert again"):
        check_format(url, "bmx-slabs", 1, unfinished=advice)
    with pytest.raises(StoreError, match="is not a bmx-masks store: its bmx_format is 'bmx-slabs'"):
        check_format(url, "bmx-masks", 1, unfinished=advice)
    with pytest.raises(StoreError, match="has bmx-slabs version 1, expected 2"):
        check_format(url, "bmx-slabs", 2, unfinished=advice)
    consolidate(url)
    assert check_format(url, "bmx-slabs", 1, unfinished=advice).attrs["bmx_format_version"] == 1
