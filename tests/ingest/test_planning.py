from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from distributed import Client

import bmx.ingest.beginning as beginning
from bmx.errors import SourceError, StoreError
from bmx.ingest.conversion import convert, finish, share
from bmx.ingest.forecast import Forecast, Rate
from bmx.ingest.memory import BYTES_AT_REST, bytes_per_participant
from bmx.ingest.planning import plan
from bmx.store.reading import open_store
from tests.cohorts import contents
from tests.exams import make_exam
from tests.ingest.killing import Stopped

EIDS = tuple(range(21, 28))
VOLUME = 2 * 46 * 174 * 224
"""Bytes of an image of slab 2 as it is stored."""


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven participants with fat and water of slab 2."""
    folder = tmp_path_factory.mktemp("dixon")
    for eid in EIDS:
        make_exam(folder, eid)
    return folder


@pytest.fixture(autouse=True)
def _two_to_a_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginning, "choose_size", lambda *_, **__: 2)


def test_plan__counts_what_a_conversion_then_takes(archives: Path, tmp_path: Path, threads: Client) -> None:
    """Sizes to expect against sizes found, before anything is on disk."""
    store = tmp_path / "s.zarr"
    forecast = plan(archives, store, slabs=(2,), client=threads)
    assert not list(tmp_path.iterdir())
    assert (forecast.participants, forecast.left, forecast.partitions, forecast.done) == (7, 7, 4, 0)
    assert forecast.memory_per_task == BYTES_AT_REST + 2 * bytes_per_participant([2], ["fat", "water"])[1]
    assert forecast.raw_bytes == 7 * 2 * VOLUME
    assert forecast.rate.basis == "measured now on 3 exams"
    assert forecast.seconds > 0
    convert(archives, store, slabs=(2,), client=threads)
    shards = list(store.glob("slab_2/*/c.*.0.0.0"))
    images = sum(path.stat().st_size for path in shards if path.parent.name in ("fat", "water"))
    assert forecast.shards == len([path for path in shards if path.parent.name in ("fat", "water")])
    assert forecast.stored_bytes == pytest.approx(images, rel=0.1)
    assert forecast.archive_bytes == pytest.approx(sum(path.stat().st_size for path in archives.iterdir()), rel=1e-6)


def test_plan__goes_by_the_record_of_what_is_done(archives: Path, tmp_path: Path, threads: Client) -> None:
    """Days into a conversion its own pace tells more than three exams, and nothing is tried out."""
    store = tmp_path / "s.zarr"
    plan(archives, store, slabs=(2,), client=threads, write=True)
    convert(archives, store, partitions=range(3), client=threads)
    forecast = plan(archives, store, client=threads)
    assert forecast.rate.basis == "from the record of 3 finished partitions"
    assert (forecast.done, forecast.left) == (3, 1)
    assert 0 < forecast.seconds == forecast.rate.seconds
    convert(archives, store, client=threads)
    assert "nothing is left to do" in str(plan(archives, store, client=threads))


def test_plan__refuses_in_advance(archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What convert would refuse hours later, and with the number that would do."""
    monkeypatch.undo()
    with pytest.raises(ValueError, match="allow at least 352 MB") as caught:
        plan(archives, tmp_path / "s.zarr", max_memory=300_000_000, workers=1)
    assert "one task may use 300,000,000 bytes" in str(caught.value)
    assert plan(archives, tmp_path / "s.zarr", max_memory=352_000_000, workers=1).memory_per_task <= 352_000_000
    with pytest.raises(SourceError, match="found none"):
        plan(tmp_path, tmp_path / "s.zarr")


def test_forecast__is_a_readable_table() -> None:
    """A hundred thousand participants on sixteen cores, as somebody would read it before asking for disks."""
    forecast = Forecast(
        store="ukbb.zarr", participants=100_000, left=99_000, partitions=10_000, done=100, partition_size=10,
        workers=16, memory_per_task=690_000_000, archive_bytes=5 * 10**12, raw_bytes=51 * 10**11, shards=120_000,
        rate=Rate(0.5, 19e6, "measured now on 3 exams"),
    )  # fmt: skip
    assert str(forecast).splitlines() == [
        "ukbb.zarr",
        "  participants  100,000, 99,000 to do",
        "  partitions    10,000 of 10 participants, 100 done",
        "  memory        690 MB per task at most, 11.0 GB for 16 workers",
        "  archives      5.0 TB to read in all",
        "  raw images    5.1 TB",
        "  store         1.9 TB (2.7 times smaller) in at most 120,000 shards",
        "  time          51m 35s with 16 workers, 0.50 s a participant, measured now on 3 exams",
    ]


def test_convert__in_shares_equals_a_single_call(archives: Path, tmp_path: Path, threads: Client) -> None:
    """A job array: a plan that is written once, shares in any order, one of them twice, then the end."""
    convert(archives, tmp_path / "alone.zarr", slabs=(2,), client=threads)
    store = tmp_path / "s.zarr"
    plan(archives, store, slabs=(2,), client=threads, write=True)
    reports = [convert(archives, store, partitions=share(store, i, of=3), client=threads) for i in (2, 0, 2, 1)]
    assert [report.done for report in reports] == [2, 1, 0, 1]
    assert str(reports[0]).endswith("2 of them written now, 2 are missing")
    assert str(reports[-1]).endswith("1 of them written now, all are there, bmx convert --finalise ends it")
    with pytest.raises(StoreError, match="begun but not finished"):
        open_store(store)
    assert finish(store).finished
    assert contents(store) == contents(tmp_path / "alone.zarr")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    finish(store)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_finish__lists_what_is_missing(archives: Path, tmp_path: Path, threads: Client) -> None:
    """A job of the array was cancelled: its share is named, and can be done by hand."""
    store = tmp_path / "s.zarr"
    plan(archives, store, slabs=(2,), client=threads, write=True)
    convert(archives, store, partitions=range(1, 3), client=threads)
    with pytest.raises(StoreError, match=r"of 4 partitions 2 are missing \(0, 3\)"):
        finish(store)
    with pytest.raises(StoreError, match="begun but not finished"):
        open_store(store)


def test_convert__of_single_partitions_needs_a_plan_that_fits(archives: Path, tmp_path: Path, threads: Client) -> None:
    """Jobs that each made a plan of their own would write stores that don't match."""
    store = tmp_path / "s.zarr"
    for call in (lambda: convert(archives, store, partitions=range(1)), lambda: finish(store)):
        with pytest.raises(StoreError, match="write it first: bmx plan SOURCE STORE --write"):
            call()
    plan(archives, store, slabs=(2,), client=threads, write=True)
    with pytest.raises(ValueError, match="asked for partitions 2 to 4, but the plan has 4, 0 to 3"):
        convert(archives, store, partitions=range(2, 5), client=threads)
    with pytest.raises(StoreError, match=r"was made with slabs \(2,\), asked for \(2, 5\)"):
        convert(archives, store, slabs=(2, 5), partitions=range(1), client=threads)
    with pytest.raises(ValueError, match="share 3 of 3; they are counted from 0 to 2"):
        share(store, 3, of=3)


@pytest.mark.parametrize("begun", ["new", "grown"])
def test_plan__that_was_stopped_can_be_written_again(
    archives: Path, tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch, begun: str
) -> None:
    """Between plan and arrays, on a full disk: the same command mends it, and leaves the plan that jobs may read."""
    dixon, store = tmp_path / "dixon", tmp_path / "s.zarr"
    shutil.copytree(archives, dixon)
    if begun == "grown":
        convert(dixon, store, slabs=(2,), client=threads)
        make_exam(dixon, 28)
        make_exam(dixon, 29)

    def stop(*_: object, **__: object) -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(beginning, "create_store", stop)
        with pytest.raises(Stopped):
            plan(dixon, store, slabs=(2,), client=threads, write=True)
    written = (tmp_path / "s.zarr.work/plan.json").stat().st_mtime_ns
    plan(dixon, store, slabs=(2,), client=threads, write=True)
    assert (tmp_path / "s.zarr.work/plan.json").stat().st_mtime_ns == written
    convert(dixon, store, partitions=range(4 + (begun == "grown")), client=threads)
    assert finish(store).finished


def test_plan__warns_of_a_store_that_was_begun_too_small(
    archives: Path, tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A trial of few has a participant to a shard, and so would a hundred thousand: over a million files."""
    dixon, store = tmp_path / "dixon", tmp_path / "s.zarr"
    shutil.copytree(archives, dixon)
    convert(dixon, store, slabs=(2,), client=threads)
    make_exam(dixon, 28)
    monkeypatch.setattr(beginning, "choose_size", lambda *_, **__: 7)
    assert plan(dixon, store, client=threads).advice == ""
    monkeypatch.setattr(beginning, "choose_size", lambda *_, **__: 8)
    assert not caplog.records
    forecast = plan(dixon, store, client=threads)
    expected = "makes 8 shards of all 8; begun now, it would have 8 in a partition and 2 shards. Convert into another"
    assert expected in str(forecast)
    assert expected in caplog.text
    convert(dixon, store, client=threads)
    caplog.clear()
    convert(dixon, store, client=threads)  # that nothing is left to do is no time for advice
    assert expected not in caplog.text


def test_convert__of_single_partitions_ignores_newer_archives(archives: Path, tmp_path: Path, threads: Client) -> None:
    """An archive that arrives while an array of jobs is running must not give two of them different plans."""
    dixon, store = tmp_path / "dixon", tmp_path / "s.zarr"
    shutil.copytree(archives, dixon)
    plan(dixon, store, slabs=(2,), client=threads, write=True)
    make_exam(dixon, 1)
    convert(dixon, store, partitions=range(4), client=threads)
    finish(store)
    assert open_store(store)["participant"].to_numpy().tolist() == list(EIDS)
