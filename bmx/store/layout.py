"""How every Zarr store of bmx is laid out: chunks, shards, compression, the commit. The rules are in FORMAT.md."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BloscCodec
from zarr.errors import GroupNotFoundError, ZarrUserWarning

from bmx._optional import require_for
from bmx.errors import StoreError
from bmx.partitions.work import say_what_to_do
from bmx.variables import Variable

COLUMN_CHUNK = 65_536
"""Values per chunk of everything that is no image: columns owned by partitions would be a file each."""

# On a local disk "/" would make four directories per shard.
_KEYS: Any = {"name": "default", "separator": "."}


def create_images(group: zarr.Group, variable: Variable, shape: Sequence[int], *, shard: int) -> zarr.Array[Any]:
    """Lay out one array of volumes, or lengthen the one that is there.

    Parameters
    ----------
    group : zarr.Group
    variable : declared in `bmx.variables`; its last dims are z, y, x
    shape : of the whole array
    shard : participants per shard

    Returns
    -------
    zarr.Array
        One chunk per volume, one shard per partition; absent volumes cost no bytes.
    """
    shape = tuple(shape)
    if variable.name in group:
        array = _array(group, variable.name)
        array.resize(shape)
        return array
    leading, volume = shape[:-3], shape[-3:]
    return group.create_array(
        variable.name,
        shape=shape,
        dtype=variable.dtype,
        chunks=(*(1 for _ in leading), *volume),
        shards=(shard, *leading[1:], *volume),
        # Dixon magnitudes use 10 to 12 of 16 bits: shuffling bits gains a quarter over plain zstd.
        compressors=BloscCodec(
            cname="zstd", clevel=3, shuffle="bitshuffle", typesize=np.dtype(variable.dtype).itemsize
        ),
        fill_value=0,
        dimension_names=variable.dims,
        chunk_key_encoding=_KEYS,
        config={"write_empty_chunks": False},
        attributes=variable.attrs,
    )


def create_column(group: zarr.Group, variable: Variable, values: npt.NDArray[Any]) -> None:
    """Write one array that is no image, in place of an earlier one.

    Text is stored as variable-length strings. A reader of an earlier, shorter one is not
    disturbed: chunks are exchanged whole.
    """
    values = np.asarray(values)
    is_text = variable.dtype == "string"
    if is_text and values.dtype.kind == "U":
        values = values.astype(np.dtypes.StringDType())
    if variable.name in group:
        replace_rows(_array(group, variable.name), values)
    else:
        array = group.create_array(
            variable.name,
            shape=values.shape,
            dtype="string" if is_text else variable.dtype,
            chunks=(COLUMN_CHUNK, *values.shape[1:]),
            fill_value=_fill_value(variable.dtype),
            dimension_names=variable.dims,
            chunk_key_encoding=_KEYS,
            attributes=variable.attrs,
        )
        if values.size:
            array[:] = values


def replace_rows(array: zarr.Array[Any], values: npt.NDArray[Any]) -> None:
    """Give an array, which is no image, other values, and as many rows as they have."""
    rows = len(values)
    if rows < array.shape[0]:
        # The last chunk is longer than the array: what is beyond the new end would stay in the file.
        array[rows:] = array.fill_value
    array.resize(values.shape)
    if values.size:
        array[:] = values


def join_rows(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Join what partitions kept of one variable.

    Examples
    --------
    >>> join_rows([np.array(["cut off at slice 3"]), np.array([""])])
    array(['cut off at slice 3', ''], dtype=StringDType())
    """
    return np.concatenate([compact(part) for part in parts])


def compact(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Text of variable length instead of a fixed one: one long reason would widen those of the whole cohort."""
    return values.astype(np.dtypes.StringDType()) if values.dtype.kind == "U" else values


def consolidate(url: str, **attributes: Any) -> None:
    """Gather all metadata into the root: the commit, after which the store can be opened.

    Attributes of the root may be given along; whoever reads the earlier, shorter store is not disturbed.
    """
    if attributes:
        # Opened with the consolidated metadata there are, since they are written again together with the attributes.
        zarr.open_group(url, mode="r+").attrs.update(attributes)
    with warnings.catch_warnings():
        # Consolidated metadata aren't in the Zarr v3 specification yet; every reader we name knows them,
        # and readers that don't still find each array's own metadata.
        warnings.filterwarnings("ignore", "Consolidated metadata is currently not part", ZarrUserWarning)
        zarr.consolidate_metadata(url)


def open_for_writing(url: str) -> zarr.Group:
    """Open the root to change arrays, reading each one's own metadata: consolidated ones may be out of date."""
    return zarr.open_group(url, mode="r+", use_consolidated=False)


def find_store(url: str, name: str, version: int) -> zarr.Group | None:
    """Give the root of a store, finished or not; None where there is nothing.

    Raises
    ------
    StoreError
        If what is there isn't of this format and version.
    """
    require_for(url)
    try:
        root = zarr.open_group(url, mode="r", zarr_format=3)
    except (FileNotFoundError, GroupNotFoundError):
        return None
    except Exception as exc:
        exc.add_note(f"while opening {url}")
        say_what_to_do(exc)
        raise
    found, found_version = root.attrs.get("bmx_format"), root.attrs.get("bmx_format_version")
    if found != name:
        raise StoreError(f"{url} is not a {name} store: its bmx_format is {found!r}")
    if found_version != version:
        raise StoreError(
            f"{url} has {name} version {found_version}, expected {version}; "
            "read it with the bmx that wrote it, or make it again"
        )
    return root


def check_format(url: str, name: str, version: int, *, unfinished: str) -> zarr.Group:
    """Give the root of a finished store of this format and version.

    Parameters
    ----------
    url : path or URL
    name, version : expected `bmx_format` and `bmx_format_version`
    unfinished : what to do if it was begun but not finished, for the message

    Raises
    ------
    StoreError
        If there is nothing, something else, another version, or it was not finished.
    """
    root = find_store(url, name, version)
    if root is None:
        raise StoreError(f"there is no Zarr store at {url}; expected {name} version {version}")
    if root.metadata.consolidated_metadata is None:
        raise StoreError(f"{url} was begun but not finished; {unfinished}")
    return root


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    array = group[name]
    assert isinstance(array, zarr.Array)
    return array


def _fill_value(dtype: str) -> Any:
    """What stands where nothing was written: missing for floats, nothing for the rest."""
    if dtype == "string":
        return ""
    kind = np.dtype(dtype)
    return np.nan if kind.kind == "f" else kind.type(0)
