from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmx.partitions.plan import PARTITIONS_PER_WORKER, Plan, choose_size


@given(participants=st.integers(0, 500), size=st.integers(1, 60))
def test_partitions__cover_everyone_once_and_begin_at_shard_borders(participants: int, size: int) -> None:
    """Two partitions in one shard would overwrite each other."""
    plan = Plan(tuple(range(1_000_000, 1_000_000 + participants)), size)
    parts = list(plan.partitions())
    assert len(parts) == len(plan)
    assert [eid for part in parts for eid in part.eids] == list(plan.eids)
    assert all(part.start % size == 0 for part in parts)
    assert all(part.stop % size == 0 for part in parts[:-1])
    assert [part.index for part in parts] == list(range(len(parts)))


@given(
    participants=st.integers(1, 200_000),
    row=st.integers(1, 10**7),
    copies=st.integers(1, 4),
    workers=st.integers(1, 64),
    rows_that_fit=st.integers(1, 1000),
    at_rest=st.integers(0, 10**9),
)
def test_choose_size__respects_memory_and_keeps_workers_busy(
    participants: int, row: int, copies: int, workers: int, rows_that_fit: int, at_rest: int
) -> None:
    """The three limits are promises; the smallest one wins."""
    max_memory = at_rest + row * copies * rows_that_fit
    size = choose_size(
        participants,
        bytes_per_shard_row=row,
        bytes_per_row=row * copies,
        workers=workers,
        max_memory=max_memory,
        bytes_at_rest=at_rest,
    )
    assert size >= 1
    assert at_rest + size * row * copies <= max_memory
    if size > 1:
        assert participants / size >= PARTITIONS_PER_WORKER * workers


def test_plan__refuses_an_eid_twice() -> None:
    """Two rows of one person would count them twice in every analysis."""
    with pytest.raises(ValueError, match="an EID stands twice"):
        Plan((5, 5), 1)


def test_partition__knows_its_limits() -> None:
    """An index from another plan must not give an empty partition."""
    with pytest.raises(IndexError, match="partition 2 of 2"):
        Plan((5, 6, 7), 2).partition(2)
