"""What a whole cohort will take on a cluster that isn't there yet: hours of each step, and what they cost."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from bmx.acquisition import SLABS
from bmx.errors import StoreError
from bmx.measurement import measure
from bmx.models.base import Models, RegionModel
from bmx.models.own import Model
from bmx.regions import get_region
from bmx.segmentation import segment
from bmx.segmentation.choice import choose_regions
from bmx.segmentation.tree import models_of
from bmx.store.reading import open_store
from bmx.variables import SLAB_STATUS

_TRIALS = 3
"""Participants to try; the first one is slow, and the median doesn't mind."""
_CLUSTER = re.compile(r"(?P<cores>\d+)(?:\+(?P<gpus>\d+))?")


@dataclass(frozen=True, slots=True)
class Cluster:
    """What could be rented."""

    cores: int
    gpus: int = 0

    @classmethod
    def parse(cls, text: str) -> Cluster:
        """Understand `64`, or `16+1` for 16 cores and a GPU.

        Examples
        --------
        >>> Cluster.parse("16+1")
        Cluster(cores=16, gpus=1)
        """
        found = _CLUSTER.fullmatch(text.strip())
        if found is None or int(found["cores"]) < 1:
            raise ValueError(f"expected a number of cores, or cores+GPUs as 16+1, found {text!r}")
        return cls(int(found["cores"]), int(found["gpus"] or 0))

    def __str__(self) -> str:
        """As people say it."""
        gpus = f", {self.gpus} GPU{'s' * (self.gpus > 1)}" if self.gpus else ""
        return f"{self.cores} core{'s' * (self.cores > 1)}{gpus}"


@dataclass(frozen=True, slots=True)
class RunRate:
    """What a run takes for one participant, on one core of this machine."""

    rest: float
    """Seconds of everything but the networks: reading, swaps, measuring."""
    network: float
    """Seconds of the networks on a core; NaN for models of others on a machine with a GPU, which run there."""
    network_gpu: float | None
    """The same on the GPU of this machine, if it has one."""
    tried: int
    """Participants."""

    @property
    def seconds(self) -> float:
        """Of everything on one core."""
        return self.rest + self.network


def try_run(store: str | Path, models: str | Path | Models, *, allow_simulated: bool = False) -> RunRate:
    """Segment and measure up to three participants of a store in this process, on one thread, and say what one takes.

    On a machine with a GPU the networks are run both there and on a core, since the clusters to come may have none.

    Raises
    ------
    StoreError
        If nobody in the store has images.
    """
    import torch

    slabs = open_store(store)
    eids = _with_images(slabs)
    found = models_of(choose_regions(slabs, None, "left"), models)
    on_core = {name: replace(model, device="cpu") for name, model in found.items() if isinstance(model, Model)}
    threads, on_gpu = torch.get_num_threads(), torch.cuda.is_available()
    torch.set_num_threads(1)
    try:
        whole, here, core = [], [], []
        for row in eids:
            one = slabs.isel(participant=slice(row, row + 1))
            began = time.perf_counter()
            masks = segment(one, models=models, allow_simulated=allow_simulated).compute()
            measure(one, masks=masks).compute()
            whole.append(time.perf_counter() - began)
            here.append(_seconds_of(found, one))
            if on_gpu and len(on_core) == len(found):
                core.append(_seconds_of(on_core, one))
    finally:
        torch.set_num_threads(threads)
    drawing = float(np.median(here))
    rest = float(np.median(whole)) - drawing
    if not on_gpu:
        return RunRate(rest, drawing, None, len(eids))
    return RunRate(rest, float(np.median(core)) if core else float("nan"), drawing, len(eids))


def _seconds_of(models: Mapping[str, RegionModel], one: xr.DataTree) -> float:
    """What these networks take for one participant."""
    spent = 0.0
    for name, model in models.items():
        slab = one[SLABS[get_region(name).slab].name].to_dataset().isel(participant=0).compute()
        images = (slab["fat"].to_numpy(), slab["water"].to_numpy(), slab["affine"].to_numpy())
        began = time.perf_counter()
        model.draw(*images)
        spent += time.perf_counter() - began
    return spent


def forecast_cohort(
    participants: int,
    clusters: Sequence[Cluster],
    *,
    convert_seconds: float,
    run: RunRate,
    price: float | None = None,
    gpu_price: float | None = None,
) -> pd.DataFrame:
    """Say how many hours each step takes on each cluster, if its cores are like those of this machine.

    Parameters
    ----------
    participants : how many
    clusters : on which
    convert_seconds : of one participant on one core, as `bmx.plan` measures it
    run : as `try_run` measures it
    price, gpu_price : of an hour of a core and of a GPU, in any currency

    Returns
    -------
    DataFrame, a row for each cluster: `cluster`, hours `convert`, `run` and `all`, `bound` (what a run waits for), and
    with prices `cost`. On GPUs the networks' time is that of the GPU here; without one it isn't known, and `run` holds
    the cores' part alone. What isn't known of the cores is NaN.
    """
    rows = []
    for cluster in clusters:
        ingest = participants * convert_seconds / cluster.cores / 3600
        bound = "cores" if np.isfinite(run.network) else "cores (networks measured on a GPU alone)"
        seconds = run.seconds / cluster.cores
        if cluster.gpus:
            rest = run.rest / cluster.cores
            drawing = None if run.network_gpu is None else run.network_gpu / cluster.gpus
            seconds = rest if drawing is None else max(rest, drawing)
            bound = "cores (no GPU here to measure)" if drawing is None else "cores" if rest >= drawing else "GPU"
        hours = participants * seconds / 3600
        row = {"cluster": str(cluster), "convert": ingest, "run": hours, "all": ingest + hours, "bound": bound}
        if price is not None:
            row["cost"] = (ingest + hours) * (cluster.cores * price + cluster.gpus * (gpu_price or 0.0))
        rows.append(row)
    return pd.DataFrame(rows)


def _with_images(slabs: xr.DataTree) -> list[int]:
    """Rows of some participants who have all slabs of the store."""
    there: np.ndarray | None = None
    for name, node in slabs.children.items():
        if name.startswith("slab_"):
            complete = node["slab_status"].to_numpy() == SLAB_STATUS["complete"]
            there = complete if there is None else there & complete
    rows = np.flatnonzero(there) if there is not None else np.array([], int)
    if not len(rows):
        raise StoreError("nobody in this store has all of its slabs; give one with some whole exams to try")
    return [int(row) for row in rows[:_TRIALS]]
