"""The Dask client to work with: the one given, the active one, or a local one made on demand."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bmx.errors import BmxError

if TYPE_CHECKING:
    from distributed import Client, LocalCluster, Nanny

logger = logging.getLogger(__name__)

_ALLOWED_FAILURES = "distributed.scheduler.allowed-failures"
_PROFILE = "distributed.worker.profile.enabled"

_END_S = 5.0
"""Then a worker is killed that doesn't end."""


@contextmanager
def dask_client(client: Client | None = None, *, workers: int | None = None) -> Iterator[Client]:
    """Give `client`, else the active client, else a local cluster of processes that ends with the block.

    Parameters
    ----------
    client : Client, optional
        Used as it is, and left open.
    workers : int, optional
        Worker processes of a local cluster made on demand, by default one per core. Each has one
        thread: pydicom and compression hold the interpreter, threads would wait for each other.

    Raises
    ------
    BmxError
        If the client is closed or asynchronous, there would be no worker, or the local processes don't start, which
        in a script means that it lacks its `__main__` guard.
    """
    _check_workers(workers)
    found = client if client is not None else _active_client()
    if found is not None:
        _check_client(found)
        yield found
        return

    import dask
    from distributed import Client, LocalCluster
    from distributed.system import MEMORY_LIMIT

    count = workers if workers is not None else _cores()
    logger.info("starting %d local worker processes", count)
    try:
        settings = {
            _ALLOWED_FAILURES: 2,  # the third is one too many
            # Once in some thousand tasks Dask's profiler locks up Python before 3.11.9 for good: cpython issue 106883.
            _PROFILE: False,
        }
        with dask.config.set(settings):
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                memory_limit=MEMORY_LIMIT // count,
                dashboard_address=":0",  # a port that is free, whatever else runs here
                preload=["bmx.partitions.preload"],
                # A killed worker is restarted and its task done again: no reason to alarm anyone.
                silence_logs=logging.ERROR,
            )
    except RuntimeError as exc:
        raise BmxError(
            "the local worker processes did not start; in a script, call bmx below "
            "`if __name__ == '__main__':`, because every worker process reads the script anew"
        ) from exc
    with cluster, Client(cluster) as made:
        try:
            yield made
        except BaseException:
            _end_workers(cluster)
            raise


def _check_workers(workers: int | None) -> None:
    if workers is not None and workers < 1:
        raise BmxError(f"workers={workers} would leave nobody to work; give 1 or more, or None for one per core")


def _check_client(client: Client) -> None:
    if client.asynchronous:
        # What waits for its tasks within the loop that would run them waits for ever.
        raise BmxError("the Dask client is asynchronous; expected one made without asynchronous=True, in a thread")
    if client.status != "running":
        raise BmxError(
            f"the Dask client is {client.status}, expected one that is running; make a new one, or give none for "
            "local processes"
        )


def _end_workers(cluster: LocalCluster) -> None:
    """Wait for no task that is under way, as closing a cluster does: it will be done again."""
    cluster.sync(_end, list(cluster.workers.values()))


async def _end(nannies: list[Nanny]) -> None:
    for nanny in nannies:
        nanny.close_gracefully()  # or it would start another worker
    ends = (nanny.process.kill(timeout=_END_S, executor_wait=False) for nanny in nannies if nanny.process is not None)
    await asyncio.gather(*ends, return_exceptions=True)


def worker_count(client: Client | None = None, *, workers: int | None = None) -> int:
    """How many tasks can run at once on the client that `dask_client` would give; starts nothing."""
    _check_workers(workers)
    found = client if client is not None else _active_client()
    if found is not None:
        _check_client(found)
        threads: dict[str, int] = found.nthreads()
        return max(1, sum(threads.values()))
    return workers if workers is not None else _cores()


def _active_client() -> Client | None:
    if "distributed" not in sys.modules:  # nobody can have made a client, and importing it takes a second
        return None
    from distributed import default_client

    try:
        active: Client = default_client()
    except ValueError:
        return None
    return active


def _cores() -> int:
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)
