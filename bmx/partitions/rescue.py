"""What becomes of a partition that killed its worker again and again: each participant alone, in a child process."""

from __future__ import annotations

import ctypes
import importlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from bmx.errors import BmxError
from bmx.partitions.work import WorkFolder

logger = logging.getLogger(__name__)

DIED = "worker died"
"""Reason of a participant whose images can't be worked on without killing the process."""

HUNG = "worker hung"
"""Reason of a participant whose images take longer than one partition may."""

NOBODY: Mapping[int, str] = MappingProxyType({})
"""Leaves out none."""

_ORPHAN_LOOKS_S = 1.0
_PR_SET_PDEATHSIG = 1
"""Of Linux: the signal to get when the thread that started this process ends."""

_LAST_WORDS = 2000
"""Characters of a child's error to show."""


class SparingTask(Protocol):
    """A module-level function that does a partition, and can also try or leave out single participants."""

    __module__: str
    __qualname__: str

    def __call__(
        self, work_url: str, index: int, *, only: int | None = None, without: Mapping[int, str] = NOBODY
    ) -> int | None:
        """Do partition `index`; with `only`, try this one participant and write nothing; `without` says why.

        It may give the number of its participants who failed.
        """
        ...


def rescue(work_url: str, index: int, *, task: SparingTask, timeout: float | None = None) -> int:
    """Find who kills or blocks the workers of a partition, and do the partition without them.

    Nothing is done in this process: were it to die, Dask would blame the next partition.

    Parameters
    ----------
    work_url, index : the work folder, and which partition of its plan
    task : what kills its worker
    timeout : seconds that a partition may take, and a participant alone

    Returns
    -------
    how many participants of the partition failed, as the task says; 0 if it doesn't

    Raises
    ------
    BmxError
        If the partition dies even so: then it isn't a participant that is at fault.
    """
    part = WorkFolder(work_url).read_plan().partition(index)
    lost: dict[int, str] = {}
    for row, eid in enumerate(part.eids):
        try:
            ended = _child(task, work_url, index, "--only", row, timeout=timeout)
        except subprocess.TimeoutExpired:
            lost[row] = HUNG
        else:
            if _ends_by_signal(ended):
                lost[row] = DIED
        if row in lost:
            logger.warning("participant %d: %s", eid, lost[row])
    try:
        ended = _child(task, work_url, index, "--without", json.dumps(lost), timeout=timeout)
    except subprocess.TimeoutExpired as exc:
        raise BmxError(
            f"partition {index} takes longer than {timeout:g} s, but no participant does so alone; allow more time"
        ) from exc
    if _ends_by_signal(ended):
        raise BmxError(
            f"partition {index} killed its worker again and again, but no participant does so alone; most likely "
            "it wants memory: give the workers more, or use smaller partitions (max_memory)"
        )
    if ended.returncode:
        raise BmxError(f"partition {index} failed in a process of its own:\n{ended.stderr[-_LAST_WORDS:]}")
    return int(ended.stdout.splitlines()[-1])  # libraries may have said something before


def _child(
    task: SparingTask, work_url: str, index: int, *words: object, timeout: float | None
) -> subprocess.CompletedProcess[str]:
    # Not multiprocessing: a worker of Dask is a daemon there, and may have no children.
    function = f"{task.__module__}:{task.__qualname__}"
    command = [sys.executable, "-m", __name__, function, work_url, index, *words]
    return subprocess.run(
        [str(word) for word in command],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def _ends_by_signal(ended: subprocess.CompletedProcess[str]) -> bool:
    """Whether a process was killed; by the shell's habit 128 and more stand for signals, too."""
    return ended.returncode < 0 or ended.returncode >= 128 + signal.SIGHUP


def main(words: Sequence[str]) -> None:
    """Run a task as the words of a command line say it: `module:function url index --without '{"1": "died"}'`.

    The last line of what it prints is how many participants failed.
    """
    function, work_url, index, option, value = words
    _end_with(os.getppid())
    module, _, name = function.partition(":")
    task: SparingTask = getattr(importlib.import_module(module), name)
    if option == "--only":
        failed = task(work_url, int(index), only=int(value))
    else:
        failed = task(work_url, int(index), without={int(row): reason for row, reason in json.loads(value).items()})
    sys.stdout.write(f"\n{failed or 0}\n")


def _end_with(parent: int) -> None:
    """End this process soon after the worker that started it: what hangs here would stay for ever."""
    if sys.platform == "linux":
        # No thread of ours runs beside an extension that hangs without letting go of the interpreter.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_ORPHAN_LOOKS_S)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
