from __future__ import annotations

import math
from pathlib import Path

import pytest
from distributed import Client

from bmx.errors import StoreError
from bmx.partitions.engine import run_missing
from bmx.partitions.plan import Plan
from bmx.partitions.progress import Progress, logs, status
from bmx.partitions.work import WorkFolder

PLAN = Plan(tuple(range(100, 110)), 3)


def lose_one(work_url: str, index: int) -> int:
    """One participant of each partition fails; the last partition can't be done."""
    if index == 3:
        raise OSError("no space left on device")
    work = WorkFolder(work_url)
    work.write_marker(index, work.read_plan().partition(index).digest)
    return 1


@pytest.fixture
def stopped(tmp_path: Path, threads: Client) -> Path:
    """Results of a run that stopped before its last partition."""
    results = tmp_path / "r.zarr"
    work = WorkFolder.beside(results)
    work.write_plan(PLAN)
    with pytest.raises(OSError, match="no space"):
        run_missing(lose_one, work, PLAN, client=threads, label="run", only=range(4))
    run_missing(lose_one, work, PLAN, client=threads, label="run", only=range(3))
    return results


def test_status__counts_what_is_done(stopped: Path) -> None:
    """By markers: no cluster is asked, and none need be there."""
    found = status(stopped)
    assert (found.participants, found.done, found.failed) == (10, 9, 3)
    assert (found.partitions, found.partitions_done, found.finished) == (4, 3, False)
    assert found.per_second > 0
    assert found.left_s == pytest.approx(1 / found.per_second)
    assert str(found).startswith("9 of 10 participants done, 3 failed (3 of 4 partitions); ")


def test_status__says_when_all_is_readable(stopped: Path) -> None:
    work = WorkFolder.beside(stopped)
    work.write_marker(3, PLAN.partition(3).digest)
    assert not status(stopped).finished
    work.write_finished(PLAN)
    assert status(stopped).finished
    assert str(status(stopped)).endswith("(4 of 4 partitions); finished")


def test_status__of_work_that_has_just_begun(tmp_path: Path) -> None:
    WorkFolder.beside(tmp_path / "r.zarr").write_plan(PLAN)
    found = status(tmp_path / "r.zarr")
    assert (found.done, found.partitions_done) == (0, 0)
    assert math.isnan(found.per_second)
    assert math.isnan(found.left_s)
    assert str(found) == "0 of 10 participants done (0 of 4 partitions)"


def test_status__doesnt_count_a_partition_that_has_grown(stopped: Path) -> None:
    """Its marker is of another list of participants."""
    WorkFolder.beside(stopped).write_plan(Plan(tuple(range(100, 112)), 3))
    assert (status(stopped).participants, status(stopped).done) == (12, 9)


def test_status__refuses_what_was_never_begun(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="never begun"):
        status(tmp_path / "nothing.zarr")


def test_logs__have_a_line_for_each_partition(stopped: Path) -> None:
    found = list(logs(stopped))
    assert [one["partition"] for one in found] == [0, 1, 2]
    assert [(one["first_eid"], one["last_eid"], one["failed"]) for one in found] == [
        (100, 102, 1), (103, 105, 1), (106, 108, 1),
    ]  # fmt: skip
    assert all(one["seconds"] >= 0 and ":" in one["worker"] for one in found)


def test_progress__says_how_long_it_has_stood_still() -> None:
    """Whoever looks a day later must not read a pace."""
    stale = Progress(10, 6, 0, 5, 3, False, idle_s=7200.0, per_second=math.nan)
    assert str(stale).endswith("the last partition ended 2.0 h ago")


def test_run_missing__says_how_many_failed(tmp_path: Path, threads: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """One line: participants, failed, pace."""
    work = WorkFolder.beside(tmp_path / "r.zarr")
    work.write_plan(PLAN)
    run_missing(lose_one, work, PLAN, client=threads, label="run", only=range(3))
    said = " ".join(capsys.readouterr().err.split())
    assert "9/9 participants, 3 failed," in said
    assert "per second" in said
