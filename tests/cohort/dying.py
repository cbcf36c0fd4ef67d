"""Runs in which one participant's images raise or kill: what tests of survival share."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import zarr

from bmx.cohort import partition
from bmx.models.own import Model
from bmx.partitions.rescue import NOBODY

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


def draw_or_hang(model: Model, fat: Any, *others: Any, **options: Any) -> Any:
    """As the model draws, but never to an end at the mark."""
    while int(np.asarray(fat)[0, 0, 0]) == MARK:
        time.sleep(1)
    return ORIGINAL(model, fat, *others, **options)


def draw_and_swell(model: Model, fat: Any, *others: Any, **options: Any) -> Any:
    """As the model draws, with 2 GB that are held for a while."""
    held = np.ones(2**28)
    time.sleep(1)
    assert held[-1] == 1
    return ORIGINAL(model, fat, *others, **options)


def run_or_die(work_url: str, index: int, *, only: int | None = None, without: Mapping[int, str] = NOBODY) -> int:
    """`run_partition` with a model that kills its process at the mark."""
    with mock.patch.object(Model, "draw", draw_or_die):
        return partition.run_partition(work_url, index, only=only, without=without)


def run_or_hang(work_url: str, index: int, *, only: int | None = None, without: Mapping[int, str] = NOBODY) -> int:
    """`run_partition` with a model that blocks its process at the mark."""
    with mock.patch.object(Model, "draw", draw_or_hang):
        return partition.run_partition(work_url, index, only=only, without=without)


def run_or_swell(work_url: str, index: int, *, only: int | None = None, without: Mapping[int, str] = NOBODY) -> int:
    """`run_partition` with a model that takes much memory in the second partition."""
    draw = draw_and_swell if index == 1 else ORIGINAL
    with mock.patch.object(Model, "draw", draw):
        return partition.run_partition(work_url, index, only=only, without=without)
