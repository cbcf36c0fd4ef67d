"""The promise of `plan`: no task takes more memory than was said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bmx.acquisition import CONTRASTS, SLABS, ContrastName
from bmx.ingest.beginning import Asked, lay_out, plan_store
from bmx.ingest.memory import BYTES_AT_REST, MAX_MEMORY, bytes_per_participant
from bmx.partitions.plan import choose_size
from bmx.simulation.exam_zips import write_exam
from bmx.simulation.exams import plan_exam
from bmx.types import IntVolume
from tests.exams import affine

# What a worker process is: bmx and Dask imported, then a partition. Not ru_maxrss, which begins with the parent's.
WORKER = """
import json, re, sys
from pathlib import Path
import distributed, xarray
from bmx.ingest.encode import encode_partition
def peak():
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
at_rest = peak()
encode_partition(sys.argv[1], 0)
print(json.dumps([at_rest, peak()]))
"""


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One complete exam twelve times; its archive hardly compresses: 75 MB, more than a real one."""
    folder = tmp_path_factory.mktemp("noisy")
    rng = np.random.default_rng(5)
    pictures: dict[int, dict[ContrastName, IntVolume]] = {
        number: {name: rng.integers(0, 4096, (slab.slices, slab.rows, slab.columns), np.uint16) for name in CONTRASTS}
        for number, slab in SLABS.items()
    }
    first = folder / "1000000_20201_2_0.zip"
    write_exam(first, plan_exam(pictures, {number: affine(number) for number in SLABS}, seed=5))
    for eid in range(1000001, 1000012):
        os.link(first, folder / f"{eid}_20201_2_0.zip")
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize("contrasts", [("fat",), ("fat", "water"), tuple(CONTRASTS)], ids=len)
def test_encode_partition__keeps_the_promise_of_memory(
    noisy: Path, tmp_path: Path, contrasts: tuple[ContrastName, ...]
) -> None:
    """Peak of a real process, whole exams that don't compress, a partition as full as the promise allows."""
    in_shard, in_memory = bytes_per_participant(list(SLABS), contrasts)
    size = choose_size(
        10_000,
        bytes_per_shard_row=in_shard,
        bytes_per_row=in_memory,
        workers=1,
        max_memory=MAX_MEMORY,
        bytes_at_rest=BYTES_AT_REST,
    )
    assert size >= 3, "a promise about so few participants would test nothing"
    work, plan, _ = plan_store(
        noisy, tmp_path / "s.zarr", Asked(contrasts=contrasts), client=None, workers=1, max_memory=MAX_MEMORY
    )
    lay_out(work, type(plan)(plan.eids, size, plan.options))
    ended = subprocess.run(
        [sys.executable, "-c", WORKER, work.url],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=True,
    )
    at_rest, peak = json.loads(ended.stdout)
    promised = BYTES_AT_REST + size * in_memory
    images = size * len(contrasts) * sum(2 * int(np.prod(slab.stored_shape)) for slab in SLABS.values())
    assert at_rest + images < peak, "the test has measured something else"
    assert peak <= promised <= MAX_MEMORY, f"at rest {at_rest:,}, peak {peak:,}, promised {promised:,}"
