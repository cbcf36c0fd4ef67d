"""The store of images (`bmx-slabs`): laid out before the first partition, columns written after the last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import fsspec
import numpy as np
import numpy.typing as npt
import zarr

from bmx.acquisition import SLABS, UKB_FIELD, ContrastName, Slab
from bmx.partitions.work import writing_to
from bmx.store.layout import create_column, create_images, find_store, open_for_writing
from bmx.types import IntVolume
from bmx.variables import VARIABLES, variables_of

FORMAT, VERSION = "bmx-slabs", 1


def create_store(
    url: str,
    *,
    participants: int,
    shard: int,
    slabs: Sequence[int],
    contrasts: Sequence[ContrastName],
    instance: int,
) -> None:
    """Lay out the images for so many participants, or lengthen those of a store that has grown.

    Nothing is readable yet: `bmx.open_store` refuses a store without consolidated metadata, and
    one that grows shows its earlier participants until it is finalised again.

    Raises
    ------
    StoreError
        If another format or version is there, or writing isn't permitted.
    """
    with writing_to(url):
        if find_store(url, FORMAT, VERSION) is None:
            attributes = {
                "Conventions": "CF-1.12",
                "bmx_format": FORMAT,
                "bmx_format_version": VERSION,
                "source": f"UK Biobank field {UKB_FIELD}: neck-to-knee Dixon MRI",
                "ukb_field": UKB_FIELD,
                "ukb_instance": instance,
                "partition_size": shard,
            }
            # Created with its name: killed in between, a nameless group would be taken for somebody else's.
            zarr.create_group(url, zarr_format=3, attributes=attributes)
        root = open_for_writing(url)
        for number in slabs:
            group = root.require_group(SLABS[number].name)
            for contrast in contrasts:
                shape = (participants, *SLABS[number].stored_shape)
                create_images(group, VARIABLES[contrast], shape, shard=shard)


def write_images(url: str, slab: Slab, images: Mapping[ContrastName, IntVolume], *, start: int) -> None:
    """Write the shards of one partition and slab.

    Parameters
    ----------
    url : of a store laid out by `create_store`
    slab : which one
    images : contrast -> (participant, z, y, x) uint16, all participants of the partition
    start : position of the first of them
    """
    for contrast, block in images.items():
        # To leave out empty chunks, Zarr compares every voxel with the fill value.
        # Said of this array alone: Zarr's own settings are shared by all threads, whatever they write.
        array = zarr.open_array(url, path=f"{slab.name}/{contrast}", mode="r+")
        array = array.with_config({"write_empty_chunks": all(map(_holds_something, block))})
        # The whole shard at once, even if every volume is empty: what an earlier attempt left must go.
        array[start : start + len(block)] = block


def _holds_something(volume: IntVolume) -> bool:
    """Whether any voxel of (z, y, x) isn't 0; the middle slice nearly always tells."""
    return bool(volume[len(volume) // 2].any() or volume.any())


def read_images(url: str, slab: Slab, contrast: ContrastName, *, start: int, stop: int) -> IntVolume:
    """Read participants `start` to `stop` of one image array, (participant, z, y, x) uint16, committed or not."""
    array = open_for_writing(url)[f"{slab.name}/{contrast}"]
    assert isinstance(array, zarr.Array)
    return np.asarray(array[start:stop], np.uint16)


def stored_bytes(url: str, *, slabs: Sequence[int], contrasts: Sequence[ContrastName], shards: Sequence[int]) -> int:
    """Bytes on disk of these shards, counted from 0, of all images."""
    root, size = open_for_writing(url), 0
    fs, place = fsspec.core.url_to_fs(url)
    for number in slabs:
        for contrast in contrasts:
            array = root[f"{SLABS[number].name}/{contrast}"]
            assert isinstance(array, zarr.Array)
            for shard in shards:
                path = f"{place}/{array.path}/{array.metadata.encode_chunk_key((shard, 0, 0, 0))}"
                size += int(fs.size(path)) if fs.exists(path) else 0  # what is empty isn't written
    return size


def write_columns(url: str, columns: Iterable[tuple[str, npt.NDArray[Any]]]) -> None:
    """Write everything that is no image, one after the other: a generator holds no more than one.

    Parameters
    ----------
    url : of a store laid out by `create_store`
    columns : `participant`, `source_digest`, `slab_2/affine` …, `series/series_uid` …, each with its values
    """
    root = open_for_writing(url)
    for path, values in columns:
        folder, _, name = path.rpartition("/")
        group = root.require_group(folder) if folder else root
        create_column(group, VARIABLES[name], values)


def column_names(slabs: Sequence[int]) -> list[str]:
    """Names of all columns but those of the series, as `write_columns` wants them.

    Examples
    --------
    >>> column_names([2])[:3]
    ['participant', 'source_digest', 'slab_2/affine']
    """
    per_slab = [variable.name for variable in variables_of("slab") if variable.name not in IMAGES]
    return [variable.name for variable in variables_of("store")] + [
        f"{SLABS[number].name}/{name}" for number in slabs for name in per_slab
    ]


IMAGES = frozenset(variable.name for variable in variables_of("slab") if variable.dims[-3:] == ("z", "y", "x"))
"""Variables of a slab that are volumes."""


def empty_affines(participants: int) -> npt.NDArray[np.float64]:
    """Affines of participants whose slab is absent, (participant, 3, 4), all NaN."""
    return np.full((participants, 3, 4), np.nan)
