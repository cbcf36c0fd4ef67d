"""The masks (`bmx-masks`) and results (`bmx-results`) that a run leaves: laid out, written, opened."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from bmx.acquisition import SLABS
from bmx.errors import StoreError
from bmx.partitions.work import writing_to
from bmx.regions import get_region
from bmx.schema import plain_attrs, validate
from bmx.store.layout import (
    COLUMN_CHUNK,
    check_format,
    consolidate,
    create_column,
    create_images,
    find_store,
    join_rows,
    open_for_writing,
)
from bmx.store.withdrawal import withdrawals_in
from bmx.types import TEXT
from bmx.variables import VARIABLES, Variable, variables_of

OF_REGION = ["slab", "side", "erosion", "model"]
"""Variables of the results that describe a region, not a participant."""

VERTEBRAE = "vertebrae"
"""The group of what was measured in each vertebra."""

MASKS_FORMAT, RESULTS_FORMAT, VERSION = "bmx-masks", "bmx-results", 1


def create_masks(
    url: str,
    *,
    eids: Sequence[int],
    shard: int,
    regions: Mapping[int, Sequence[str]],
    models: Mapping[str, str],
    swaps: bool = False,
    attrs: dict[str, Any],
) -> None:
    """Lay out a masks store, or lengthen the one that is there.

    `regions` says which masks each slab can hold, and `models` gives the digest for each of them; with `swaps` there is
    room for where fat and water are exchanged.

    Nothing is readable yet: that takes consolidated metadata, the commit. One that grows shows its
    earlier participants until then.
    """
    with writing_to(url):
        if find_store(url, MASKS_FORMAT, VERSION) is None:
            named = {"bmx_format": MASKS_FORMAT, "bmx_format_version": VERSION, **attrs}
            zarr.create_group(url, zarr_format=3, attributes=named)
        root = open_for_writing(url)
        create_column(root, VARIABLES["participant"], np.asarray(eids, np.int64))
        for number, names in regions.items():
            group = root.require_group(SLABS[number].name)
            shape = (len(eids), len(names), *SLABS[number].stored_shape)
            create_images(group, VARIABLES["mask"], shape, shard=shard)
            if swaps:
                create_images(group, VARIABLES["swap"], (len(eids), *SLABS[number].stored_shape), shard=shard)
            create_column(group, VARIABLES["region"], np.array(names, object))
            create_column(group, VARIABLES["model"], np.array([models[name] for name in names], object))


def write_masks(url: str, masks: xr.DataTree, *, start: int) -> None:
    """Write the masks of one partition, whole shards, from participant `start` on."""
    root = open_for_writing(url)
    for name, node in masks.children.items():
        for variable in ("mask", "swap"):
            if variable in node:
                block = node[variable].to_numpy()
                array = root[f"{name}/{variable}"]
                assert isinstance(array, zarr.Array)
                array[start : start + len(block)] = block


def commit_masks(url: str) -> None:
    """Make readable what was written, and say in the `history` when that was."""
    root = open_for_writing(url)
    participant = root["participant"]
    assert isinstance(participant, zarr.Array)
    consolidate(url, history=_history(root, "masks", participant.shape[0]))


def write_results(
    url: str,
    records: Sequence[Mapping[str, np.ndarray]],
    *,
    eids: Sequence[int],
    regions: Sequence[str],
    models: Mapping[str, str],
    erosion: Mapping[str, int],
    attrs: dict[str, Any],
) -> None:
    """Write the results store from the records of all partitions; its consolidated metadata are the commit."""
    earlier = find_store(url, RESULTS_FORMAT, VERSION)
    history = _history(earlier, "results", len(eids))
    named = plain_attrs({"bmx_format": RESULTS_FORMAT, "bmx_format_version": VERSION, **attrs, "history": history})
    of_region: dict[str, Any] = {
        "region": list(regions),
        "slab": [get_region(name).slab for name in regions],
        "side": [get_region(name).side for name in regions],
        "erosion": [erosion[get_region(name).site] for name in regions],
        "model": [models[name] for name in regions],
    }
    source = [VARIABLES["source_digest"]] if all("source_digest" in record for record in records) else []
    columns = (*variables_of("results"), *source)
    vertebrae = [VERTEBRAE] if all("vertebra_bmff" in record for record in records) else []
    root = _begin(url, earlier, {"participant", *(variable.name for variable in columns), *vertebrae}, named)
    create_column(root, VARIABLES["participant"], np.asarray(eids, np.int64))
    for variable in columns:
        if variable.name in of_region:
            dtype = object if variable.dtype == "string" else variable.dtype
            values = np.array(of_region[variable.name], dtype=dtype)
        else:
            values = _joined(records, variable)
        create_column(root, variable, values)
    if vertebrae:
        _write_vertebrae(root.require_group(VERTEBRAE), records)
    consolidate(url)


def _begin(url: str, earlier: zarr.Group | None, members: set[str], attrs: dict[str, Any]) -> zarr.Group:
    """The group to write to, not readable before the commit.

    An earlier one of the same columns stays: who has opened it goes on reading values, those before or those after,
    where a group that is made anew would give them nothing but fill values.
    """
    if earlier is not None and members == set(earlier.keys()):
        root = open_for_writing(url)
        root.attrs.put(attrs)  # which writes the root without its consolidated metadata
        return root
    # Created with its name: killed in between, a nameless group would be taken for somebody else's.
    return zarr.create_group(url, zarr_format=3, overwrite=True, attributes=attrs)


def _history(before: zarr.Group | None, what: str, participants: int) -> str:
    """The withdrawals of an earlier history, and a line for what is written now, which no other writing has."""
    # To the microsecond: blocks that Dask keeps are told from new ones by this line.
    line = f"{datetime.datetime.now(datetime.UTC).isoformat()} bmx {version('bmx')} {what}, {participants} participants"
    earlier = "" if before is None else str(before.attrs.get("history", ""))
    return "\n".join([*withdrawals_in(earlier), line])


def _write_vertebrae(group: zarr.Group, records: Sequence[Mapping[str, np.ndarray]]) -> None:
    for variable in variables_of("vertebrae"):
        if variable.dims[0] == "participant":
            values = _joined(records, variable)
        else:
            values = np.arange(1, 1 + records[0]["vertebra_bmff"].shape[1])
        create_column(group, variable, values)


def _joined(records: Sequence[Mapping[str, np.ndarray]], variable: Variable) -> np.ndarray:
    values = join_rows([record[variable.name] for record in records])
    return values if variable.dtype == "string" else values.astype(variable.dtype, copy=False)


def open_results(results: str | Path) -> xr.Dataset:
    """Open what `bmx.run` wrote: a lazy Dataset, participant x region.

    Raises
    ------
    StoreError
        If there is none, or the run was not finished.
    """
    url = str(results)
    root = check_format(url, RESULTS_FORMAT, VERSION, unfinished="call bmx.run again: it does only what is missing")
    stored: xr.Dataset = xr.open_zarr(url, chunks=None, consolidated=True)
    dataset = _in_blocks(stored, _written(url, root), rows=COLUMN_CHUNK)
    # What holds for a region is four values: read here and now, so that selecting by them computes nothing.
    dataset = _with_text(dataset.assign_coords({name: stored[name].load() for name in OF_REGION}))
    return validate(dataset, "participant", "region", "bmff", "volume", "status", "flags")


def open_vertebrae(results: str | Path) -> xr.Dataset:
    """Open what `bmx.run` measured in each vertebra of the spine: a lazy Dataset, participant x vertebra.

    Vertebra 1 is the highest in the mask; who has fewer than 12 has NaN and 0 voxels in the others. Which vertebrae lie
    in the slab differs from person to person, so that the same number is not the same vertebra in everybody.

    Raises
    ------
    StoreError
        If there is no finished run, or one without a spine.
    """
    regions = open_results(results)
    if VERTEBRAE not in zarr.open_group(str(results), mode="r"):
        raise StoreError(
            f"{results} holds no vertebrae; expected a run of bmx.run with the region spine, found regions "
            f"{', '.join(map(str, regions.indexes['region']))} of {regions.attrs.get('source', 'an unknown source')}"
        )
    stored: xr.Dataset = xr.open_zarr(str(results), group=VERTEBRAE, chunks=None, consolidated=True)
    found = _in_blocks(stored, f"{_written(str(results), regions)} {VERTEBRAE}", rows=COLUMN_CHUNK)
    return found.assign_coords(participant=regions["participant"]).assign_attrs(regions.attrs)


def open_masks(masks: str | Path) -> xr.DataTree:
    """Open the masks of a run: a lazy tree of `slab_*/mask`; Dask chunks are partitions."""
    url = str(masks)
    root = check_format(url, MASKS_FORMAT, VERSION, unfinished="call bmx.run again: it does only what is missing")
    shard = int(str(root.attrs["partition_size"]))
    tree = xr.open_datatree(url, engine="zarr", chunks=None, consolidated=True)
    place = _written(url, root)
    opened = {
        node.path: _in_blocks(node.to_dataset(inherit=False), f"{place} {node.path}", rows=shard)
        for node in tree.subtree
    }
    return validate(xr.DataTree.from_dict(opened), "participant", "mask")


def _written(url: str, root: zarr.Group | xr.Dataset) -> str:
    """Where and when this was written; of what has no history nothing is known, and its blocks are nobody else's.

    xarray goes by the path and the time of the file, which a URL doesn't tell: after a second run into the same place,
    Dask would take the blocks of the first.
    """
    return f"{url} {root.attrs.get('history') or uuid.uuid4().hex}"


def _in_blocks(dataset: xr.Dataset, written: str, *, rows: int) -> xr.Dataset:
    """Make Dask arrays, so many participants in a block, that are named after what was written."""
    blocks = dataset.chunk({"participant": rows}, token=written, name_prefix="bmx-")
    return _with_text(blocks)


def _with_text(dataset: xr.Dataset) -> xr.Dataset:
    """Text as `TEXT`, whatever NumPy and Zarr make of it."""
    text = {name: dataset[name].astype(TEXT) for name, held in dataset.variables.items() if held.dtype.kind == "T"}
    return dataset.assign_coords({name: text.pop(name) for name in dataset.coords if name in text}).assign(text)


def masks_beside(results: str | Path) -> str:
    """Where the masks of a run lie unless the caller says otherwise.

    Examples
    --------
    >>> masks_beside("out/results.zarr")
    'out/results.masks.zarr'
    """
    stem = str(results).rstrip("/")
    if not stem.endswith(".zarr"):
        raise StoreError(f"a results store must be called something.zarr, found {results!r}")
    return stem.removesuffix(".zarr") + ".masks.zarr"
