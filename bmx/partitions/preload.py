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


def _is_news(record: logging.LogRecord) -> bool:
    """A failed task is an error that the caller raises; Dask shows it in each worker, too."""
    return not record.getMessage().startswith("Compute Failed")
