"""Participants who stay as the store has them while others of their partition are read, for the first time or again."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

import bmx.ingest.beginning as beginning
import bmx.ingest.conversion as conversion
from bmx.ingest.conversion import convert, finish
from bmx.ingest.encode import encode_partition
from bmx.ingest.planning import plan
from bmx.ingest.verification import verify
from bmx.ingest.withdrawing import withdraw
from bmx.store.reading import open_store
from bmx.variables import SLAB_STATUS
from tests.cohorts import contents
from tests.exams import make_exam
from tests.ingest.killing import Stopped, watch

EIDS = (11, 12, 13, 14, 15, 16, 17)
BROKEN = (12, 13, 16)
"""In partitions of three: one in the middle, one at the end, one in the middle."""
OPTIONS: dict[str, Any] = {"slabs": (2,), "contrasts": ("fat",)}


@pytest.fixture(autouse=True)
def _three_to_a_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginning, "choose_size", lambda *_, **__: 3)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    for eid in EIDS:
        make_exam(folder, eid, contrasts=["fat"])
    return folder


@pytest.fixture(scope="module")
def at_once(archives: Path, tmp_path_factory: pytest.TempPathFactory, threads: Client) -> dict[str, bytes]:
    """Every byte of a store whose archives were whole from the beginning."""
    store = tmp_path_factory.mktemp("at_once") / "s.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beginning, "choose_size", lambda *_, **__: 3)
        convert(archives, store, **OPTIONS, client=threads)
    return contents(store)


@pytest.fixture(scope="module")
def damaged(archives: Path, tmp_path_factory: pytest.TempPathFactory, threads: Client) -> Path:
    """`s.zarr` as it became of three archives that were cut short, and `dixon`, where only those lie now, repaired."""
    folder = tmp_path_factory.mktemp("damaged")
    shutil.copytree(archives, folder / "dixon")
    for eid in BROKEN:
        path = folder / f"dixon/{eid}_20201_2_0.zip"
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beginning, "choose_size", lambda *_, **__: 3)
        convert(folder / "dixon", folder / "s.zarr", **OPTIONS, client=threads)
    return folder


@pytest.fixture
def repaired(damaged: Path, archives: Path, tmp_path: Path) -> Path:
    """The archives that were read are deleted, as people do."""
    shutil.copytree(damaged / "s.zarr", tmp_path / "s.zarr")
    shutil.copytree(damaged / "s.zarr.work", tmp_path / "s.zarr.work")
    (tmp_path / "dixon").mkdir()
    for eid in BROKEN:
        shutil.copy(archives / f"{eid}_20201_2_0.zip", tmp_path / "dixon")
    return tmp_path


def unreadable(store: Path) -> list[int]:
    tree = open_store(store)
    return tree["participant"].to_numpy()[tree["slab_2/slab_status"] == SLAB_STATUS["unreadable"]].tolist()


def test_convert__reads_repaired_archives_when_asked(
    repaired: Path, at_once: dict[str, bytes], threads: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """And says that it can be asked; whose archives are gone stay as they are, and every byte is as if at once."""
    store, dixon = repaired / "s.zarr", repaired / "dixon"
    assert unreadable(store) == list(BROKEN)
    with caplog.at_level(logging.WARNING, logger="bmx"):
        report = convert(dixon, store, client=threads)
    assert (report.done, report.unreadable) == (0, 3)
    assert "3 archives unreadable (bmx convert --retry reads them again)" in str(report)
    assert "3 archives are gone or couldn't be read; replace them and call convert with retry=True" in caplog.text
    report = convert(dixon, store, client=threads, retry=True)
    assert (report.done, report.unreadable, report.finished) == (2, 0, True)
    assert contents(store) == at_once
    assert convert(dixon, store, client=threads, retry=True).done == 0
    outcomes = verify(store, sample=None, client=threads).set_index("participant")["outcome"]
    assert set(outcomes[list(BROKEN)]) == {"equal"}


def test_convert__tries_again_whatever_is_still_unreadable(repaired: Path, threads: Client) -> None:
    """One is repaired, one is as it was, one is gone now: only the first one changes."""
    store, dixon = repaired / "s.zarr", repaired / "dixon"
    (dixon / "13_20201_2_0.zip").write_bytes(b"cut off again")
    (dixon / "16_20201_2_0.zip").unlink()
    for done in (1, 0):  # and nothing is written again where nothing can be read now
        report = convert(dixon, store, client=threads, retry=True)
        assert (report.unreadable, report.done) == (2, done)
        assert unreadable(store) == [13, 16]


def test_convert__grows_and_tries_again_at_once(
    archives: Path, at_once: dict[str, bytes], tmp_path: Path, threads: Client
) -> None:
    """New participants come into the very partition that holds a repaired archive."""
    store, dixon = tmp_path / "s.zarr", tmp_path / "dixon"
    dixon.mkdir()
    for eid in EIDS[:5]:
        shutil.copy(archives / f"{eid}_20201_2_0.zip", dixon)
    (dixon / "14_20201_2_0.zip").write_bytes(b"cut off")
    convert(dixon, store, **OPTIONS, client=threads)
    shutil.rmtree(dixon)
    dixon.mkdir()
    for eid in (14, 16, 17):
        shutil.copy(archives / f"{eid}_20201_2_0.zip", dixon)
    convert(dixon, store, client=threads, retry=True)
    assert contents(store) == at_once


def test_convert__goes_on_with_a_retry_from_any_step(
    repaired: Path, at_once: dict[str, bytes], threads: Client
) -> None:
    """Stopped ahead of each write in turn and called again, it ends with every byte."""
    for last in range(40):
        for name in ("s.zarr", "s.zarr.work"):
            shutil.rmtree(repaired / "again" / name, ignore_errors=True)
            shutil.copytree(repaired / name, repaired / "again" / name)
        store = repaired / "again/s.zarr"

        def stop(name: str, number: int, last: int = last) -> None:
            if number == last:
                raise Stopped

        try:
            with pytest.MonkeyPatch.context() as patch:
                watch(patch, before=stop)
                convert(repaired / "dixon", store, client=threads, retry=True)
        except Stopped:
            convert(repaired / "dixon", store, client=threads, retry=True)
        else:
            break
        assert contents(store) == at_once, last
    assert last > 8


def test_convert__finishes_a_retry_that_was_stopped(
    repaired: Path, at_once: dict[str, bytes], threads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All is read, the columns aren't written: the store must not count as finished, as it was before."""
    store, dixon = repaired / "s.zarr", repaired / "dixon"

    def stop(*_: object) -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(conversion, "finalise", stop)
        with pytest.raises(Stopped):
            convert(dixon, store, client=threads, retry=True)
    assert unreadable(store) == list(BROKEN)
    assert convert(dixon, store, client=threads).done == 0
    assert contents(store) == at_once


def test_convert__leaves_tombstones_in_peace(repaired: Path, threads: Client) -> None:
    """Who has withdrawn isn't read again, repaired or not, and stays between those who are."""
    store, dixon = repaired / "s.zarr", repaired / "dixon"
    withdraw(store, [11, 12])
    convert(dixon, store, client=threads, retry=True)
    tree = open_store(store)
    assert tree["participant"].to_numpy().tolist() == [-1, -2, *EIDS[2:]]
    withdrawn, complete = SLAB_STATUS["withdrawn"], SLAB_STATUS["complete"]
    assert tree["slab_2/slab_status"].to_numpy().tolist() == [withdrawn] * 2 + [complete] * 5
    assert not tree["slab_2/fat"][:2].to_numpy().any()


def test_convert__refuses_to_retry_single_partitions(repaired: Path, threads: Client) -> None:
    """Which partitions hold such archives isn't known beforehand."""
    with pytest.raises(ValueError, match="call convert without partitions"):
        convert(repaired / "dixon", repaired / "s.zarr", partitions=range(1), client=threads, retry=True)


def test_encode_partition__is_done_once(archives: Path, tmp_path: Path, threads: Client) -> None:
    """A worker dies after its last write, and Dask gives the partition to another one: archives may be gone by then."""
    store, dixon = tmp_path / "s.zarr", tmp_path / "dixon"
    shutil.copytree(archives, dixon)
    plan(dixon, store, **OPTIONS, client=threads, write=True)
    convert(dixon, store, partitions=range(3), client=threads)
    (dixon / "12_20201_2_0.zip").unlink()
    encode_partition(f"{store}.work", 0)
    finish(store)
    assert unreadable(store) == []
