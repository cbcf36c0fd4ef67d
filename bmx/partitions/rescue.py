"""What becomes of a partition that killed its worker again and again: each participant alone, in a child process."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from bmx.errors import BmxError
from bmx.partitions.work import WorkFolder

logger = logging.getLogger(__name__)

DIED = "worker died"
"""Reason of a participant whose images can't be worked on without killing the process."""

_LAST_WORDS = 2000
"""Characters of a child's error to show."""


class SparingTask(Protocol):
    """A module-level function that does a partition, and can also try or leave out single participants."""

    __module__: str
    __qualname__: str

    def __call__(self, work_url: str, index: int, *, only: int | None = None, without: Sequence[int] = ()) -> Any:
        """Do partition `index`; with `only`, try this one participant and write nothing."""
        ...


def rescue(work_url: str, index: int, *, task: SparingTask) -> None:
    """Find who kills the workers of a partition, and do the partition without them.

    Nothing is done in this process: were it to die, Dask would blame the next partition.

    Parameters
    ----------
    work_url, index : the work folder, and which partition of its plan
    task : what kills its worker

    Raises
    ------
    BmxError
        If the partition dies even so: then it isn't a participant that is at fault.
    """
    part = WorkFolder(work_url).read_plan().partition(index)
    died = [row for row in range(len(part.eids)) if _ends_by_signal(_child(task, work_url, index, "--only", row))]
    for row in died:
        logger.warning("participant %d: %s", part.eids[row], DIED)
    ended = _child(task, work_url, index, "--without", *died)
    if _ends_by_signal(ended):
        raise BmxError(
            f"partition {index} killed its worker again and again, but no participant does so alone; most likely "
            "it wants memory: give the workers more, or use smaller partitions (max_memory)"
        )
    if ended.returncode:
        raise BmxError(f"partition {index} failed in a process of its own:\n{ended.stderr[-_LAST_WORDS:]}")


def _child(task: SparingTask, work_url: str, index: int, *words: object) -> subprocess.CompletedProcess[str]:
    # Not multiprocessing: a worker of Dask is a daemon there, and may have no children.
    function = f"{task.__module__}:{task.__qualname__}"
    command = [sys.executable, "-m", __name__, function, work_url, index, *words]
    return subprocess.run(
        [str(word) for word in command],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=False,
    )


def _ends_by_signal(ended: subprocess.CompletedProcess[str]) -> bool:
    """Whether a process was killed; by the shell's habit 128 and more stand for signals, too."""
    return ended.returncode < 0 or ended.returncode >= 128 + signal.SIGHUP


def main(words: Sequence[str]) -> None:
    """Run a task as the words of a command line say it: `module:function url index --without 1 2`."""
    function, work_url, index, *rest = words
    module, _, name = function.partition(":")
    task: SparingTask = getattr(importlib.import_module(module), name)
    option, rows = rest[0], [int(word) for word in rest[1:]]
    if option == "--only":
        task(work_url, int(index), only=rows[0])
    else:
        task(work_url, int(index), without=rows)


if __name__ == "__main__":
    main(sys.argv[1:])
