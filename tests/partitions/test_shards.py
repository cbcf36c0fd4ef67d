"""Partition borders are shard borders: no two tasks ever write into one file."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.partitions.plan import Plan
from bmx.store.layout import create_images
from bmx.variables import VARIABLES

VOLUME = (2, 3, 4)


def keys_of(folder: Path) -> dict[str, int]:
    """Files of an array and when each was last written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != "zarr.json"}


def written(array: zarr.Array, folder: Path, start: int, stop: int) -> set[str]:
    """Keys on disk that a partition makes or changes."""
    before = keys_of(folder)
    array[start:stop] = np.ones((stop - start, *array.shape[1:]), array.dtype)
    return {name for name, when in keys_of(folder).items() if before.get(name) != when}


def shards_by_partition(plan: Plan, leading: Sequence[int], name: str) -> list[set[str]]:
    with tempfile.TemporaryDirectory() as folder:
        group = zarr.create_group(folder)
        shape = (len(plan.eids), *leading, *VOLUME)
        array = create_images(group, VARIABLES[name], shape, shard=plan.size)
        return [written(array, Path(folder) / name, part.start, part.stop) for part in plan.partitions()]


@settings(max_examples=30)
@given(participants=st.integers(1, 40), size=st.integers(1, 15), regions=st.integers(1, 3))
def test_create_images__shards_of_partitions_are_disjoint(participants: int, size: int, regions: int) -> None:
    """Of any plan, images and masks: the files that are really written belong to one partition each."""
    plan = Plan(tuple(range(participants)), size)
    for name, leading in (("fat", ()), ("mask", (regions,))):
        shards = shards_by_partition(plan, leading, name)
        assert all(len(keys) == 1 for keys in shards)
        assert len(set.union(*shards)) == len(plan)


@settings(max_examples=20)
@given(first=st.integers(1, 20), more=st.integers(1, 20), size=st.integers(1, 8))
def test_create_images__a_grown_plan_keeps_its_borders(first: int, more: int, size: int) -> None:
    """What is done stays the property of its partition; only the half-full shard is written again."""
    before = Plan(tuple(range(first)), size)
    after = Plan(tuple(range(first + more)), size)
    old, new = shards_by_partition(before, (), "fat"), shards_by_partition(after, (), "fat")
    assert new[: len(old)] == old
    assert len(set.union(*new)) == len(after)


def test_written__sees_two_writers_in_one_shard(tmp_path: Path) -> None:
    """The test of the test: borders that aren't shard borders are found out."""
    array = create_images(zarr.create_group(tmp_path), VARIABLES["fat"], (6, *VOLUME), shard=3)
    folder = tmp_path / "fat"
    assert written(array, folder, 0, 2) & written(array, folder, 2, 4)


@pytest.mark.parametrize("size", [1, 4])
def test_create_images__one_shard_holds_one_partition(tmp_path: Path, size: int) -> None:
    """By the array's own word, too."""
    array = create_images(zarr.create_group(tmp_path), VARIABLES["fat"], (6, *VOLUME), shard=size)
    assert array.shards == (size, *VOLUME)
    assert array.chunks == (1, *VOLUME)
