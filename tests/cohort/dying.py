"""Runs in which one participant's images raise or kill: what tests of survival share."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import zarr

from bmx.cohort import partition
from bmx.models.own import Model

MARK = 4093
"""A value of the first voxel that only one participant has."""


def mark(store: Path, row: int) -> None:
    """Give the mark to one participant of a store."""
    array = zarr.open_array(str(store), path="slab_4/fat", mode="r+")
    volume = array[row]
    assert isinstance(volume, np.ndarray)
    volume[0, 0, 0] = MARK
    array[row] = volume


def draw_or_raise(model: Model, fat: Any, *others: Any, **options: Any) -> Any:
    """As the model draws, but for whom bears the mark."""
    if int(np.asarray(fat)[0, 0, 0]) == MARK:
        raise ValueError("the network met something that it can't take")
    return ORIGINAL(model, fat, *others, **options)


def draw_or_die(model: Model, fat: Any, *others: Any, **options: Any) -> Any:
    """As the model draws, in a process that dies at the mark."""
    if int(np.asarray(fat)[0, 0, 0]) == MARK:
        os.kill(os.getpid(), signal.SIGKILL)
    return ORIGINAL(model, fat, *others, **options)


ORIGINAL = Model.draw


def run_or_die(work_url: str, index: int, *, only: int | None = None, without: Collection[int] = ()) -> None:
    """`run_partition` with a model that kills its process at the mark."""
    with mock.patch.object(Model, "draw", draw_or_die):
        partition.run_partition(work_url, index, only=only, without=without)
