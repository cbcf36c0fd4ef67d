"""Real-size participants an hour, stage by stage, and what bounds each.

    python benchmarks/cohort.py [--participants 12] [--clusters 2 64 16+1]

Six slabs of simulated participants are converted and run with one and with two of bmx's own worker processes. One
core's seconds for a participant are split into stages; the limit beside a stage is what no program can be faster than
here, measured in the same minutes: inflating an archive, decoding or encoding the bytes of the images or masks in
memory, and the networks' operations at the pace of a product of matrices; `share` says how near we come. Two workers
must do 1.8 times what one does; a worker's memory mustn't grow from run to run. At last what 100,000 participants take
on other machines, as `bmx plan --cluster` prints it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from ingest import inflate
from numcodecs import Blosc
from torch.utils.flop_counter import FlopCounterMode

import bmx
from bmx.acquisition import SLABS
from bmx.cohort.forecast import Cluster, forecast_cohort, try_run
from bmx.core.stitch import SlabPair
from bmx.core.swaps import find_swaps
from bmx.measurement import measure
from bmx.models.library import load_models
from bmx.partitions.cluster import dask_client
from bmx.partitions.progress import logs
from bmx.regions import get_region
from bmx.segmentation import segment
from bmx.store.reading import open_store
from bmx.store.results import masks_beside, open_masks, write_masks

SPEED_UP, GROWTH_MB, RUNS = 1.8, 200.0, 3
CODEC = Blosc("zstd", 3, Blosc.BITSHUFFLE)
"""As stores have it."""
PARTITION = 6
"""Participants of a partition with the default memory."""


def timed(action: Callable[[], object], repeats: int = 3) -> float:
    """The median of some calls, seconds."""
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


def speed(folder: Path, workers: int) -> tuple[float, float, list[float]]:
    """Seconds of one participant in convert and in run with so many workers, and their memory after each run, MB.

    Those of the partitions' own records: of convert without the first of each worker, in which it imports; of the runs
    without the first, in which it loads, so that one and two workers are judged by the same participants.
    """
    memory: list[float] = []
    taken: list[float] = []
    with dask_client(workers=workers) as client:
        client.run(warm)
        store = folder / f"s{workers}.zarr"
        bmx.convert(folder / "dixon", store, client=client)
        for number in range(RUNS):
            results = folder / f"r{workers}-{number}.zarr"
            bmx.run(store, results, models="simulated", client=client)
            memory.append(max(client.run(resident).values()))
            taken.append(each(list(logs(results)), workers))
    return each(begun(store), workers), float(np.median(taken[1:])), memory


def each(told: Sequence[Mapping[str, Any]], workers: int) -> float:
    """Seconds between two participants."""
    return sum(one["seconds"] for one in told) / sum(one["participants"] for one in told) / workers


def begun(place: Path) -> list[Mapping[str, Any]]:
    """The records of partitions without the first of each worker."""
    told = sorted(logs(place), key=lambda one: one["ended"])
    return [one for k, one in enumerate(told) if one["worker"] in {before["worker"] for before in told[:k]}]


def warm() -> None:
    """Import what a task needs, which takes a second."""
    torch.set_num_threads(1)
    import bmx.cohort.partition  # noqa: F401


def resident() -> float:
    """MB of this process."""
    import psutil

    return float(psutil.Process().memory_info().rss / 1e6)


def stages(store: Path, results: Path) -> pd.DataFrame:
    """Seconds of one core for one participant, by stage, and the limit of each."""
    torch.set_num_threads(1)
    slabs = open_store(store)
    one = slabs.isel(participant=slice(1, 2))
    names = [slab.name for slab in SLABS.values() if slab.name in one.children]

    def read() -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        found = {}
        for name in names:
            slab = one[name].to_dataset().isel(participant=0).compute()
            found[name] = tuple(slab[what].to_numpy() for what in ("fat", "water", "affine"))
        return found

    images = read()
    numbers = {int(name.rpartition("_")[2]): SlabPair(*images[name]) for name in names}
    models = load_models("simulated")
    several = slabs.isel(participant=slice(0, PARTITION))
    people = several.sizes["participant"]
    drawn = open_masks(masks_beside(str(results))).isel(participant=slice(0, PARTITION)).compute()
    near = several.compute()

    def draw() -> None:
        for name, model in models.items():
            model.draw(*images[SLABS[get_region(name).slab].name])

    volumes = [volume for pair in images.values() for volume in pair[:2]]
    packed = [CODEC.encode(volume) for volume in volumes]
    masks = [node["mask"].to_numpy()[:1] for node in drawn.children.values()]
    with FlopCounterMode(display=False) as counter:
        draw()
    limits = {
        "read images of six slabs": timed(lambda: [CODEC.decode(one) for one in packed]),
        "networks, four regions": counter.get_total_flops() / matmul_pace(),
        "write masks": timed(lambda: [CODEC.encode(np.ascontiguousarray(mask)) for mask in masks]),
    }
    rows = {
        "read images of six slabs": timed(read),
        "networks, four regions": timed(draw),
        "search for swaps": timed(lambda: find_swaps(numbers)),
        "measure": timed(lambda: measure(near, masks=drawn).compute()) / people,
        "write masks": timed(lambda: write_masks(masks_beside(str(results)), drawn, start=0)) / people,
        "all but writing, as a partition does it": timed(
            lambda: measure(several, masks=segment(several, models="simulated").compute()).compute(), repeats=1
        )
        / people,
    }
    table = pd.DataFrame({"seconds": rows, "limit": limits}).loc[list(rows)]
    return table.assign(share=table["limit"] / table["seconds"])


def matmul_pace(size: int = 1536) -> float:
    """Floating point operations in a second, of one thread in a product of matrices."""
    one = torch.rand(size, size)
    return 2 * size**3 / timed(lambda: one @ one)


def inflate_one(folder: Path) -> float:
    """Seconds that inflating one archive takes, and nothing else."""
    content = next(folder.glob("*.zip")).read_bytes()
    return timed(lambda: inflate(content))


def main() -> int:
    """Simulate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, default=12)
    parser.add_argument("--clusters", nargs="+", default=["2", "64", "16+1"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        bmx.simulate(folder, participants=options.participants, seed=31, maps=False)
        shutil.rmtree(folder / "truth.zarr")
        one, two = (speed(folder, workers) for workers in (1, 2))
        alone = inflate_one(folder / "dixon")
        table = stages(folder / "s2.zarr", folder / "r2-0.zarr")
        rate = try_run(folder / "s2.zarr", "simulated")
    rates = pd.DataFrame(
        {
            "seconds, 1 worker": list(one[:2]),
            "participants an hour": [3600 / value for value in one[:2]],
            "2 workers": [3600 / value for value in two[:2]],
            "times": [one[0] / two[0], one[1] / two[1]],
        },
        index=["convert", "run"],
    )
    print(rates.to_string(float_format="{:,.2f}".format))
    print(f"inflating an archive takes {alone:.2f} s, {alone / one[0]:.0%} of a conversion's")
    print("\nof a run, one core, seconds for one participant")
    print(table.to_string(float_format="{:.3f}".format))
    missed = 0
    for what, value, sign, limit in (
        ("run, two workers against one", one[1] / two[1], ">=", SPEED_UP),
        ("a worker's memory after the last run, MB more than before", one[2][-1] - max(one[2][:-1]), "<=", GROWTH_MB),
    ):
        holds = value >= limit if sign == ">=" else value <= limit
        missed += not holds
        print(f"{what}: {value:.2f} (aim {sign} {limit:g}){'' if holds else '  MISSED'}")
    print("\nhours for 100,000 participants, if cores are like these")
    clusters = [Cluster.parse(text) for text in options.clusters]
    plan = forecast_cohort(100_000, clusters, convert_seconds=one[0], run=rate)
    print(plan.to_string(index=False, float_format="{:,.1f}".format))
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
