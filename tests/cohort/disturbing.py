"""Runs of real processes that are killed, stopped or blocked: what tests of survival share. No wait is without end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from bmx.partitions.work import WorkFolder
from bmx.store.results import masks_beside
from tests.cohorts import contents

EIDS = tuple(range(1000001, 1000007))
REGIONS = ["femoral_head", "total_hip"]
"""Those of slab 4, which is all that the store of these tests holds."""
WAIT_S = 120
CALL_S = 300


def everything(results: Path) -> dict[str, bytes]:
    """Every byte of results and masks."""
    masks = {f"masks/{name}": data for name, data in contents(Path(masks_beside(results))).items()}
    return masks | {f"results/{name}": data for name, data in contents(results).items()}


def done(results: Path) -> int:
    return len(list(Path(f"{results}.work/done").glob("[0-9]*[0-9]")))


def wait_until(true: Callable[[], bool], *, seconds: float = WAIT_S) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def command(store: Path, results: Path, models: Path, *more: str) -> list[str]:
    words = [sys.executable, "-m", "bmx.cli", "run", store, results, "--models", models, "--workers", "2", *more]
    return [str(word) for word in words]


@contextmanager
def under_way(words: list[str], results: Path) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A run whose first partition is done, and its worker processes; afterwards none of them is left."""
    # A shell has what it starts in the background ignore Ctrl-C, these tests perhaps, and they would pass it on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        words, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    signal.signal(signal.SIGINT, before)
    children: list[psutil.Process] = []
    try:
        wait_until(lambda: done(results) >= 1 or process.poll() is not None)
        assert process.poll() is None, process.communicate(timeout=WAIT_S)[0]
        children = psutil.Process(process.pid).children(recursive=True)
        yield process, children
        wait_until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))
    finally:
        for one in (process, *children):
            if one.is_running() if isinstance(one, psutil.Process) else one.poll() is None:
                one.kill()
        process.communicate(timeout=WAIT_S)


def call(words: list[str], *, code: int = 0) -> str:
    """Call a command to its end; gives all that it said."""
    ended = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=CALL_S
    )
    assert ended.returncode == code, ended.stdout
    return ended.stdout


def assert_unfinished(results: Path) -> None:
    """Or the test would have tested nothing."""
    work = WorkFolder.beside(results)
    assert work.missing(work.read_plan()), "all was done before it was disturbed"
    assert not results.exists()


@contextmanager
def mounted(kind: str, what: object, where: Path, *, options: str) -> Iterator[Path]:
    """A file system of its own; skips where nothing may be mounted."""
    where.mkdir()
    ended = subprocess.run(
        ["mount", "-t", kind, "-o", options, str(what), str(where)], capture_output=True, text=True, check=False
    )
    if ended.returncode:
        pytest.skip(f"nothing can be mounted here: {ended.stderr.strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)


def remount(where: Path, options: str) -> None:
    """Change a mount, as soon as no file is being written there."""

    def changed() -> bool:
        words = ["mount", "-o", f"remount,{options}", str(where)]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    wait_until(changed)


@contextmanager
def by_hand(folder: Path, *, workers: int, env: Mapping[str, str] = os.environ) -> Iterator[tuple[str, Any]]:
    """`dask scheduler` and `dask worker`, each a process as on machines of their own: address, scheduler's process."""
    file = folder / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    started = [
        subprocess.Popen([*dask, "scheduler", "--scheduler-file", file, "--port", "0", "--no-dashboard"], **_QUIET),
        *(subprocess.Popen([*dask, "worker", "--scheduler-file", file, "--nthreads", "1", "--no-dashboard",
                            "--local-directory", folder, "--death-timeout", "60"], env=env, **_QUIET)
          for _ in range(workers)),
    ]  # fmt: skip
    try:
        wait_until(file.exists)
        yield str(file), started[0]
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=WAIT_S)


_QUIET: Any = {"start_new_session": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
