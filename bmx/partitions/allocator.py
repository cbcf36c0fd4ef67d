"""Keep freed memory for the next array: Dask has its workers give all of it back to the system at once."""

from __future__ import annotations

import ctypes
import functools
import sys

_TRIM, _MMAP = -1, -3
"""glibc's numbers of M_TRIM_THRESHOLD and M_MMAP_THRESHOLD."""

_KEPT, _MAPPED = 2**28, 2**25
"""Bytes: so much stays at hand, and larger arrays have pages of their own. 32 MB is glibc's most."""


@functools.cache
def keep_freed_memory() -> bool:
    """Let this process keep what it frees, once; gives whether it could, which takes glibc.

    Else much of a run is spent asking the system again for the pages of each array, on whoever's cluster.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_TRIM, _KEPT)) and bool(mallopt(_MMAP, _MAPPED))
