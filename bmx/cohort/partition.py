"""One partition of a run: its masks, its measurements, its record, its marker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from bmx.errors import ModelError
from bmx.measurement import measure
from bmx.models.cards import ModelCard
from bmx.models.own import Model
from bmx.partitions.work import WorkFolder
from bmx.segmentation import segment
from bmx.store.reading import open_store
from bmx.store.results import write_masks
from bmx.variables import variables_of

THREADS = 1
"""Threads of one CPU task: tasks run side by side, and the order of sums must not depend on the machine."""


def run_partition(work_url: str, index: int) -> None:
    """Segment and measure the participants of one partition; reads the plan itself.

    `segment` and `measure` are the very verbs that a user composes by hand, computed here on one
    partition, so that both ways give the same numbers.
    """
    import torch

    torch.set_num_threads(THREADS)
    work = WorkFolder(work_url)
    plan = work.read_plan()
    part = plan.partition(index)
    options = plan.options
    models = {name: _model(folder, digest) for name, (folder, digest) in options["models"].items()}
    slabs = open_store(options["store"]).isel(participant=slice(part.start, part.stop))
    # Inside a Dask task: a nested call to the cluster would wait for a free worker, this one, for ever.
    # Said at each call, since Dask's configuration is shared by all threads of a worker.
    here = {"scheduler": "synchronous"}
    drawn = segment(
        slabs, models=models, regions=options["regions"], neighbours=options["neighbours"], allow_simulated=True
    ).compute(**here)
    results = measure(slabs, masks=drawn, recipe=options["recipe"]).compute(**here)
    write_masks(options["masks"], drawn, start=part.start)
    work.write_record(index, record(results))
    work.write_marker(index, part.digest)


def record(results: xr.Dataset) -> dict[str, np.ndarray]:
    """The per-participant variables of a results Dataset as plain arrays, text as NumPy `U`."""
    kept = {}
    for variable in variables_of("results"):
        if variable.dims[0] == "participant":
            values = results[variable.name].to_numpy()
            kept[variable.name] = values.astype(object).astype(str) if variable.dtype == "string" else values
    return kept


def _model(folder: str, digest: str) -> Model:
    """The model that the plan names; one that was trained anew in the same folder must not slip in."""
    model = Model(folder, ModelCard.read(Path(folder)))
    if model.digest != digest:
        raise ModelError(
            f"{folder} changed since this run began (weights {digest}, now {model.digest}); "
            "put the old model back, or run into another place"
        )
    return model
