from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from bmx.errors import StoreError
from bmx.partitions.engine import log_name
from bmx.partitions.plan import Plan
from bmx.partitions.progress import logs
from bmx.partitions.work import WorkFolder
from tests.s3 import files, serve_s3

PLAN = Plan((5, 6, 7), 2, {"names": ["a.zip", "é.zip"]})


@pytest.fixture(params=["local", "memory"])
def work(request: pytest.FixtureRequest, tmp_path: Path) -> WorkFolder:
    """A work folder on disk, and one behind a URL."""
    store = str(tmp_path / "s.zarr") if request.param == "local" else f"memory://{tmp_path.name}/s.zarr"
    return WorkFolder.beside(store)


def test_plan__comes_back_as_it_was(work: WorkFolder) -> None:
    """Tasks on other machines read it; nothing may be lost on the way."""
    assert not work.has_plan()
    work.write_plan(PLAN)
    assert work.has_plan()
    assert work.read_plan() == PLAN


def test_record__keeps_every_dtype_and_text(work: WorkFolder) -> None:
    """Names with a slash stand for children of the tree; text must not need pickle."""
    record = {
        "slab_2/affine": np.full((2, 3, 4), np.nan),
        "slab_2/slab_flags": np.uint16([0, 3]),
        "series/description": np.array(["Dixon_BH_17s_F", "täil"]),
        "none": np.zeros(0, "U1"),
    }
    work.write_record(3, record)
    found = work.read_record(3)
    assert found.keys() == record.keys()
    for name, array in record.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_record__refuses_objects(work: WorkFolder) -> None:
    """An object array would be pickled, and pickles are never loaded."""
    with pytest.raises(ValueError, match="allow_pickle=False"):
        work.write_record(0, {"a": np.array([{}], dtype=object)})


def test_record__gives_the_same_bytes_twice(tmp_path: Path) -> None:
    """A partition that was run twice must leave what one run leaves."""
    work = WorkFolder(tmp_path / "s.zarr.work")
    contents = []
    for _ in range(2):
        work.write_record(0, {"a": np.arange(3)})
        contents.append(next((tmp_path / "s.zarr.work" / "records").iterdir()).read_bytes())
    assert contents[0] == contents[1]


def test_missing__counts_only_markers_of_the_same_participants(work: WorkFolder) -> None:
    """When participants are added, the last, partly filled partition is another one."""
    assert work.missing(PLAN) == [0, 1]
    for part in PLAN.partitions():
        work.write_marker(part.index, part.digest)
    assert work.missing(PLAN) == []
    assert work.missing(Plan((5, 6, 7, 8, 9), 2)) == [1, 2]


def test_sweep__removes_only_half_written_files(tmp_path: Path) -> None:
    """A killed process leaves temporary files; finished ones stay."""
    work = WorkFolder(tmp_path / "s.zarr.work")
    work.sweep()  # nothing there yet
    work.write_plan(PLAN)
    half = tmp_path / "s.zarr.work" / "records" / "000000.npz.0123.partial"
    half.parent.mkdir()
    half.write_bytes(b"half")
    work.sweep()
    assert not half.exists()
    assert work.read_plan() == PLAN


def test_read_plan__says_what_is_wrong(tmp_path: Path) -> None:
    """The two ways in which a folder is not ours."""
    with pytest.raises(StoreError, match=r"holds no plan\.json"):
        WorkFolder(tmp_path).read_plan()
    (tmp_path / "plan.json").write_text('{"format": 99}')
    with pytest.raises(StoreError, match="has format 99, expected 1"):
        WorkFolder(tmp_path).read_plan()


def test_beside__takes_away_what_it_added() -> None:
    """A task finds its store from its work folder, so that both can be moved together."""
    work = WorkFolder.beside("memory://bucket/cohort.zarr/")
    assert work.url == "memory://bucket/cohort.zarr.work"
    assert work.store_url == "memory://bucket/cohort.zarr"
    assert fsspec.filesystem("memory") is work._fs


def test_write__names_the_place_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commonest mistake on a shared cluster."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)  # tests may run as root, whom no mode stops
    with pytest.raises(StoreError, match=r"cannot write .*Permission denied; choose another place"):
        WorkFolder(tmp_path / "s.zarr.work").write_plan(PLAN)


@pytest.mark.parametrize("place", ["{}/s.zarr.work", "memory://{}/s.zarr.work"])
def test_read_records__gives_them_in_the_order_that_was_asked_for(place: str, tmp_path: Path) -> None:
    """More than are read at once, and backwards; one that is missing is named."""
    work = WorkFolder(place.format(tmp_path))
    for index in range(130):
        work.write_record(index, {"number": np.array([index])})
    asked = list(range(129, -1, -1))
    assert [int(record["number"][0]) for record in work.read_records(asked)] == asked
    with pytest.raises(StoreError, match="partition 130 has no record"):
        list(work.read_records([3, 130]))


@pytest.mark.parametrize("place", ["{}/s.zarr.work", "{}/[a*]/s.zarr.work", "memory://{}/s.zarr.work"])
def test_read_files__gives_none_for_what_is_not_there(place: str, tmp_path: Path) -> None:
    """In the order that was asked for; a folder may be called what a shell would take for a pattern."""
    work = WorkFolder(place.format(tmp_path))
    for index in range(0, 150, 2):
        work.write_file(f"logs/{index}", str(index).encode())
    names = [f"logs/{index}" for index in range(149, -1, -1)]
    expected = [None if index % 2 else str(index).encode() for index in range(149, -1, -1)]
    assert list(work.read_files(names)) == expected
    assert list(work.read_files([])) == []


def test_read_files__raises_what_is_no_absence(tmp_path: Path) -> None:
    """A disk that fails is not a partition that wasn't done."""
    work = WorkFolder(tmp_path / "s.zarr.work")
    (tmp_path / "s.zarr.work/logs/a").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        list(work.read_files(["logs/a"]))


def test_missing__asks_an_object_store_for_many_markers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, markers and logs of 100,000 participants would take minutes."""
    plan = Plan(tuple(range(200)), 1)
    with serve_s3() as bucket:
        work = WorkFolder.beside(f"{bucket}/s.zarr")
        work.write_plan(plan)
        for part in plan.partitions():
            work.write_marker(part.index, part.digest if part.index != 70 else "of others")
            work.write_file(log_name(part.index), b'{"seconds": 1, "ended": 1, "failed": 1, "worker": "a:1"}')
        at_once, most = 0, 0
        original = type(files())._cat_file

        async def counting(self: Any, *words: Any, **options: Any) -> Any:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            try:
                return await original(self, *words, **options)
            finally:
                at_once -= 1

        monkeypatch.setattr(type(files()), "_cat_file", counting)
        assert work.missing(plan) == [70]
        assert most > 20, "markers were read one after the other"
        most = 0
        assert sum(one["failed"] for one in logs(f"{bucket}/s.zarr")) == 199
        assert most > 20, "logs were read one after the other"
