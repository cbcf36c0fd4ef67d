"""A request to stop that isn't lost: Python drops a KeyboardInterrupt that comes up while an object is thrown away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Give a function that raises KeyboardInterrupt if one has come since, seen or not.

    Signals that have another handler than Python's own keep it, and so do threads, which get no signals.
    """
    came = threading.Event()

    def stop(_: int, __: FrameType | None) -> None:
        came.set()
        raise KeyboardInterrupt

    def raise_if_asked() -> None:
        if came.is_set():
            raise KeyboardInterrupt

    of_main = threading.current_thread() is threading.main_thread()
    ours = [
        number
        for number in (signal.SIGINT, signal.SIGTERM)
        if of_main and signal.getsignal(number) is signal.default_int_handler
    ]
    for number in ours:
        signal.signal(number, stop)
    try:
        yield raise_if_asked
    finally:
        for number in ours:
            signal.signal(number, signal.default_int_handler)
