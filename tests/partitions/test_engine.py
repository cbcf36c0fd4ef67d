from __future__ import annotations

import json
import os
import signal
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster

import bmx.partitions.engine as engine
from bmx.errors import BmxError, StoreError
from bmx.partitions.cluster import dask_client
from bmx.partitions.engine import run_missing
from bmx.partitions.plan import Plan
from bmx.partitions.work import WorkFolder
from tests.cohort.disturbing import by_hand

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


def refuse_to_write(work_url: str, index: int) -> None:
    raise StoreError("cannot write records/000000.npz: Read-only file system; choose another place for the store")


def test_run_missing__says_that_what_is_done_stays_done(threads: Client, work: WorkFolder) -> None:
    """A place that turned read-only on the way needn't be another one."""
    with pytest.raises(StoreError, match="Read-only") as caught:
        run_missing(refuse_to_write, work, PLAN, client=threads, label="note")
    assert caught.value.__notes__[-1] == "mend this and call again: what is done stays done"


def test_run_missing__says_that_it_waits_for_workers(work: WorkFolder, caplog: pytest.LogCaptureFixture) -> None:
    """In a queue of SLURM, or for ever: an interrupted notebook takes the workers of its LocalCluster along."""
    with (
        LocalCluster(n_workers=0, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        threading.Timer(0.5, lambda: cluster.scale(1)).start()
        assert run_missing(note, work, PLAN, client=client, label="x") == len(PLAN)
    assert "x: the Dask cluster has no workers, waiting for some" in caplog.text


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


@pytest.mark.slow
def test_run_missing__says_that_the_scheduler_is_gone_before_it_hands_a_result_over(
    tmp_path: Path, work: WorkFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task is done, its result is asked for, and the machine of the scheduler goes down instead of answering."""
    with by_hand(tmp_path, workers=1) as (file, scheduler), Client(scheduler_file=file, timeout=60) as client:
        fetch = engine._check

        def fetch_from_the_dying(*of: Any) -> int:
            scheduler.send_signal(signal.SIGSTOP)
            threading.Timer(1, scheduler.kill).start()
            return fetch(*of)

        monkeypatch.setattr(engine, "_check", fetch_from_the_dying)
        with pytest.raises(BmxError, match="the Dask scheduler is gone"):
            run_missing(note, work, PLAN, client=client, label="note")


def busy_together(work_url: str, index: int) -> None:
    """Note how many are at work at once."""
    folder = Path(work_url) / "busy"
    folder.mkdir(exist_ok=True)
    (folder / str(index)).touch()
    time.sleep(0.2)
    seen = len(list(folder.iterdir()))
    (folder / str(index)).unlink()
    work = WorkFolder(work_url)
    work.write_file(f"together-{index}.json", json.dumps(seen).encode())
    work.write_marker(index, work.read_plan().partition(index).digest)


@pytest.mark.parametrize(("gpus", "most"), [({"GPU": 1}, 1), ({}, 3)])
def test_run_missing__takes_a_gpu_for_each_task_where_there_is_one(
    tmp_path: Path, gpus: dict[str, int], most: int
) -> None:
    """A worker of three threads with one GPU does one task at a time."""
    work = WorkFolder(tmp_path / "s.zarr.work")
    plan = Plan(tuple(range(6)), 1)
    work.write_plan(plan)
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=3, processes=False, dashboard_address=":0", resources=gpus
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        run_missing(busy_together, work, plan, client=client, label="run", resource="GPU")
    together = [json.loads(work.read_file(f"together-{index}.json") or b"0") for index in range(6)]
    assert max(together) == 1 if most == 1 else max(together) > 1
