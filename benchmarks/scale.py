"""What a store costs its reader as it grows: columns at full size, images of the real shape without a voxel in them.

    python benchmarks/scale.py [--participants 1000 10000 100000]
    python benchmarks/scale.py --run [--participants 1000 10000 100000] [--partition 32] [--workers 2]

Aims at 100,000: open_store in 0.5 s, one status column in 0.1 s, memory that grows by less than 1 GB.
Each size is measured in a process of its own; times are the median of five, memory is what opening added.
With `--run`, a run on images of a few voxels: what a participant costs beside theirs. Aims: 10 ms of a worker each,
1 GB for client and scheduler together, 5 s for a call with nothing to do. In proportion to participants, or better.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bmx.acquisition import CONTRASTS, SLABS, ContrastName
from bmx.ingest.memory import BYTES_AT_REST, MAX_MEMORY, bytes_per_participant
from bmx.partitions.plan import choose_size
from bmx.store.layout import consolidate
from bmx.store.slabs import column_names, create_store, write_columns
from bmx.variables import VARIABLES, variables_of

KEPT: tuple[ContrastName, ...] = ("fat", "water")
SERIES_PER_PERSON = len(SLABS) * len(CONTRASTS)
AIMS = {"open_store": 0.5, "one status column": 0.1}
LENGTHS = {"world_axis": 3, "voxel_axis": 4, "relation": 2}
TEXT = "fat lacks 1 of 44 slices; water lacks 1 of 44 slices"
REPEATS = 5


def make_store(url: str, participants: int) -> None:
    """Write a store whose images are empty and whose columns are full."""
    in_shard, in_memory = bytes_per_participant(list(SLABS), KEPT)
    shard = choose_size(
        participants,
        bytes_per_shard_row=in_shard,
        bytes_per_row=in_memory,
        workers=16,
        max_memory=MAX_MEMORY,
        bytes_at_rest=BYTES_AT_REST,
    )
    create_store(url, participants=participants, shard=shard, slabs=list(SLABS), contrasts=KEPT, instance=2)
    columns = {path: _filled(path, participants) for path in column_names(list(SLABS))}
    columns |= {
        f"series/{variable.name}": _filled(variable.name, participants * SERIES_PER_PERSON)
        for variable in variables_of("series")
    }
    write_columns(url, columns.items())
    consolidate(url, simulated=True, history="made by a benchmark")


def _filled(path: str, rows: int) -> np.ndarray:
    variable = VARIABLES[path.rpartition("/")[2]]
    shape = (rows, *(LENGTHS[dim] for dim in variable.dims[1:]))
    if variable.dtype == "string":
        return np.full(shape, TEXT)
    if path == "participant":
        return 1_000_000 + np.arange(rows, dtype=np.int64)
    return np.ones(shape, variable.dtype)


def measure(url: str) -> None:
    """Print what opening and looking cost."""
    import psutil

    import bmx

    process = psutil.Process()
    bmx.open_store(url)  # imports, and the cache of the disk
    before = process.memory_info().rss
    tree = bmx.open_store(url)
    eid = int(tree["participant"][-1])
    seconds = {
        "open_store": _median(lambda _: bmx.open_store(url), before=lambda: None),
        "one status column": _median(
            lambda new: new["slab_2/slab_status"].to_numpy(), before=lambda: bmx.open_store(url)
        ),
        "one text column": _median(
            lambda new: new["slab_2/slab_reason"].to_numpy(), before=lambda: bmx.open_store(url)
        ),
        "select one participant, lazily": _median(lambda new: new.sel(participant=eid), before=lambda: tree),
        "read one volume of theirs": _median(
            lambda new: new["slab_2/fat"].sel(participant=eid).to_numpy(), before=lambda: tree
        ),
    }
    for what, value in seconds.items():
        print(f"  {what:<32}{value:8.3f} s" + (f" (aim {AIMS[what]} s)" if what in AIMS else ""))
    tasks = sum(
        len(dict(child[name].__dask_graph__())) for child in tree.children.values() for name in KEPT if name in child
    )
    print(f"  {'tasks in all image arrays':<32}{tasks:8,}")
    print(f"  {'memory of the reader, added':<32}{(process.memory_info().rss - before) / 1e6:8.0f} MB")


def _median(action: Callable[[Any], object], *, before: Callable[[], object]) -> float:
    """Seconds of an action on what `before` gives, which isn't timed: a column is read once from an open store."""
    taken = []
    for _ in range(REPEATS):
        ready = before()
        began = time.perf_counter()
        action(ready)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main() -> None:
    """Make a store of each size, and measure it in a new process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--run", action="store_true", help="measure a run, not a reader")
    parser.add_argument("--partition", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--measure", metavar="STORE", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.measure)
        return
    if given.run and len(given.participants) == 1:
        from scale_run import report

        report(given.participants[0], partition=given.partition, workers=given.workers)
        return
    for participants in given.participants:
        if given.run:
            same = ["--partition", str(given.partition), "--workers", str(given.workers)]
            words = [sys.executable, __file__, "--run", "--participants", str(participants), *same]
            subprocess.run(words, check=True)
            continue
        with tempfile.TemporaryDirectory() as folder:
            url = str(Path(folder) / "scale.zarr")
            began = time.perf_counter()
            make_store(url, participants)
            print(f"{participants:,} participants (columns written in {time.perf_counter() - began:.0f} s)", flush=True)
            subprocess.run([sys.executable, __file__, "--measure", url], check=True)


if __name__ == "__main__":
    main()
