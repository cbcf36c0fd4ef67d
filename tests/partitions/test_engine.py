from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from distributed import Client

from bmx.errors import BmxError
from bmx.partitions.cluster import dask_client
from bmx.partitions.engine import run_missing
from bmx.partitions.plan import Plan
from bmx.partitions.work import WorkFolder

PLAN = Plan(tuple(range(100, 110)), 3)


@pytest.fixture
def work(tmp_path: Path) -> WorkFolder:
    folder = WorkFolder(tmp_path / "s.zarr.work")
    folder.write_plan(PLAN)
    return folder


def note(work_url: str, index: int, *, factor: int = 1) -> None:
    """Record the sum of the partition's EIDs."""
    work = WorkFolder(work_url)
    part = work.read_plan().partition(index)
    work.write_record(index, {"sum": np.array(sum(part.eids) * factor)})
    work.write_marker(index, part.digest)


def fail_on_two(work_url: str, index: int) -> None:
    if index == 2:
        raise OSError("no space left on device")
    note(work_url, index)


def die_once(work_url: str, index: int) -> None:
    died = Path(work_url) / "died"
    if index == 1 and not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    note(work_url, index)


def die(work_url: str, index: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sums(work: WorkFolder) -> list[int]:
    return [int(work.read_record(part.index)["sum"]) for part in PLAN.partitions()]


EXPECTED = [sum(part.eids) for part in PLAN.partitions()]


def test_run_missing__does_all_then_nothing(threads: Client, work: WorkFolder) -> None:
    """A second call on finished work costs nothing."""
    assert run_missing(note, work, PLAN, client=threads, label="note") == 4
    assert sums(work) == EXPECTED
    assert run_missing(fail_on_two, work, PLAN, client=threads, label="note") == 0


@pytest.mark.parametrize("lost", range(4))
def test_run_missing__does_only_what_is_missing(threads: Client, work: WorkFolder, lost: int) -> None:
    """Each partition in turn loses its marker; the second call multiplies, so we see which were done."""
    run_missing(note, work, PLAN, client=threads, label="note")
    next(Path(work.url).glob(f"done/*{lost}")).unlink()
    assert run_missing(partial(note, factor=10), work, PLAN, client=threads, label="note") == 1
    assert sums(work) == [total * (10 if i == lost else 1) for i, total in enumerate(EXPECTED)]


def test_run_missing__stops_at_a_failing_task_and_names_its_partition(threads: Client, work: WorkFolder) -> None:
    """A full disk is not a bad participant; what was finished stays."""
    with pytest.raises(OSError, match="no space left") as caught:
        run_missing(fail_on_two, work, PLAN, client=threads, label="note")
    assert caught.value.__notes__ == ["while doing partition 2 (participants 106 to 108, 3 in all)"]
    assert 2 in work.missing(PLAN)


@pytest.mark.slow
def test_run_missing__survives_a_killed_worker(work: WorkFolder) -> None:
    """Real processes: the task of the dead worker is done again by another."""
    with dask_client(workers=2) as local:
        assert run_missing(die_once, work, PLAN, client=local, label="note") == 4
    assert sums(work) == EXPECTED


@pytest.mark.slow
def test_run_missing__gives_up_on_a_partition_that_kills(work: WorkFolder) -> None:
    """Otherwise one participant would keep a cluster busy for ever."""
    with dask_client(workers=1) as local, pytest.raises(BmxError, match=r"partition 0 .* killed its worker"):
        run_missing(die, work, Plan((100,), 3), client=local, label="note")
