"""Do the partitions that are missing, one Dask task each."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bmx.errors import BmxError
from bmx.partitions.cluster import dask_client
from bmx.partitions.plan import Partition, Plan
from bmx.partitions.work import WorkFolder

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger(__name__)

Task = Callable[[str, int], Any]
"""`task(work_url, index)`: reads the plan from the work folder, does one partition, writes its marker."""


def run_missing(
    task: Task,
    work: WorkFolder,
    plan: Plan,
    *,
    client: Client | None = None,
    workers: int | None = None,
    label: str,
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

    Returns
    -------
    int
        Number of partitions that were done; 0 if none was missing.

    Raises
    ------
    BmxError
        If a partition killed its worker again and again.
    Exception
        The first exception of a task, with a note that names its partition. What other
        partitions finished stays done.
    """
    missing = work.missing(plan)
    if not missing:
        logger.info("%s: all %d partitions are done, nothing to do", label, len(plan))
        return 0
    logger.info("%s: %d of %d partitions to do", label, len(missing), len(plan))
    with dask_client(client, workers=workers) as active:
        _submit_and_wait(active, task, work, [plan.partition(index) for index in missing], label)
    return len(missing)


def _submit_and_wait(client: Client, task: Task, work: WorkFolder, parts: list[Partition], label: str) -> None:
    from distributed import as_completed
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    call = uuid.uuid4().hex  # two calls must not share keys: Dask would take the first one's results
    futures = {
        client.submit(task, work.url, part.index, key=f"{label}-{part.index}-{call}", pure=False): part
        for part in parts
    }
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TextColumn("partitions"), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task(label, total=len(parts))
            for future in as_completed(futures, loop=client.loop):
                _check(future, futures[future])
                progress.advance(bar)
    finally:
        client.cancel(list(futures))


def _check(future: Any, part: Partition) -> None:
    """Raise what became of a failed task, naming its partition."""
    from distributed import KilledWorker

    where = f"partition {part.index} (participants {part.eids[0]} to {part.eids[-1]}, {len(part.eids)} in all)"
    try:
        future.result()
    except KilledWorker as exc:
        raise BmxError(
            f"{where} killed its worker again and again, most likely for want of memory; "
            "give the workers more, or use smaller partitions"
        ) from exc
    except Exception as exc:
        exc.add_note(f"while doing {where}")
        raise
