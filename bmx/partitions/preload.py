"""What a local worker process does first; Dask imports this there, by its name."""

from __future__ import annotations

import logging
import signal
from typing import Any


def dask_setup(_: Any) -> None:
    """Leave it to the caller to stop, and to tell of errors."""
    # Ctrl-C, and a batch system that is out of time, reach every process: who ends the workers is the caller.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    logging.getLogger("distributed.worker").addFilter(_is_news)


_KNOWN = ("Compute Failed", "Failed to communicate with scheduler during heartbeat")
"""How messages begin that tell at length what the caller tells in a line: a task failed, the call was stopped."""


def _is_news(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_KNOWN)
