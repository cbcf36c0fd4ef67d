from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import dask
import pytest
from distributed import Client, Worker

from bmx.errors import BmxError
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


def test_dask_client__refuses_one_that_is_closed_or_asynchronous(threads: Client) -> None:
    """A closed one raises anything, and an asynchronous one waits for ever for tasks of its own loop."""
    closed = Client(threads.scheduler.address, set_as_default=False)
    closed.close()
    for ask in (lambda: dask_client(closed).__enter__(), lambda: worker_count(closed)):
        with pytest.raises(BmxError, match="the Dask client is closed, expected one that is running"):
            ask()

    async def ask_within_a_loop() -> None:
        async with Client(threads.scheduler.address, asynchronous=True, set_as_default=False) as client:
            dask_client(client).__enter__()

    with pytest.raises(BmxError, match="the Dask client is asynchronous; expected"):
        asyncio.run(ask_within_a_loop())


def test_dask_client__refuses_to_work_without_workers() -> None:
    """The memory of the machine can't be shared among none."""
    with pytest.raises(BmxError, match="workers=0 would leave nobody to work; give 1 or more"):
        dask_client(workers=0).__enter__()


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
