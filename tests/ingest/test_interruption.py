"""Conversions that die: real processes killed with SIGKILL, an archive that kills its reader, a disk that is full."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from distributed import Client

import bmx.ingest.beginning as beginning
import bmx.ingest.conversion as conversion
import bmx.ingest.encode as encode
from bmx.ingest.conversion import convert
from bmx.partitions.work import WorkFolder
from bmx.store.reading import open_store
from bmx.variables import SLAB_STATUS
from tests.cohorts import contents
from tests.exams import make_exam
from tests.ingest.killing import DEADLY, done, encode_or_die

EIDS = tuple(range(1000001, 1000009))
WAIT_S = 120


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight participants, two slabs each."""
    folder = tmp_path_factory.mktemp("dixon")
    for eid in EIDS:
        make_exam(folder, eid, slabs=(2, 5))
    return folder


@pytest.fixture(scope="module")
def calm(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every byte of a store that nobody disturbed, a participant to a partition."""
    store = tmp_path_factory.mktemp("calm") / "s.zarr"
    convert(archives, store, slabs=(2, 5), workers=2)
    return contents(store)


def command(archives: Path, store: Path) -> list[str]:
    words = ["convert", str(archives), str(store), "--slabs", "2,5", "--workers", "2"]
    return [sys.executable, "-m", "bmx.cli", *words]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def kill_when(true: Callable[[], bool], archives: Path, store: Path, *, everyone: bool = True) -> None:
    """Begin a conversion in processes of its own, and kill them as soon as something holds."""
    process = subprocess.Popen(
        command(archives, store),
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        assert process.poll() is None, "it ended before the kill: the test has tested nothing"
        time.sleep(0.001)
    if everyone:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def call_again(archives: Path, store: Path) -> None:
    again = subprocess.run(
        command(archives, store), env=environment(), capture_output=True, text=True, check=False, timeout=WAIT_S
    )
    assert again.returncode == 0, again.stderr


@pytest.mark.slow
@pytest.mark.parametrize("everyone", [True, False], ids=["everyone", "the caller alone"])
def test_convert__equals_an_undisturbed_one_when_called_again(
    archives: Path, calm: dict[str, bytes], tmp_path: Path, everyone: bool
) -> None:
    """The machine goes down, or the notebook alone, with workers left behind that still write."""
    store = tmp_path / "s.zarr"
    kill_when(lambda: done(store) >= 1, archives, store, everyone=everyone)
    work = WorkFolder.beside(store)
    assert not work.is_finished(work.read_plan())
    call_again(archives, store)
    assert contents(store) == calm


@pytest.mark.slow
def test_convert__equals_an_undisturbed_one_after_a_kill_while_finalising(
    archives: Path, calm: dict[str, bytes], tmp_path: Path
) -> None:
    """Half of the columns are there when the process ends."""
    store = tmp_path / "s.zarr"
    kill_when((store / "slab_2/slab_flags").exists, archives, store)
    assert not (store / "series/series_reason").exists(), "all columns were there: the test has tested nothing"
    assert done(store) == len(EIDS)
    call_again(archives, store)
    assert contents(store) == calm


@pytest.mark.slow
def test_convert__equals_an_undisturbed_one_after_a_kill_while_growing(
    archives: Path, calm: dict[str, bytes], tmp_path: Path
) -> None:
    """Readers still have the earlier participants, and a further call ends with all of them."""
    store, some = tmp_path / "s.zarr", tmp_path / "some"
    some.mkdir()
    for path in sorted(archives.iterdir())[:3]:
        (some / path.name).symlink_to(path)
    convert(some, store, slabs=(2, 5), workers=2)
    kill_when(lambda: done(store) >= 4, archives, store)
    tree = open_store(store)
    assert tree["participant"].to_numpy().tolist() == list(EIDS[:3])
    assert tree["slab_5/fat"][2].to_numpy().any()
    call_again(archives, store)
    assert contents(store) == calm


@pytest.mark.slow
def test_convert__blames_only_who_kills_the_worker(
    archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive that crashes its reader costs one participant, not the partition and not the run."""
    monkeypatch.setattr(conversion, "encode_partition", encode_or_die)
    monkeypatch.setattr(beginning, "choose_size", lambda *_, **__: 4)
    store = tmp_path / "s.zarr"
    assert convert(archives, store, slabs=(2, 5), workers=1).done == 2
    tree = open_store(store)
    status = dict(zip(EIDS, tree["slab_2/slab_status"].to_numpy().tolist(), strict=True))
    reason = dict(zip(EIDS, map(str, tree["slab_2/slab_reason"].to_numpy()), strict=True))
    assert status.pop(DEADLY) == SLAB_STATUS["unreadable"]
    assert reason.pop(DEADLY) == "worker died"
    assert set(status.values()) == {SLAB_STATUS["complete"]}
    assert set(reason.values()) == {""}
    filled = tree["slab_5/water"].any(["z", "y", "x"]).to_numpy()
    assert dict(zip(EIDS, filled.tolist(), strict=True)) == {eid: eid != DEADLY for eid in EIDS}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a few shards."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", folder], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip("only root can mount a file system that is soon full")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_convert__stops_at_a_full_disk_and_goes_on_elsewhere(archives: Path, small_disk: Path, threads: Client) -> None:
    """No participant is at fault: nobody is marked unreadable, and the message names the partition."""
    store = small_disk / "s.zarr"
    with pytest.raises(OSError, match="No space left on device") as caught:
        convert(archives, store, slabs=(2, 5), client=threads)
    assert caught.value.errno == errno.ENOSPC
    assert any(note.startswith("while doing partition ") for note in caught.value.__notes__)
    work = WorkFolder.beside(store)
    assert work.missing(work.read_plan())
    subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
    convert(archives, store, slabs=(2, 5), client=threads)
    assert set(open_store(store)["slab_5/slab_status"].to_numpy().tolist()) == {SLAB_STATUS["complete"]}


def test_convert__stops_where_a_task_may_not_write(
    archives: Path, tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests may run as root, whom no mode stops: the refusal is made up. It names the partition."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(encode, "write_images", refuse)
    with pytest.raises(PermissionError, match="Permission denied") as caught:
        convert(archives, tmp_path / "s.zarr", slabs=(2,), client=threads)
    assert any("participants 100000" in note for note in caught.value.__notes__)
