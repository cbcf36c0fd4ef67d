"""What a run costs beside its voxels, as participants become many: `python benchmarks/scale.py --run`."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import tiny_slabs
import torch
import xarray as xr
import zarr
from distributed import Client, LocalCluster

import bmx
from bmx.models.cards import ORIENTATION, ModelCard
from bmx.models.weights import save_weights
from bmx.nn.build import build
from bmx.partitions.progress import status
from bmx.regions import get_region, region_spacing
from bmx.store.layout import consolidate
from bmx.store.slabs import column_names, create_store, write_columns
from bmx.variables import SLAB_STATUS

REGION, SIZES = "femoral_head", {"widths": [2, 2]}
AIMS = {"overhead, ms a participant": 10.0, "memory of client and scheduler, GB": 1.0, "nothing to do, s": 5.0}


@dataclass
class Watched:
    """What a thread saw of a run."""

    first: float = float("nan")
    """When the first partition was done, and ..."""
    last: float = float("nan")
    """... the last, seconds from the call."""
    peak: float = 0.0
    """GB of this process, in which client and scheduler live."""


def make_store(url: str, participants: int, partition: int) -> None:
    """Slab 4 of everybody, a few voxels each."""
    create_store(url, participants=participants, shard=partition, slabs=[4], contrasts=("fat", "water"), instance=2)
    rng = np.random.default_rng(0)
    group = zarr.open_group(url, mode="r+")["slab_4"]
    block = 64 * partition
    for name in ("fat", "water"):
        array = group[name]
        for start in range(0, participants, block):
            count = min(block, participants - start)
            array[start : start + count] = rng.integers(200, 900, (count, *array.shape[1:])).astype(np.uint16)
    affine = np.array([[-2.2, 0, 0, 15], [0, -2.2, 0, 13], [0, 0, 4.5, -100.0]])
    columns = {path: _column(path, participants, affine) for path in column_names([4])}
    write_columns(url, columns.items())
    consolidate(url, simulated=True, history="made by a benchmark")


def _column(path: str, rows: int, affine: np.ndarray) -> np.ndarray:
    name = path.rpartition("/")[2]
    if name == "participant":
        return 1_000_000 + np.arange(rows, dtype=np.int64)
    if name == "affine":
        return np.broadcast_to(affine, (rows, 3, 4)).copy()
    if name in ("slab_reason", "source_digest"):
        return np.full(rows, "")
    if name == "physics_residual":
        return np.zeros((rows, 2), np.float32)
    value = {"native_slices": tiny_slabs.SLICES, "slab_status": SLAB_STATUS["complete"]}.get(name, 0)
    return np.full(rows, value, np.int16 if name == "native_slices" else np.uint16 if "flags" in name else np.uint8)


def make_model(folder: Path) -> Path:
    """A network of a few weights."""
    torch.manual_seed(0)
    network = build("unet", get_region(REGION), SIZES)
    where = folder / REGION
    where.mkdir(parents=True)
    ModelCard(
        region=REGION, architecture="unet", sizes=SIZES, input="fat+water",
        spacing=region_spacing(get_region(REGION)), orientation=ORIENTATION, normalisation="",
        training_data="none: random weights",
        training_steps=0, simulated=True, held_out={}, reference={}, intended_use="a benchmark", licence="BSD-3-Clause",
        weights_digest=save_weights(where, network, region=REGION, contrast="fat+water"),
    ).write(where)  # fmt: skip
    return folder


@contextmanager
def watch(results: str) -> Iterator[Watched]:
    """Look at the markers and at this process ten times a second."""
    seen, ended, began = Watched(), threading.Event(), time.perf_counter()
    done = Path(f"{results}.work/done")

    def look() -> None:
        process, count = psutil.Process(), 0
        while not ended.wait(0.1):
            seen.peak = max(seen.peak, process.memory_info().rss / 1e9)
            now = sum(1 for _ in done.iterdir()) if done.exists() else 0
            if now and not count:
                seen.first = time.perf_counter() - began
            if now > count:
                seen.last, count = time.perf_counter() - began, now

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def measure(participants: int, *, partition: int, workers: int) -> dict[str, float]:
    """One run, the same call again, and the first look at its results."""
    tiny_slabs.dask_setup()
    with tempfile.TemporaryDirectory() as scratch:
        store, results = f"{scratch}/slabs.zarr", f"{scratch}/results.zarr"
        make_store(store, participants, partition)
        models = make_model(Path(scratch) / "models")
        options = {"models": models, "regions": [REGION], "swaps": False, "neighbours": False}
        with (
            LocalCluster(
                n_workers=workers, threads_per_worker=1, memory_limit=None, dashboard_address=":0",
                preload=str(Path(tiny_slabs.__file__)),
            ) as cluster,
            Client(cluster) as client,
        ):  # fmt: skip
            client.run(lambda: __import__("torch").set_num_threads(1))
            began = time.perf_counter()
            with watch(results) as seen:
                bmx.run(store, results, client=client, **options)
            total = time.perf_counter() - began
            began = time.perf_counter()
            bmx.run(store, results, client=client, **options)
            again = time.perf_counter() - began
        assert status(results).finished
        began = time.perf_counter()
        opened = bmx.open_results(results)
        group = xr.DataArray(np.arange(participants) % 3, dims="participant", name="group")
        means = opened["voxels"].groupby(group).mean().compute()
        looked = time.perf_counter() - began
        assert means.sizes["group"] == 3
    return {
        "first partition done, s": seen.first,
        "all, s": total,
        "overhead, ms a participant": 1000 * workers * (seen.last - seen.first) / max(participants - partition, 1),
        "results assembled, s": total - seen.last,
        "memory of client and scheduler, GB": seen.peak,
        "nothing to do, s": again,
        "open and group by, s": looked,
    }


def report(participants: int, *, partition: int, workers: int) -> None:
    """Measure one size and print it."""
    print(f"{participants:,} participants in partitions of {partition}, {workers} workers", flush=True)
    for what, value in measure(participants, partition=partition, workers=workers).items():
        aim = AIMS.get(what)
        said = "" if aim is None else f" (aim {aim:g}){'' if value <= aim else '  MISSED'}"
        print(f"  {what:<36}{value:10.3f}{said}", flush=True)
