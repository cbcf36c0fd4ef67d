"""Processes that die or are stopped in the middle of a run: real ones."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import dask
import numpy as np
import psutil
import pytest
from distributed import Client, LocalCluster

import bmx.cohort.run as cohort_run
import bmx.ingest.beginning as beginning
from bmx.cohort.run import run
from bmx.errors import BmxError
from bmx.partitions import progress
from bmx.partitions.cluster import dask_client
from bmx.variables import MEASUREMENT_STATUS
from tests.cohort.disturbing import (
    EIDS,
    assert_unfinished,
    by_hand,
    call,
    command,
    done,
    everything,
    under_way,
    wait_until,
)
from tests.cohort.dying import mark, run_or_die, run_or_hang, run_or_swell
from tests.cohorts import make_store

pytestmark = pytest.mark.slow

STOP_S = 20
"""Far more than it takes, on a busy machine."""


def test_run__equals_an_undisturbed_one_while_workers_are_killed(
    six: Path, untrained: Path, calm: dict[str, bytes], tmp_path: Path
) -> None:
    """The call completes: Dask replaces a worker and does its task again."""
    results, drawn = tmp_path / "results.zarr", random.Random(1)
    ended, killed = threading.Event(), []

    def kill_again_and_again(client: Client) -> None:
        wait_until(lambda: done(results) >= 1)
        while len(killed) < 4 and not ended.wait(2):
            pids = [
                process.pid for process in psutil.Process().children() if "spawn_main" in " ".join(process.cmdline())
            ]
            killed.append(drawn.choice(pids))
            os.kill(killed[-1], signal.SIGKILL)

    with dask_client(workers=2) as client:
        killer = threading.Thread(target=kill_again_and_again, args=(client,))
        killer.start()
        run(six, results, models=untrained, client=client)
        ended.set()
        killer.join(timeout=60)
    assert killed
    assert everything(results) == calm


def test_run__on_workers_started_by_hand_while_they_come_and_go(
    six: Path, untrained: Path, calm: dict[str, bytes], tmp_path: Path
) -> None:
    """Processes that share no memory with the caller or each other, on a cluster that grows and shrinks."""
    results = tmp_path / "results.zarr"
    with by_hand(tmp_path, workers=1) as (file, _), Client(scheduler_file=file, timeout=60) as client:
        words = [
            sys.executable, "-m", "dask", "worker", "--scheduler-file", file, "--nthreads", "1", "--no-dashboard",
            "--local-directory", str(tmp_path),
        ]  # fmt: skip
        second = subprocess.Popen(words, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def leave() -> None:
            wait_until(lambda: done(results) >= 2)
            os.killpg(second.pid, signal.SIGTERM)

        leaver = threading.Thread(target=leave)
        leaver.start()
        run(six, results, models=untrained, client=client)
        leaver.join(timeout=60)
        second.wait(timeout=60)
    assert everything(results) == calm


def test_run__on_an_adaptive_cluster(six: Path, untrained: Path, calm: dict[str, bytes], tmp_path: Path) -> None:
    """Workers are started for the work, and sent away after it."""
    with (
        LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        cluster.adapt(minimum=0, maximum=2, interval="200ms", wait_count=2)
        run(six, tmp_path / "results.zarr", models=untrained, client=client)
        wait_until(lambda: not client.scheduler_info()["workers"])
    assert everything(tmp_path / "results.zarr") == calm


def test_run__says_that_the_scheduler_is_gone(
    six: Path, untrained: Path, calm: dict[str, bytes], tmp_path: Path
) -> None:
    """Scheduler and workers were started by hand, and the machine of the scheduler goes down."""
    results = tmp_path / "results.zarr"
    with by_hand(tmp_path, workers=2) as (file, scheduler), Client(scheduler_file=file, timeout=60) as client:

        def kill() -> None:
            wait_until(lambda: done(results) >= 1)
            scheduler.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        began = time.monotonic()
        with pytest.raises(BmxError, match=r"the Dask scheduler is gone.* call again: what is done stays done"):
            run(six, results, models=untrained, client=client)
        killer.join(timeout=60)
        assert time.monotonic() - began < 100
        assert_unfinished(results)
    run(six, results, models=untrained, workers=2)
    assert everything(results) == calm


@pytest.mark.parametrize("who", ["everyone", "the caller alone"])
def test_run__equals_an_undisturbed_one_when_called_again(
    six: Path, untrained: Path, calm: dict[str, bytes], tmp_path: Path, who: str
) -> None:
    """The machine goes down, or the notebook alone, with workers left behind that still write."""
    results = tmp_path / "results.zarr"
    words = command(six, results, untrained)
    with under_way(words, results) as (process, _):
        if who == "everyone":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait(timeout=STOP_S)
        assert_unfinished(results)
        call(words)
    assert everything(results) == calm


@pytest.mark.parametrize(
    ("number", "whom"), [(signal.SIGINT, "all"), (signal.SIGTERM, "all"), (signal.SIGTERM, "the caller alone")]
)
def test_run__stops_within_seconds_and_goes_on_later(
    six: Path, untrained: Path, calm: dict[str, bytes], tmp_path: Path, number: signal.Signals, whom: str
) -> None:
    """Ctrl-C in a terminal reaches all processes, a batch system may ask one or all: one line, and no traceback."""
    results = tmp_path / "results.zarr"
    words = command(six, results, untrained)
    with under_way(words, results) as (process, _):
        began = time.monotonic()
        if whom == "all":
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        said, _ = process.communicate(timeout=STOP_S)
        assert time.monotonic() - began < STOP_S
    assert process.returncode == 128 + signal.SIGINT, said
    assert f"run: stopped; {done(results)} of {len(EIDS)} partitions are done, call it again to go on" in said
    assert "Traceback" not in said
    assert_unfinished(results)
    call(words)
    assert everything(results) == calm


def test_run__blames_only_who_kills_the_worker(
    untrained: Path, tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three deaths of a partition, then one participant at a time: only the culprit is lost, and it says why."""
    monkeypatch.setattr(beginning, "choose_size", lambda *_, **__: 3)
    store, results = make_store(tmp_path, EIDS, slabs=(4,), client=threads), tmp_path / "results.zarr"
    mark(store, 4)
    monkeypatch.setattr(cohort_run, "run_partition", run_or_die)
    found = run(store, results, models=untrained, regions=["femoral_head"], workers=1).compute()
    status, reason = found["status"][:, 0].to_numpy(), found["reason"][:, 0].to_numpy().astype(object)
    assert np.flatnonzero(status == MEASUREMENT_STATUS["failed"]).tolist() == [4]
    assert reason.tolist() == ["worker died" if row == 4 else "" for row in range(len(EIDS))]
    assert np.flatnonzero(np.isnan(found["bmff"][:, 0])).tolist() == [4]
    assert progress.status(results).failed == 1


def test_run__blames_only_who_blocks_the_worker(
    untrained: Path, tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the time limit a worker is killed; then one participant at a time, with the same limit."""
    monkeypatch.setattr(beginning, "choose_size", lambda *_, **__: 2)
    store, results = make_store(tmp_path, EIDS[:3], slabs=(4,), client=threads), tmp_path / "results.zarr"
    mark(store, 1)
    monkeypatch.setattr(cohort_run, "run_partition", run_or_hang)
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster, Client(cluster, set_as_default=False) as client:  # fmt: skip
        found = run(store, results, models=untrained, regions=["femoral_head"], client=client, timeout=20).compute()
    assert found["reason"][:, 0].to_numpy().tolist() == ["", "worker hung", ""]
    assert found["status"][:, 0].to_numpy().tolist() == [MEASUREMENT_STATUS[name] for name in _OUTCOMES]
    assert np.isnan(found["bmff"][:, 0]).to_numpy().tolist() == [False, True, False]


_OUTCOMES = ("measured", "failed", "measured")


def test_run__survives_a_worker_that_stands_still(
    six: Path, untrained: Path, calm: dict[str, bytes], tmp_path: Path
) -> None:
    """A machine that swaps or has lost its network: Dask takes a worker that says nothing for dead."""
    results = tmp_path / "results.zarr"
    with dask.config.set({"distributed.scheduler.worker-ttl": "6s"}), dask_client(workers=2) as client:
        victim = next(iter(client.run(os.getpid).values()))

        def stop() -> None:
            wait_until(lambda: done(results) >= 1)
            os.kill(victim, signal.SIGSTOP)

        stopper = threading.Thread(target=stop)
        stopper.start()
        run(six, results, models=untrained, client=client)
        stopper.join(timeout=60)
    assert not psutil.pid_exists(victim) or psutil.Process(victim).status() == psutil.STATUS_ZOMBIE
    assert everything(results) == calm


def test_run__loses_nobody_to_a_memory_limit(
    six: Path, untrained: Path, calm: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask kills a worker that takes more than it may; done alone, the participant is measured as ever."""
    monkeypatch.setattr(cohort_run, "run_partition", run_or_swell)
    results = tmp_path / "results.zarr"
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), LocalCluster(
        n_workers=1, threads_per_worker=1, memory_limit="1.5GB", dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster, Client(cluster, set_as_default=False) as client:  # fmt: skip
        run(six, results, models=untrained, client=client)
    assert everything(results) == calm
