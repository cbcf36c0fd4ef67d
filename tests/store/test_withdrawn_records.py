from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bmx.errors import StoreError
from bmx.partitions.plan import Plan
from bmx.partitions.work import WorkFolder
from bmx.store.withdrawal import REASON
from bmx.store.withdrawn_records import erase_from_work, refuse_unfinished
from bmx.variables import SLAB_STATUS

PLAN = Plan((11, 12, 13), 2, {"where": ["a/11.zip", "a/12.zip", "a/13.zip"], "regions": ["x", "y", "z"], "source": "a"})


def record(eids: tuple[int, ...]) -> dict[str, np.ndarray]:
    rows = len(eids)
    return {
        "source_digest": np.array([f"digest of {eid}" for eid in eids]),
        "simulated": np.ones(rows, np.int8),
        "slab_2/affine": np.ones((rows, 3, 4)),
        "slab_2/slab_status": np.ones(rows, np.uint8),
        "slab_2/slab_reason": np.array(["cut"] * rows),
        "series/series_participant": np.repeat(eids, 2),
        "series/series_uid": np.array([f"{eid}.{i}" for eid in eids for i in range(2)]),
    }


@pytest.fixture
def work(tmp_path: Path) -> WorkFolder:
    """Two partitions, done and finished."""
    work = WorkFolder.beside(tmp_path / "s.zarr")
    work.write_plan(PLAN)
    for part in PLAN.partitions():
        work.write_record(part.index, record(part.eids))
        work.write_marker(part.index, part.digest)
    work.write_finished(PLAN)
    return work


def test_erase_from_work__leaves_a_finished_plan_with_tombstones(work: WorkFolder) -> None:
    """Everything is done for the participants that are left: nothing is missing."""
    erase_from_work(work, [12, 99])
    plan = work.read_plan()
    assert plan.eids == (11, -2, 13)
    assert plan.options == {"where": ["a/11.zip", "", "a/13.zip"], "regions": ["x", "y", "z"], "source": "a"}
    assert work.missing(plan) == []
    assert work.is_finished(plan)
    first, second = work.read_record(0), work.read_record(1)
    assert first["source_digest"].tolist() == ["digest of 11", ""]
    assert first["simulated"].tolist() == [1, -1]
    assert first["slab_2/slab_status"].tolist() == [1, SLAB_STATUS["withdrawn"]]
    assert first["slab_2/slab_reason"].tolist() == ["cut", REASON]
    assert np.isnan(first["slab_2/affine"]).tolist() == [[[False] * 4] * 3, [[True] * 4] * 3]
    assert first["series/series_uid"].tolist() == ["11.0", "11.1"]
    assert second["series/series_participant"].tolist() == [13, 13]


def test_erase_from_work__keeps_dtypes(work: WorkFolder) -> None:
    """A later finalise joins these records with new ones."""
    before = work.read_record(0)
    erase_from_work(work, [11, 12])
    after = work.read_record(0)
    assert set(after) == set(before)
    assert {name: values.dtype.kind for name, values in after.items()} == {
        name: values.dtype.kind for name, values in before.items()
    }
    assert len(after["series/series_uid"]) == 0


def test_erase_from_work__does_not_say_that_more_is_done_than_was(work: WorkFolder, tmp_path: Path) -> None:
    """A partition without a marker stays without one."""
    (tmp_path / "s.zarr.work/done/000000").unlink()
    erase_from_work(work, [12, 13])
    assert work.missing(work.read_plan()) == [0]


def test_erase_from_work__refuses_columns_it_does_not_know(work: WorkFolder) -> None:
    """What it doesn't understand could name somebody."""
    work.write_record(0, record((11, 12)) | {"nickname": np.array(["a", "b"])})
    with pytest.raises(
        StoreError, match=r"holds 'nickname', which this version of bmx doesn't know; withdraw with the"
    ):
        erase_from_work(work, [12])


def test_refuse_unfinished__says_what_to_do(work: WorkFolder, tmp_path: Path) -> None:
    """Finish it, or delete it; a folder without a plan was never begun."""
    refuse_unfinished(work, verb="run")
    refuse_unfinished(WorkFolder.beside(tmp_path / "other.zarr"), verb="run")
    (tmp_path / "s.zarr.work/done/000001").unlink()
    with pytest.raises(
        StoreError, match=r"\(1 of 2 partitions are missing\).* Call bmx\.run again to finish it, or delete"
    ):
        refuse_unfinished(work, verb="run")
