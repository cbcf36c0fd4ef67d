"""Open a store of slabs as a lazy tree."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from bmx.schema import validate
from bmx.store.layout import check_format
from bmx.store.slabs import FORMAT, IMAGES, VERSION


def open_store(store: str | Path) -> xr.DataTree:
    """Open what `bmx.convert` wrote.

    Parameters
    ----------
    store : path or URL

    Returns
    -------
    DataTree
        `participant` at the root; one child per slab with images (participant, z, y, x) as Dask arrays
        whose chunks are partitions, and small variables that are read when they are used; `series`
        with one row per DICOM series. Selecting one participant still reads only its own volumes.

    Raises
    ------
    StoreError
        If there is no store, it has another format version, or `convert` hasn't finished it.
    SchemaError
        If a variable is missing or isn't as declared.
    """
    url = str(store)
    root = check_format(url, FORMAT, VERSION, unfinished="call bmx.convert again: it does only what is missing")
    shard = int(str(root.attrs["partition_size"]))
    # One Dask chunk per stored chunk would be a task per volume, too many for a cohort; small variables
    # stay outside Dask, since a task per partition would read a column's chunk anew each time.
    tree = xr.open_datatree(url, engine="zarr", chunks=None, consolidated=True)
    # History and length are new whenever the store was written: Dask must not take old blocks for these.
    place = f"{url} {root.attrs['history']} {tree.sizes['participant']}"
    opened = {
        node.path: _chunked(node.to_dataset(inherit=False), f"{place} {node.path}", shard) for node in tree.subtree
    }
    return validate(xr.DataTree.from_dict(opened), "participant", "affine", "native_slices", "slab_status")


def _chunked(dataset: xr.Dataset, place: str, shard: int) -> xr.Dataset:
    """Make Dask arrays of the images, one chunk per partition."""
    images = {
        name: dataset[name].chunk({"participant": shard}, token=f"{place}/{name}", name_prefix="slabs-")
        for name in sorted(IMAGES & set(map(str, dataset.data_vars)))
    }
    return dataset.assign(images)
