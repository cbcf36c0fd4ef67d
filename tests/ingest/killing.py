"""Conversions that are killed by a participant or stopped at a step: what tests of interruption share."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import zarr

import bmx.ingest.beginning as beginning
import bmx.ingest.encode as encode
import bmx.ingest.finalise as finalise
from bmx.partitions.work import WorkFolder

DEADLY = 1000003
"""Whose archive kills whoever opens it."""


def encode_or_die(work_url: str, index: int, *, only: int | None = None, without: Collection[int] = ()) -> None:
    """As `encode_partition`, in a process that dies as if the reader of the archive had crashed."""
    original = encode.open_exam

    def open_exam(stack: Any, source: Any, options: Any, eid: int, where: str) -> Any:
        if eid == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(stack, source, options, eid, where)

    with mock.patch.object(encode, "open_exam", open_exam):
        encode.encode_partition(work_url, index, only=only, without=without)


class Stopped(Exception):  # noqa: N818  # it stands for a kill, not for an error
    """Raised where the process would have been killed."""


STEPS: tuple[tuple[Any, str], ...] = (
    (beginning, "create_store"),
    (encode, "write_images"),
    (finalise, "write_columns"),
    (finalise, "consolidate"),
    (zarr, "consolidate_metadata"),
    (WorkFolder, "_write"),
)
"""Everything that writes."""


def watch(monkeypatch: pytest.MonkeyPatch, *, before: Callable[[str, int], None]) -> None:
    """Call `before(name, number)` ahead of each step that writes; it may raise to end the conversion there."""
    count = 0

    def counting(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def step(*words: Any, **options: Any) -> Any:
            nonlocal count
            number, count = count, count + 1
            before(name, number)
            return original(*words, **options)

        return step

    for place, name in STEPS:
        monkeypatch.setattr(place, name, counting(name, getattr(place, name)))


def done(store: Path) -> int:
    """Partitions with a marker."""
    return len(list(Path(f"{store}.work/done").glob("[0-9]*[0-9]")))
