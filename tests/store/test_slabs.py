from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from zarr.core.buffer import NDBuffer

from bmx.acquisition import SLABS
from bmx.store.slabs import create_store, read_images, write_images


@pytest.mark.parametrize("present", [(True, True), (True, False), (False, False)])
def test_write_images__costs_no_bytes_for_a_volume_that_is_empty(tmp_path: Path, present: tuple[bool, ...]) -> None:
    """Whether Zarr looks for empty chunks or needn't, the store is the same."""
    url, slab = str(tmp_path / "slabs.zarr"), SLABS[5]
    create_store(url, participants=2, shard=2, slabs=(5,), contrasts=("fat",), instance=2)
    images = np.zeros((2, *slab.stored_shape), np.uint16)
    for row, there in enumerate(present):
        images[row, -1, -1, -1] = 7 * there  # the one voxel that is easily missed
    write_images(url, slab, {"fat": images}, start=0)
    np.testing.assert_array_equal(read_images(url, slab, "fat", start=0, stop=2), images)
    shards = [path for path in (tmp_path / "slabs.zarr" / "slab_5" / "fat").iterdir() if path.name != "zarr.json"]
    assert len(shards) == any(present)
    # The index of a shard says which of its chunks are there; all bits set where one isn't.
    written = [int.from_bytes(path.read_bytes()[-36 + 16 * row :][:8], "little") for path in shards for row in (0, 1)]
    assert [offset != 2**64 - 1 for offset in written] == (list(present) if shards else [])


def test_write_images__has_no_voxel_compared_where_no_volume_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs time for nothing; Zarr ignores the setting without a word if it is given elsewhere."""
    url, slab = str(tmp_path / "slabs.zarr"), SLABS[5]
    create_store(url, participants=2, shard=2, slabs=(5,), contrasts=("fat",), instance=2)
    images = np.ones((2, *slab.stored_shape), np.uint16)
    compared: list[object] = []
    plain = NDBuffer.all_equal
    monkeypatch.setattr(
        NDBuffer, "all_equal", lambda one, other, **how: compared.append(one) or plain(one, other, **how)
    )
    write_images(url, slab, {"fat": images}, start=0)
    assert not compared
    images[1] = 0
    write_images(url, slab, {"fat": images}, start=0)
    assert compared
