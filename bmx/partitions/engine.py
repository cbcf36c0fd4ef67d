"""Do the partitions that are missing, one Dask task each."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bmx._console import progress_line
from bmx.errors import BmxError, StoreError
from bmx.partitions.allocator import keep_freed_memory
from bmx.partitions.cluster import dask_client
from bmx.partitions.plan import Partition, Plan
from bmx.partitions.stopping import stoppable
from bmx.partitions.watchdog import refuse_unguarded, time_limit
from bmx.partitions.work import WorkFolder, say_what_to_do

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger(__name__)

Task = Callable[[str, int], int | None]
"""`task(work_url, index)`: reads the plan from the work folder, does one partition, writes its marker. It may give the
number of its participants who failed."""


def run_missing(
    task: Task,
    work: WorkFolder,
    plan: Plan,
    *,
    client: Client | None = None,
    workers: int | None = None,
    label: str,
    only: range | None = None,
    rescue: Task | None = None,
    timeout: float | None = None,
    resource: str | None = None,
) -> int:
    """Submit one task for each partition without a done-marker, and wait for all of them.

    A task gets an address and a number and reads the plan itself: a plan that travels with
    thousands of tasks fills the scheduler. A worker that dies is replaced by Dask and its
    task done again; tasks must therefore give the same result when run twice.

    Parameters
    ----------
    task : callable of (work_url, index)
        A module-level function, or a partial of one with small arguments.
    work : WorkFolder
        Where `plan` was written.
    plan : Plan
        Which partitions there are.
    client, workers
        See `bmx.partitions.cluster.dask_client`.
    label : str
        What the work is called, in the progress bar and on Dask's dashboard.
    only : range, optional
        Leave the partitions alone that aren't in here.
    rescue : callable of (work_url, index), optional
        Done instead of `task` for a partition that killed its worker again and again, see `bmx.partitions.rescue`.
    timeout : float, optional
        Seconds that one partition may take. A worker that takes longer is killed, as often as others that die.
    resource : str, optional
        A Dask resource, as "GPU", of which each task takes one, if any worker has it: a worker of several threads
        then does no more tasks at once than it has GPUs.

    Returns
    -------
    int
        Number of partitions that were done; 0 if none was missing.

    Raises
    ------
    BmxError
        If a partition killed its worker again and again, and there is no rescue, or if the scheduler is gone.
    Exception
        The first exception of a task, with a note that names its partition. What other
        partitions finished stays done.
    KeyboardInterrupt
        As it came; the log says how much is done.
    """
    wanted = range(len(plan)) if only is None else only
    missing = [index for index in work.missing(plan) if index in wanted]
    if not missing:
        logger.info("%s: all %d partitions are done, nothing to do", label, len(wanted))
        return 0
    logger.info("%s: %d of %d partitions to do", label, len(missing), len(plan))
    parts = [plan.partition(index) for index in missing]
    try:
        with dask_client(client, workers=workers) as active:
            if not active.nthreads():
                logger.warning(
                    "%s: the Dask cluster has no workers, waiting for some; if they have ended, as those of a "
                    "LocalCluster do when a notebook is interrupted, make a new one", label,
                )  # fmt: skip
            killers = _submit_and_wait(
                active, task, work, parts, label=label, may_kill=rescue is not None, timeout=timeout, resource=resource
            )
            if rescue is not None and killers:
                logger.warning("%s: %d partitions killed their workers, trying participants alone", label, len(killers))
                _submit_and_wait(active, rescue, work, killers, label=f"{label}, one by one", resource=resource)
    except KeyboardInterrupt:
        done = len(plan) - len(work.missing(plan))
        logger.warning("%s: stopped; %d of %d partitions are done, call it again to go on", label, done, len(plan))
        raise
    return len(missing)


def _submit_and_wait(
    client: Client,
    task: Task,
    work: WorkFolder,
    parts: list[Partition],
    *,
    label: str,
    may_kill: bool = False,
    timeout: float | None = None,
    resource: str | None = None,
) -> list[Partition]:
    """Do these partitions; give those that killed their workers, if they may."""
    from distributed import as_completed
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    resources = {resource: 1} if resource is not None and _has(client, resource) else None
    call = uuid.uuid4().hex  # two calls must not share keys: Dask would take the first one's results
    futures = {
        client.submit(
            _logged, task, work.url, part.index, timeout=timeout, key=f"{label}-{part.index}-{call}", pure=False,
            resources=resources,
        ): part
        for part in parts
    }  # fmt: skip
    killers: list[Partition] = []
    columns = (
        TextColumn(label), BarColumn(), MofNCompleteColumn(), TextColumn("participants{task.fields[told]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    try:
        with stoppable() as raise_if_asked, progress_line(*columns) as progress:
            bar = progress.add_task(label, total=sum(len(part.eids) for part in parts), told="")
            failed, began = 0, time.monotonic()
            for future in as_completed(futures, loop=client.loop):
                if may_kill and _killed(future):
                    killers.append(futures[future])
                else:
                    failed += _check(future, futures[future])
                progress.advance(bar, len(futures[future].eids))
                pace = progress.tasks[bar].completed / (time.monotonic() - began)
                told = f"{f', {failed} failed' if failed else ''}, {pace:.2g} per second"
                progress.update(bar, told=told)
                raise_if_asked()
    finally:
        client.cancel(list(futures))
    return killers


def _has(client: Client, resource: str) -> bool:
    """Whether any worker declares it."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return any(resource in (worker.get("resources") or {}) for worker in workers)


def _logged(task: Task, work_url: str, index: int, *, timeout: float | None) -> int:
    """Do a partition, and note what it took: a forecast looks there, and `bmx status`. Gives how many failed."""
    if timeout is not None:
        refuse_unguarded()
    keep_freed_memory()
    began = time.perf_counter()
    with time_limit(timeout):
        failed = task(work_url, index) or 0
    took = {
        "seconds": round(time.perf_counter() - began, 3),
        "ended": round(time.time(), 3),
        "failed": failed,
        "worker": f"{socket.gethostname()}:{os.getpid()}",
    }
    WorkFolder(work_url).write_file(log_name(index), json.dumps(took).encode())
    return failed


def log_name(index: int) -> str:
    """File of the work folder that says what partition `index` took."""
    return f"logs/{index:06d}.json"


def _killed(future: Any) -> bool:
    from distributed import KilledWorker

    return future.status == "error" and isinstance(future.exception(), KilledWorker)


def _check(future: Any, part: Partition) -> int:
    """How many participants of a task failed; if all of it did, raise why, naming its partition."""
    from distributed import KilledWorker

    where = f"partition {part.index} (participants {part.eids[0]} to {part.eids[-1]}, {len(part.eids)} in all)"
    try:
        return int(future.result())
    except KilledWorker as exc:
        raise BmxError(
            f"{where} killed its worker again and again, most likely for want of memory; "
            "give the workers more, or use smaller partitions"
        ) from exc
    except Exception as exc:
        # What a task raises is its future's own error. Any other one arose between the scheduler and here.
        if future.status != "error":
            raise BmxError(
                "the Dask scheduler is gone, and with it all tasks; start a cluster and call again: "
                "what is done stays done"
            ) from exc
        exc.add_note(f"while doing {where}")
        if isinstance(exc, StoreError):
            exc.add_note("mend this and call again: what is done stays done")
        say_what_to_do(exc)
        raise
