from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from bmx.partitions.stopping import stoppable


class Interrupted:
    """Is stopped while it is thrown away: Python prints the exception and goes on."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def pythons_own() -> Iterator[None]:
    """Whatever handler other tests have left."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_stoppable__remembers_what_python_drops(pythons_own: None) -> None:
    with stoppable() as raise_if_asked:
        raise_if_asked()
        Interrupted()
        with pytest.raises(KeyboardInterrupt):
            raise_if_asked()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_stoppable__leaves_other_handlers_alone() -> None:
    """A notebook's kernel, or a program around ours, has its own."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with stoppable():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_stoppable__works_in_a_thread() -> None:
    """Where Python lets nobody install a handler."""
    ended = []

    def work() -> None:
        with stoppable() as raise_if_asked:
            raise_if_asked()
            ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(timeout=60)
    assert ended
