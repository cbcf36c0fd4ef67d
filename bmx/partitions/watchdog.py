"""A time limit that also holds where nothing of Python can run any more: the process ends."""

from __future__ import annotations

import faulthandler
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bmx.errors import BmxError

_deadlines: dict[object, float] = {}
_lock = threading.Lock()


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """End this process, with the stacks of its threads on stderr, if the block takes longer.

    What hangs can't be asked to stop: it may hold the interpreter. Dask replaces the process, and does its task again.

    Parameters
    ----------
    seconds : float, optional
        None for as long as it takes.
    """
    if seconds is None:
        yield
        return
    me = object()
    with _lock:
        _deadlines[me] = time.monotonic() + seconds
        _watch()
    try:
        yield
    finally:
        with _lock:
            del _deadlines[me]
            _watch()


def refuse_unguarded() -> None:
    """Refuse a time limit in a Dask worker that nobody would start again, or that is a thread of the caller's process.

    Raises
    ------
    BmxError
        If the worker has no nanny.
    """
    from distributed import get_worker

    if get_worker().nanny is None:
        raise BmxError(
            "a time limit ends the worker process of what hangs, and this worker has no nanny that would start it "
            "again; start workers with processes=True, without --no-nanny, or give no time limit"
        )


def _watch() -> None:
    """Let the process end at the earliest deadline: a process has one alarm, and a worker may have several threads."""
    if not _deadlines:
        faulthandler.cancel_dump_traceback_later()
        return
    left = max(min(_deadlines.values()) - time.monotonic(), 0.001)
    # A thread of C, which needs no interpreter.
    faulthandler.dump_traceback_later(left, exit=True, file=sys.__stderr__ or sys.stderr)
