"""Let work end at any change of a file, as if its process were killed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import zarr

from bmx.partitions.work import WorkFolder


class KilledError(Exception):
    """Stands for the end of the process."""


def killed_at(patch: pytest.MonkeyPatch, step: int) -> Callable[[], int]:
    """Let the process end at the given change of a file, before or after it; gives how many there were."""
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if done >= step:
            raise KilledError

    def watch(owner: type, name: str) -> None:
        original = getattr(owner, name)
        if asyncio.iscoroutinefunction(original):

            async def slow(*words: Any, **options: Any) -> Any:
                count()
                return await original(*words, **options)

            patch.setattr(owner, name, slow)
        else:

            def quick(*words: Any, **options: Any) -> Any:
                count()
                return original(*words, **options)

            patch.setattr(owner, name, quick)

    for owner, name in (
        (zarr.storage.LocalStore, "set"), (zarr.storage.LocalStore, "delete"),
        (WorkFolder, "_write"), (WorkFolder, "remove_file"),
    ):  # fmt: skip
        watch(owner, name)
    return lambda: done
