from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from bmx.errors import BmxError
from bmx.partitions.cluster import dask_client
from bmx.partitions.engine import run_missing
from bmx.partitions.plan import Plan
from bmx.partitions.rescue import NOBODY, rescue
from bmx.partitions.work import WorkFolder

PLAN = Plan((101, 102, 103, 104, 105), 3)
DEADLY = 102
WAIT_S = 60


@pytest.fixture
def work(tmp_path: Path) -> WorkFolder:
    folder = WorkFolder(tmp_path / "s.zarr.work")
    folder.write_plan(PLAN)
    return folder


def note(work_url: str, index: int, *, only: int | None = None, without: Mapping[int, str] = NOBODY) -> None:
    """Record who was there."""
    if only is None:
        work = WorkFolder(work_url)
        part = work.read_plan().partition(index)
        kept = [eid for row, eid in enumerate(part.eids) if row not in without]
        work.write_record(index, {"eids": np.array(kept)})
        work.write_marker(index, part.digest)


def die_of_one(work_url: str, index: int, *, only: int | None = None, without: Mapping[int, str] = NOBODY) -> None:
    """One participant kills whoever touches it."""
    eids = WorkFolder(work_url).read_plan().partition(index).eids
    touched = set(range(len(eids)) if only is None else [only]) - set(without)
    if any(eids[row] == DEADLY for row in touched):
        os.kill(os.getpid(), signal.SIGKILL)
    note(work_url, index, only=only, without=without)


def die_of_many(work_url: str, index: int, *, only: int | None = None, without: Mapping[int, str] = NOBODY) -> None:
    """Nobody is at fault, there are too many at once."""
    if only is None:
        os.kill(os.getpid(), signal.SIGKILL)


def hang_at_one(work_url: str, index: int, *, only: int | None = None, without: Mapping[int, str] = NOBODY) -> None:
    """One participant takes for ever; the partition keeps the reason that it was given."""
    eids = WorkFolder(work_url).read_plan().partition(index).eids
    touched = set(range(len(eids)) if only is None else [only]) - set(without)
    if any(eids[row] == DEADLY for row in touched):
        (Path(work_url) / "pid").write_text(str(os.getpid()))
        time.sleep(1000)
    if only is None:
        WorkFolder(work_url).write_file("reasons.json", json.dumps(dict(without)).encode())
        note(work_url, index, without=without)


def hang_and_hold_python(
    work_url: str, index: int, *, only: int | None = None, without: Mapping[int, str] = NOBODY
) -> None:
    """No other thread of this process runs any more."""
    (Path(work_url) / "pid").write_text(str(os.getpid()))
    ctypes.PyDLL(None).sleep(1000)


def hang_with_many(work_url: str, index: int, *, only: int | None = None, without: Mapping[int, str] = NOBODY) -> None:
    """Nobody is at fault, there are too many at once."""
    if only is None:
        time.sleep(1000)


def count_who_is_left_out(
    work_url: str, index: int, *, only: int | None = None, without: Mapping[int, str] = NOBODY
) -> int:
    """As a run does, whose libraries print."""
    die_of_one(work_url, index, only=only, without=without)
    sys.stdout.write("what a library says")
    return len(without)


def fail(work_url: str, index: int, *, only: int | None = None, without: Mapping[int, str] = NOBODY) -> None:
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


def test_rescue__leaves_out_who_takes_for_ever(work: WorkFolder, caplog: pytest.LogCaptureFixture) -> None:
    """And says another reason: a process that was killed for being slow has not died of itself."""
    rescue(work.url, 0, task=hang_at_one, timeout=10)
    assert work.read_record(0)["eids"].tolist() == [101, 103]
    assert json.loads(work.read_file("reasons.json") or b"") == {"1": "worker hung"}
    assert "participant 102: worker hung" in caplog.text


def test_rescue__asks_for_more_time_if_all_are_quick_alone(work: WorkFolder) -> None:
    """A limit that is too low for a whole partition must cost nobody."""
    with pytest.raises(BmxError, match="takes longer than 8 s, but no participant does so alone; allow more time"):
        rescue(work.url, 0, task=hang_with_many, timeout=8)
    assert 0 in work.missing(PLAN)


@pytest.mark.parametrize("task", ["hang_at_one", "hang_and_hold_python"])
def test_rescue__leaves_no_process_behind(work: WorkFolder, task: str) -> None:
    """The worker that tries participants alone is killed while one of them hangs, be it in an extension."""
    script = f"import sys; from bmx.partitions.rescue import rescue; from tests.partitions.test_rescue import {task}; "
    script += f"rescue(sys.argv[1], 0, task={task})"
    worker = subprocess.Popen([sys.executable, "-c", script, work.url], cwd=Path(__file__).parents[2])
    found = Path(work.url) / "pid"
    wait_until(lambda: found.exists() and found.read_text() != "")
    child = psutil.Process(int(found.read_text()))
    worker.kill()
    worker.wait(timeout=WAIT_S)
    wait_until(lambda: not child.is_running())


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def test_rescue__passes_on_how_many_failed(work: WorkFolder) -> None:
    """Or the progress line and `bmx status` count none in the very partitions that were rescued."""
    assert rescue(work.url, 0, task=count_who_is_left_out) == 1
    assert rescue(work.url, 1, task=note) == 0


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
