"""Disks that are full or can't be written to: real ones, mounted for the test, since the tests may run as root."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from bmx.cohort.run import run
from tests.cohort.disturbing import (
    assert_unfinished,
    call,
    command,
    done,
    everything,
    mounted,
    remount,
    wait_until,
)

pytestmark = pytest.mark.slow


def test_run__says_that_the_disk_is_full_and_goes_on_when_there_is_space(
    six: Path, untrained: Path, calm: dict[str, bytes], tmp_path: Path
) -> None:
    """Half way: one error with what to do, and what was done stays done."""
    size = sum(map(len, calm.values()))
    with mounted("tmpfs", "none", tmp_path / "disk", options="size=16m") as disk:
        results, ballast = disk / "results.zarr", disk / "ballast"
        with ballast.open("wb") as file:
            free = os.statvfs(disk)
            os.posix_fallocate(file.fileno(), 0, max(free.f_bavail * free.f_frsize - size // 2, free.f_frsize))
        words = command(six, results, untrained)
        said = call(words, code=1)
        assert "OSError: [Errno 28] No space left on device" in said
        assert "the disk is full: make space and call again, what is done stays done" in said
        assert "Traceback" not in said
        assert_unfinished(results)
        ballast.unlink()
        call(words)
        assert everything(results) == calm


def test_run__reads_a_store_that_is_read_only(
    six: Path, untrained: Path, calm: dict[str, bytes], tmp_path: Path
) -> None:
    """Archives are often mounted so: nothing but the results is written."""
    with mounted("none", six.parent, tmp_path / "archive", options="bind") as archive:
        remount(archive, "bind,ro")
        with pytest.raises(OSError, match="Read-only file system"):
            (archive / "x").touch()
        run(archive / six.name, tmp_path / "results.zarr", models=untrained, workers=2)
    assert everything(tmp_path / "results.zarr") == calm


def test_run__says_that_it_may_not_write(six: Path, untrained: Path, calm: dict[str, bytes], tmp_path: Path) -> None:
    """Before it begins, and in the middle, where a network disk turned read-only after an error of its own."""
    with mounted("tmpfs", "none", tmp_path / "disk", options="size=64m,ro") as disk:
        results = disk / "results.zarr"
        words = command(six, results, untrained)
        said = call(words, code=1)
        assert f"StoreError: cannot write {results}.work/plan.json: Read-only file system; choose another place" in said
        remount(disk, "rw")

        def turn() -> None:
            wait_until(lambda: done(results) >= 1)
            remount(disk, "ro")

        turning = threading.Thread(target=turn)
        turning.start()
        said = call(words, code=1)
        turning.join(timeout=60)
        assert "Read-only file system" in said
        assert "call again" in said
        assert "Traceback" not in said
        assert_unfinished(results)
        remount(disk, "rw")
        call(words)
        assert everything(results) == calm
