from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from distributed import Client

from bmx.errors import BmxError
from bmx.partitions.engine import run_missing
from bmx.partitions.plan import Plan
from bmx.partitions.watchdog import time_limit
from bmx.partitions.work import WorkFolder

HANGS = {
    "asleep": "time.sleep(100)",
    "holding the interpreter": "re.match('(a*)*b', 'a' * 60)",
    "beside a thread that has more time": "threading.Thread(target=long, daemon=True).start(); time.sleep(100)",
}
SCRIPT = """
import re, threading, time
from bmx.partitions.watchdog import time_limit
def long():
    with time_limit(1000):
        time.sleep(1000)
with time_limit(1):
    {hang}
"""


@pytest.mark.parametrize("hang", HANGS.values(), ids=HANGS)
def test_time_limit__ends_a_process_that_hangs(hang: str) -> None:
    """Whatever it hangs in, and shows where."""
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(hang=hang)], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 1
    assert time.monotonic() - began < 30
    assert "Timeout" in ended.stderr
    assert 'File "<string>", line 8 in <module>' in ended.stderr


def test_time_limit__lets_live_what_ends_in_time() -> None:
    """One of several threads, too, and whoever gives no limit; a limit holds no longer than its block."""

    def some() -> None:
        with time_limit(0.4), time_limit(None):
            time.sleep(0.05)

    threads = [threading.Thread(target=some) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    time.sleep(0.6)


def test_run_missing__refuses_a_limit_that_would_end_the_caller(threads: Client, tmp_path: Path) -> None:
    """Workers that are threads of this very process can't be killed."""
    work = WorkFolder(tmp_path / "s.zarr.work")
    work.write_plan(PLAN)
    with pytest.raises(BmxError, match="this worker has no nanny that would start it again; start workers with proc"):
        run_missing(nothing, work, PLAN, client=threads, label="x", timeout=10)


def nothing(work_url: str, index: int) -> None:
    raise AssertionError("isn't begun")


PLAN = Plan((101,), 1)
