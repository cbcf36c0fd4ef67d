from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bmx.partitions.allocator import keep_freed_memory

PROGRAM = """
import sys
import numpy as np, psutil
from bmx.partitions.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
several = [np.ones(2 * 2**20) for _ in range(8)]
full = psutil.Process().memory_info().rss
del several
print((full - psutil.Process().memory_info().rss) / 2**20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is Linux's")
def test_keep_freed_memory__holds_for_whatever_dask_has_set() -> None:
    """In a process as Dask's nanny starts it, 128 MB in arrays of 16 MB are given back at once, or kept."""
    given_back = {
        how: float(subprocess.run(
            [sys.executable, "-c", PROGRAM, how], env=os.environ | {"MALLOC_TRIM_THRESHOLD_": "65536"},
            check=True, capture_output=True, text=True, timeout=120,
        ).stdout)
        for how in ("kept", "given back")
    }  # fmt: skip
    assert given_back["given back"] > 100
    assert given_back["kept"] < 20


def test_keep_freed_memory__may_be_called_again() -> None:
    assert keep_freed_memory() == keep_freed_memory()
