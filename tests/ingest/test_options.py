from __future__ import annotations

from dataclasses import replace

import pytest

from bmx.errors import StoreError
from bmx.ingest.options import ConvertOptions
from bmx.partitions.plan import Plan

OPTIONS = ConvertOptions("zips", "zip", 2, (2, 4), ("fat", "water"), ("a.zip", "b.zip"))


def test_from_plan__reads_back_what_for_plan_wrote() -> None:
    assert ConvertOptions.from_plan(Plan((1, 2), 1, OPTIONS.for_plan())) == OPTIONS


def test_from_plan__refuses_the_plan_of_a_run() -> None:
    """The work folder of deleted results must not end as a bare KeyError."""
    with pytest.raises(StoreError, match="belongs to something else: its plan lacks source, layout, instance"):
        ConvertOptions.from_plan(Plan((1,), 1, {"store": "slabs.zarr", "slabs": [2]}))


@pytest.mark.parametrize("instance", [-1, 0, 1])
def test_options__refuse_a_visit_without_imaging(instance: int) -> None:
    """0 is a visit, and not the same as saying nothing."""
    with pytest.raises(ValueError, match=f"instance {instance} has no images; expected an imaging visit, 2 for the"):
        replace(OPTIONS, instance=instance)
