"""Processes that die in the middle of a run: real ones, killed with SIGKILL."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from distributed import Client, LocalCluster

import bmx.cohort.run as cohort_run
import bmx.ingest.beginning as beginning
from bmx.cohort.run import run
from bmx.partitions.work import WorkFolder
from bmx.store.results import masks_beside
from bmx.variables import MEASUREMENT_STATUS
from tests.cohort.dying import mark, run_or_die
from tests.cohorts import contents, make_store

pytestmark = pytest.mark.slow

EIDS = tuple(range(1000001, 1000007))
WAIT_S = 120


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, threads: Client) -> Path:
    """Six participants, a partition each."""
    return make_store(tmp_path_factory.mktemp("six"), EIDS, slabs=(4, 5), client=threads)


@pytest.fixture(scope="module")
def calm(store: Path, untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every byte of results and masks of a run that nobody disturbed."""
    results = tmp_path_factory.mktemp("calm") / "results.zarr"
    run(store, results, models=untrained, workers=2)
    return everything(results)


def everything(results: Path) -> dict[str, bytes]:
    masks = {f"masks/{name}": data for name, data in contents(Path(masks_beside(results))).items()}
    return masks | {f"results/{name}": data for name, data in contents(results).items()}


def done(results: Path) -> int:
    return len(list(Path(f"{results}.work/done").glob("*")))


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def test_run__equals_an_undisturbed_one_after_a_worker_was_killed(
    store: Path, untrained: Path, calm: dict[str, bytes], tmp_path: Path
) -> None:
    """The call completes: Dask replaces the worker and does its task again."""
    results = tmp_path / "results.zarr"

    def kill_during_work(pid: int) -> None:
        wait_until(lambda: done(results) >= 1)
        os.kill(pid, signal.SIGKILL)

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        victim = next(iter(client.run(os.getpid).values()))
        killer = threading.Thread(target=kill_during_work, args=(victim,))
        killer.start()
        run(store, results, models=untrained, client=client)
        killer.join()
        assert victim not in client.run(os.getpid).values()
    assert everything(results) == calm


@pytest.mark.parametrize("who", ["everyone", "the caller alone"])
def test_run__equals_an_undisturbed_one_when_called_again(
    store: Path, untrained: Path, calm: dict[str, bytes], tmp_path: Path, who: str
) -> None:
    """The machine goes down, or the notebook alone, with workers left behind that still write."""
    results = tmp_path / "results.zarr"
    command = [sys.executable, "-m", "bmx.cli", "run", str(store), str(results), "--models", str(untrained)]
    process = subprocess.Popen(
        [*command, "--workers", "2"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_until(lambda: done(results) >= 1)
    children = psutil.Process(process.pid).children(recursive=True)
    if who == "everyone":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    work = WorkFolder.beside(results)
    assert work.missing(work.read_plan()), "all was done before the kill: the test has tested nothing"
    assert not results.exists()

    again = subprocess.run([*command, "--workers", "2"], capture_output=True, text=True, check=False, timeout=300)
    assert again.returncode == 0, again.stderr
    assert everything(results) == calm
    wait_until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))


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
