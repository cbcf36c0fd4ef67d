"""A store that grows: old participants come from the store, and readers see the earlier one until the commit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client

import bmx.ingest.beginning as beginning
from bmx.errors import StoreError
from bmx.ingest.conversion import convert
from bmx.store.reading import open_store
from tests.cohorts import contents
from tests.exams import images, make_exam, members
from tests.ingest.killing import Stopped, watch

FIRST, ALL = (11, 12, 13), (11, 12, 13, 14, 15, 16)
"""With two participants to a partition, the last one of the first three is half full."""
OPTIONS: dict[str, Any] = {"slabs": (2,), "contrasts": ("fat",)}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("growing")
    for eid in ALL:
        make_exam(folder, eid, contrasts=["fat"])
    return folder


@pytest.fixture(autouse=True)
def _two_to_a_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginning, "choose_size", lambda *_, **__: 2)


def some(archives: Path, folder: Path, eids: tuple[int, ...]) -> Path:
    """A folder that holds these archives alone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for eid in eids:
        shutil.copy(archives / f"{eid}_20201_2_0.zip", folder)
    return folder


@pytest.fixture(scope="module")
def at_once(archives: Path, tmp_path_factory: pytest.TempPathFactory, threads: Client) -> dict[str, bytes]:
    """Every byte of a store that never grew."""
    store = tmp_path_factory.mktemp("at_once") / "s.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beginning, "choose_size", lambda *_, **__: 2)
        convert(archives, store, **OPTIONS, client=threads)
    return contents(store)


def test_convert__grows_without_the_old_archives(
    archives: Path, at_once: dict[str, bytes], tmp_path: Path, threads: Client
) -> None:
    """Archives are deleted once converted: the half-full partition takes its old participant from the store."""
    store, dixon = tmp_path / "s.zarr", tmp_path / "dixon"
    convert(some(archives, dixon, FIRST), store, **OPTIONS, client=threads)
    some(archives, dixon, ALL[3:])
    assert convert(dixon, store, client=threads).done == 2  # the half-full one and a new one
    assert contents(store) == at_once
    assert convert(dixon, store, client=threads).done == 0


def test_convert__shows_the_earlier_store_until_the_commit(
    archives: Path, tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody analyses while the newest archives are converted: before each step of it they see what they saw."""
    store, dixon = tmp_path / "s.zarr", tmp_path / "dixon"
    convert(some(archives, dixon, FIRST), store, **OPTIONS, client=threads)
    some(archives, dixon, ALL)
    seen = []

    def look(name: str, number: int) -> None:
        tree = open_store(store)
        seen.append((name, tree.sizes["participant"], len(tree["slab_2/slab_reason"].to_numpy())))
        # Some steps are taken inside a task: computed by the cluster, this would wait for the worker that it runs on.
        found = tree["slab_2/fat"][2, :44].compute(scheduler="synchronous")
        np.testing.assert_array_equal(found, images(2, seed=13)["fat"])

    with monkeypatch.context() as patch:
        watch(patch, before=look)
        convert(dixon, store, client=threads)
    commit = [name for name, *_ in seen].index("consolidate_metadata")
    assert [count for _, *count in seen[: commit + 1]] == [[3, 3]] * (commit + 1)
    assert seen[commit + 1 :] == [("_write", 6, 6)]  # that all is finished
    assert commit > 6


@pytest.mark.parametrize("begun", ["new", "grown"])
def test_convert__goes_on_from_any_step(
    archives: Path, at_once: dict[str, bytes], tmp_path: Path, threads: Client, begun: str
) -> None:
    """Stopped ahead of the first write, then of a later one, and so on: in the end every byte is there."""
    store, dixon = tmp_path / "s.zarr", tmp_path / "dixon"
    if begun == "grown":
        convert(some(archives, dixon, FIRST), store, **OPTIONS, client=threads)
    some(archives, dixon, ALL)
    stopped = 0
    for last in range(0, 40, 2):

        def stop(name: str, number: int, last: int = last) -> None:
            if number >= last:
                raise Stopped

        try:
            with pytest.MonkeyPatch.context() as patch:
                watch(patch, before=stop)
                convert(dixon, store, **OPTIONS, client=threads)
        except Stopped:
            stopped += 1
        else:
            break
    assert stopped >= 2
    assert contents(store) == at_once


@pytest.mark.slow
@pytest.mark.parametrize(("begun", "last"), [("new", i) for i in range(18)] + [("grown", i) for i in range(14)])
def test_convert__goes_on_after_it_was_stopped_once(
    archives: Path, at_once: dict[str, bytes], tmp_path: Path, threads: Client, begun: str, last: int
) -> None:
    """Property: whichever steps were completed, one more call ends in the same store."""
    store, dixon = tmp_path / "s.zarr", tmp_path / "dixon"
    if begun == "grown":
        convert(some(archives, dixon, FIRST), store, **OPTIONS, client=threads)
    some(archives, dixon, ALL)

    def stop(name: str, number: int) -> None:
        if number >= last:
            raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        watch(patch, before=stop)
        with pytest.raises(Stopped):
            convert(dixon, store, **OPTIONS, client=threads)
    convert(dixon, store, **OPTIONS, client=threads)
    assert contents(store) == at_once


def test_convert__stops_between_two_growths_and_takes_both(
    archives: Path, at_once: dict[str, bytes], tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New archives come in while an earlier growth lies unfinished."""
    store, dixon = tmp_path / "s.zarr", tmp_path / "dixon"
    convert(some(archives, dixon, FIRST), store, **OPTIONS, client=threads)
    some(archives, dixon, ALL[:4])

    def stop(name: str, number: int) -> None:
        if name == "write_columns":
            raise Stopped

    with monkeypatch.context() as patch:
        watch(patch, before=stop)
        with pytest.raises(Stopped):
            convert(dixon, store, client=threads)
    convert(some(archives, dixon, ALL), store, client=threads)
    assert contents(store) == at_once


def test_convert__refuses_to_grow_by_exams_of_another_kind(archives: Path, tmp_path: Path, threads: Client) -> None:
    """Folders of DICOM files opened as zips would end every later call; nothing is written, and zips may follow."""
    store, dixon, unpacked = tmp_path / "s.zarr", tmp_path / "dixon", tmp_path / "dicom"
    convert(some(archives, dixon, FIRST), store, **OPTIONS, client=threads)
    write_files(unpacked / "14_20201_2_0", members(archives / "14_20201_2_0.zip"))
    before = (tmp_path / "s.zarr.work/plan.json").read_bytes()
    expected = r"was begun with EID_20201_I_0\.zip files, but below .*dicom there are .* of DICOM files; convert those"
    with pytest.raises(StoreError, match=expected):
        convert(unpacked, store, client=threads)
    assert (tmp_path / "s.zarr.work/plan.json").read_bytes() == before
    assert convert(some(archives, dixon, ALL[:4]), store, client=threads).participants == 4


def write_files(folder: Path, content: dict[str, bytes]) -> None:
    folder.mkdir(parents=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)
