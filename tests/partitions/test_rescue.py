from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bmx.errors import BmxError
from bmx.partitions.cluster import dask_client
from bmx.partitions.engine import run_missing
from bmx.partitions.plan import Plan
from bmx.partitions.rescue import rescue
from bmx.partitions.work import WorkFolder

PLAN = Plan((101, 102, 103, 104, 105), 3)
DEADLY = 102


@pytest.fixture
def work(tmp_path: Path) -> WorkFolder:
    folder = WorkFolder(tmp_path / "s.zarr.work")
    folder.write_plan(PLAN)
    return folder


def note(work_url: str, index: int, *, only: int | None = None, without: Sequence[int] = ()) -> None:
    """Record who was there."""
    if only is None:
        work = WorkFolder(work_url)
        part = work.read_plan().partition(index)
        kept = [eid for row, eid in enumerate(part.eids) if row not in without]
        work.write_record(index, {"eids": np.array(kept)})
        work.write_marker(index, part.digest)


def die_of_one(work_url: str, index: int, *, only: int | None = None, without: Sequence[int] = ()) -> None:
    """One participant kills whoever touches it."""
    eids = WorkFolder(work_url).read_plan().partition(index).eids
    touched = set(range(len(eids)) if only is None else [only]) - set(without)
    if any(eids[row] == DEADLY for row in touched):
        os.kill(os.getpid(), signal.SIGKILL)
    note(work_url, index, only=only, without=without)


def die_of_many(work_url: str, index: int, *, only: int | None = None, without: Sequence[int] = ()) -> None:
    """Nobody is at fault, there are too many at once."""
    if only is None:
        os.kill(os.getpid(), signal.SIGKILL)


def fail(work_url: str, index: int, *, only: int | None = None, without: Sequence[int] = ()) -> None:
    raise OSError("no space left on device")


def test_rescue__leaves_out_only_the_culprit(work: WorkFolder, caplog: pytest.LogCaptureFixture) -> None:
    """Real processes, one of which dies; the other participants are kept, and the log names who isn't."""
    rescue(work.url, 0, task=die_of_one)
    assert work.read_record(0)["eids"].tolist() == [101, 103]
    assert work.missing(PLAN) == [1]
    assert "participant 102: worker died" in caplog.text


def test_rescue__blames_nobody_if_all_survive_alone(work: WorkFolder) -> None:
    """What wants memory is the partition; a participant lost for that could have been measured."""
    with pytest.raises(BmxError, match=r"no participant does so alone; .*give the workers more"):
        rescue(work.url, 0, task=die_of_many)
    assert 0 in work.missing(PLAN)


def test_rescue__stops_at_a_bad_program(work: WorkFolder) -> None:
    """A full disk kills nobody; its message comes through from the child."""
    with pytest.raises(BmxError, match=r"(?s)partition 1 failed in a process of its own.*no space left on device"):
        rescue(work.url, 1, task=fail)


@pytest.mark.slow
def test_run_missing__rescues_what_killed_its_workers(work: WorkFolder) -> None:
    """On a real cluster: three workers die, then the culprit is found, and the partition beside it is done as ever."""
    with dask_client(workers=1) as local:
        done = run_missing(die_of_one, work, PLAN, client=local, label="x", rescue=partial(rescue, task=die_of_one))
    assert done == 2
    assert work.missing(PLAN) == []
    assert work.read_record(0)["eids"].tolist() == [101, 103]
    assert work.read_record(1)["eids"].tolist() == [104, 105]
