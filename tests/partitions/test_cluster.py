from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dask
import pytest
from distributed import Client, Worker

from bmx.partitions.cluster import dask_client, worker_count


def test_dask_client__prefers_the_active_one(threads: Client) -> None:
    """Who made a SLURM cluster doesn't want a second, local one."""
    with threads.as_current():
        with dask_client() as found:
            assert found is threads
        assert worker_count() == 2
    with dask_client(threads) as given:
        assert given is threads
    assert threads.status == "running"


def test_worker_count__starts_nothing() -> None:
    """It is asked before it is known whether there is any work."""
    assert worker_count(workers=7) == 7
    assert worker_count() >= 1


@pytest.mark.slow
def test_dask_client__has_the_workers_asked_for_and_ends_with_the_block() -> None:
    """No process is left behind."""
    with dask_client(workers=2) as client:
        assert len(client.nthreads()) == 2
    assert client.status == "closed"


@pytest.mark.slow
def test_dask_client__starts_workers_without_a_profiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """It locks up Python 3.11.7, as seen here: see the reason in `bmx.partitions.cluster`."""
    monkeypatch.delenv("DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED")
    with dask.config.set({"distributed.worker.profile.enabled": True}), dask_client(workers=1) as client:
        assert client.run(_profiles) == dict.fromkeys(client.nthreads(), False)


def _profiles(dask_worker: Worker) -> bool:
    return "profile" in dask_worker.periodic_callbacks


@pytest.mark.slow
def test_dask_client__says_that_a_script_lacks_its_guard(tmp_path: Path) -> None:
    """The first thing that goes wrong for whoever copies five lines from a notebook into a script."""
    script = tmp_path / "script.py"
    script.write_text("from bmx.partitions.cluster import dask_client\nwith dask_client(workers=1): pass\n")
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode != 0
    assert "call bmx below `if __name__ == '__main__':`" in ended.stderr
