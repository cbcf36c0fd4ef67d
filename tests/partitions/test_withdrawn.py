from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from bmx.errors import StoreError
from bmx.partitions.withdrawn import (
    LIST,
    PENDING,
    Withdrawal,
    Withdrawn,
    leave_out_withdrawn,
    read_eids,
    read_pending,
    read_withdrawn,
    refuse_pending,
    write_pending,
    write_withdrawn,
)
from bmx.partitions.work import WorkFolder

FOUND = {1234567: "a.zip", 2345678: "b.zip", 3456789: "c.zip"}


@pytest.fixture
def work(tmp_path: Path) -> WorkFolder:
    return WorkFolder.beside(tmp_path / "s.zarr")


def test_withdrawn__knows_who_is_on_the_list_and_names_nobody(work: WorkFolder, tmp_path: Path) -> None:
    """What is on disk can't be searched for a number, in whatever form."""
    assert 1234567 not in read_withdrawn(work)
    write_withdrawn(work, read_withdrawn(work).with_eids([1234567, 3456789]))
    found = read_withdrawn(work)
    assert [eid in found for eid in FOUND] == [True, False, True]
    content = (tmp_path / f"s.zarr.work/{LIST}").read_bytes()
    for eid in (1234567, 3456789):
        assert str(eid).encode() not in content
        assert all(eid.to_bytes(8, order) not in content for order in ("little", "big"))


def test_withdrawn__grows_with_the_salt_it_was_begun_with(work: WorkFolder) -> None:
    """Or those from earlier would be unknown."""
    write_withdrawn(work, read_withdrawn(work).with_eids([1234567]))
    write_withdrawn(work, read_withdrawn(work).with_eids([2345678, 1234567]))
    found = read_withdrawn(work)
    assert [eid in found for eid in FOUND] == [True, True, False]
    assert len(found.digests) == 2


def test_withdrawn__two_lists_of_the_same_people_differ() -> None:
    """Nobody can see that two stores lost the same participants, nor look digests up in a table made once."""
    one, other = (Withdrawn.nobody().with_eids([1234567]) for _ in range(2))
    assert one.digests.isdisjoint(other.digests)


def test_leave_out_withdrawn__counts_and_names_nobody(work: WorkFolder, caplog: pytest.LogCaptureFixture) -> None:
    """A log is kept longer than one thinks."""
    assert leave_out_withdrawn(work, FOUND) == FOUND
    assert caplog.text == ""
    write_withdrawn(work, read_withdrawn(work).with_eids([2345678]))
    with caplog.at_level(logging.INFO):
        assert leave_out_withdrawn(work, FOUND) == {1234567: "a.zip", 3456789: "c.zip"}
    assert "1 of the 3 exams found are of participants who have withdrawn" in caplog.text
    assert "2345678" not in caplog.text


def test_refuse_pending__until_it_is_done(work: WorkFolder) -> None:
    """Half a withdrawal and half a conversion would make a store that nobody understands."""
    refuse_pending(work)
    withdrawal = Withdrawal((1234567,), ("r.zarr",), (), "now bmx 1 withdraw, 1 participants", 1)
    write_pending(work, withdrawal)
    assert read_pending(work) == withdrawal
    with pytest.raises(StoreError, match=r"s\.zarr was begun and not finished; call bmx\.withdraw again"):
        refuse_pending(work)
    work.remove_file(PENDING)
    refuse_pending(work)


def test_read_withdrawn__refuses_another_format(work: WorkFolder) -> None:
    """A list that isn't understood must not count as an empty one."""
    work.write_file(LIST, json.dumps({"format": 2, "names": []}).encode())
    with pytest.raises(StoreError, match=r"withdrawn\.json has format 2, expected 1; use the version of bmx"):
        read_withdrawn(work)


def test_read_eids__takes_the_lists_that_uk_biobank_sends(tmp_path: Path) -> None:
    """One a line without a header; a table with one, too."""
    path = tmp_path / "w1.csv"
    path.write_text("4000029\n4000057\n\n")
    assert read_eids(path) == [4000029, 4000057]
    path.write_text('\ufeffeid,date\n"4000029",2025\n4000057,2026\n')
    assert read_eids(path) == [4000029, 4000057]
    path.write_text("4000029\n40000x7\n")
    with pytest.raises(ValueError, match=r"line 2 of .*w1\.csv: expected an EID, found '40000x7'; give one EID a line"):
        read_eids(path)
