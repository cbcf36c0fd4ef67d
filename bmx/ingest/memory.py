"""The memory that a task of `convert` promises to keep to, computed from the variables before anything starts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bmx.acquisition import SLABS, ContrastName

MAX_MEMORY = 700_000_000
"""Bytes that one task may use unless the caller says otherwise."""

BYTES_AT_REST = 290_000_000
"""Bytes of a worker process before it has kept a voxel: interpreter, libraries and Dask, one archive with its headers
(exams are opened one after another), and what a worker that has done many partitions keeps of freed memory."""


def bytes_per_participant(slabs: Sequence[int], contrasts: Sequence[ContrastName]) -> tuple[int, int]:
    """Bytes that one participant takes at most: in one shard, and in the memory of a task.

    A task holds all images of its participants, so that each archive is read once, and the copies that Zarr
    makes of one shard while it is written: two volumes on top are an upper limit, measured with one, two and
    four contrasts.

    Examples
    --------
    >>> bytes_per_participant([2, 5], ["fat", "water"])
    (5370624, 28654080)
    """
    volumes = [2 * int(np.prod(SLABS[number].stored_shape)) for number in slabs]
    return max(volumes), sum(volumes) * len(contrasts) + 2 * max(volumes)
