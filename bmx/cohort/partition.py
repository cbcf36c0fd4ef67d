"""One partition of a run: its masks, its measurements, its record, its marker."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import xarray as xr

from bmx.core.recipes import recipe_of_plan
from bmx.errors import BmxError
from bmx.measurement import measure, measure_vertebrae
from bmx.models.base import Models
from bmx.models.told import make_model
from bmx.partitions.rescue import NOBODY
from bmx.partitions.work import WorkFolder
from bmx.segmentation import segment
from bmx.store.reading import open_store
from bmx.store.results import write_masks
from bmx.variables import MEASUREMENT_STATUS, SLAB_STATUS, variables_of

logger = logging.getLogger(__name__)

TEXT = np.dtypes.StringDType()
SPINE = "spine"
_LONGEST = 300
"""Characters of an error that are kept as a reason."""

_NO_MEMORY = ("can't allocate memory", "CUDA error: out of memory", "_STATUS_ALLOC_FAILED")
"""How torch's allocator of RAM, CUDA outside torch's own allocator, and cuBLAS and cuDNN say it."""

THREADS = 1
"""Threads of one CPU task: tasks run side by side, and the order of sums must not depend on the machine."""


def run_partition(work_url: str, index: int, *, only: int | None = None, without: Mapping[int, str] = NOBODY) -> int:
    """Segment and measure the participants of one partition; reads the plan itself.

    `segment` and `measure` are the very verbs that a user composes by hand, computed here on one
    partition, so that both ways give the same numbers. A participant whose images make them raise gets a
    reason instead of values; if all of several do, it is the program that is at fault, and the error is raised.
    So is a want of memory, whoever's images were at hand: images of all participants take the same.

    Parameters
    ----------
    work_url, index : the work folder, and which partition of its plan
    only : try this participant of the partition alone (counted from 0), and write nothing
    without : participants of the partition (counted from 0) who aren't touched, and why

    Returns
    -------
    how many participants have a region whose measurement failed
    """
    import torch

    torch.set_num_threads(THREADS)
    work = WorkFolder(work_url)
    plan = work.read_plan()
    part = plan.partition(index)
    models = {name: make_model(told) for name, told in plan.options["models"].items()}
    slabs = open_store(plan.options["store"]).isel(participant=slice(part.start, part.stop))
    if only is not None:
        _compute(slabs.isel(participant=slice(only, only + 1)), models, plan.options)
        return 0
    lost = dict(without)
    try:
        drawn, measured = _compute(_leave_out(slabs, lost), models, plan.options)
    except (OSError, MemoryError, BmxError):
        raise
    except Exception:  # whatever a participant's images can make somebody's model raise
        lost |= _find_culprits(slabs, models, plan.options, lost)
        # Of one participant alone nothing tells whether the fault is theirs; it must not stop the others.
        if len(lost) == len(part.eids) > 1:
            raise
        drawn, measured = _compute(_leave_out(slabs, lost), models, plan.options)
    write_masks(plan.options["masks"], drawn, start=part.start)
    digests = slabs["source_digest"].to_numpy().astype(object).astype(str)
    work.write_record(index, record(*measured) | {"source_digest": digests})
    work.write_marker(index, part.digest)
    return int((measured[0]["status"] == MEASUREMENT_STATUS["failed"]).any("region").sum())


def _compute(slabs: xr.DataTree, models: Models, options: Mapping[str, Any]) -> tuple[xr.DataTree, list[xr.Dataset]]:
    """Masks and results of some participants: of their regions and, if they have a spine, of its vertebrae."""
    # Inside a Dask task: a nested call to the cluster would wait for a free worker, this one, for ever.
    # Said at each call, since Dask's configuration is shared by all threads of a worker.
    here = {"scheduler": "synchronous"}
    lazy = segment(
        slabs,
        models=models,
        regions=options["regions"],  # by their full names, which mean one side
        neighbours=options["neighbours"],
        swaps=options["swaps"],
        allow_simulated=True,
    )
    with _memory_errors():
        drawn = lazy.compute(**here)
    recipe = recipe_of_plan(options["recipe"])
    verbs = [measure, measure_vertebrae] if SPINE in options["regions"] else [measure]
    return drawn, [verb(slabs, masks=drawn, recipe=recipe).compute(**here) for verb in verbs]


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Raise a MemoryError where torch lacks memory, on a GPU or in RAM: to Python it is a RuntimeError like others."""
    import torch

    try:
        yield
    except RuntimeError as exc:
        if isinstance(exc, torch.OutOfMemoryError) or any(words in str(exc) for words in _NO_MEMORY):
            raise MemoryError(str(exc)) from exc
        raise


def _find_culprits(
    slabs: xr.DataTree, models: Models, options: Mapping[str, Any], lost: Collection[int]
) -> dict[int, str]:
    """Who can't be worked on, and why: each participant tried alone."""
    found = {}
    for row in range(slabs.sizes["participant"]):
        if row not in lost:
            try:
                _compute(slabs.isel(participant=slice(row, row + 1)), models, options)
            except (OSError, MemoryError, BmxError):
                raise
            except Exception as exc:  # noqa: BLE001  # it becomes this participant's reason
                found[row] = f"{type(exc).__name__}: {exc}"[:_LONGEST]
                logger.warning("participant %d: %s", int(slabs["participant"].to_numpy()[row]), found[row])
    return found


def _leave_out(slabs: xr.DataTree, lost: Mapping[int, str]) -> xr.DataTree:
    """The same slabs, those of some participants unreadable for a reason."""
    if not lost:
        return slabs
    there = np.isin(np.arange(slabs.sizes["participant"]), list(lost))
    told = np.array([lost.get(row, "") for row in range(len(there))], TEXT)
    rows, reasons = (xr.DataArray(values, dims="participant") for values in (there, told))
    changed = {"/": slabs.to_dataset()}
    for name, node in slabs.children.items():
        data = node.to_dataset(inherit=False)
        if "slab_status" in data:
            status, why = data["slab_status"], data["slab_reason"]
            unreadable = status.dtype.type(SLAB_STATUS["unreadable"])
            data = data.assign(
                slab_status=status.where(~rows, unreadable).assign_attrs(status.attrs),
                slab_reason=why.where(~rows, reasons).assign_attrs(why.attrs),
            )
        changed[f"/{name}"] = data
    return xr.DataTree.from_dict(changed)


def record(results: xr.Dataset, vertebrae: xr.Dataset | None = None) -> dict[str, np.ndarray]:
    """The per-participant variables of results, and of vertebrae, as plain arrays, text as NumPy `U`."""
    kept = {}
    for variable in (*variables_of("results"), *(variables_of("vertebrae") if vertebrae is not None else ())):
        if variable.dims[0] == "participant":
            held = results if vertebrae is None or variable.place == "results" else vertebrae
            values = held[variable.name].to_numpy()
            kept[variable.name] = values.astype(object).astype(str) if variable.dtype == "string" else values
    return kept
