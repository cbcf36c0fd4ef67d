from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from distributed import Client
from hypothesis import given, settings
from hypothesis import strategies as st

import bmx
from bmx.errors import SchemaError
from bmx.ingest.conversion import convert
from bmx.ingest.report import ingest_report
from bmx.variables import SLAB_FLAGS, SLAB_STATUS, VARIABLES, flag_bits
from tests.exams import edit, make_exam, write_members

COLUMNS = ["slab", "status", "flags", "reason", "participants", "percent"]
State = tuple[str, tuple[str, ...], str]


def tree(slabs: dict[int, list[State]]) -> xr.DataTree:
    """A store without images; of each slab, what every participant has."""
    everyone = len(next(iter(slabs.values())))
    nodes = {
        "/": xr.Dataset(coords={"participant": ("participant", np.arange(everyone), VARIABLES["participant"].attrs)})
    }
    for number, states in slabs.items():
        values = {
            "slab_status": np.array([SLAB_STATUS[status] for status, _, _ in states], np.uint8),
            "slab_flags": np.array([flag_bits(flags, SLAB_FLAGS) for _, flags, _ in states], np.uint16),
            "slab_reason": np.array([reason for _, _, reason in states], np.dtypes.StringDType()),
        }
        nodes[f"slab_{number}"] = xr.Dataset(
            {name: (("participant",), value, VARIABLES[name].attrs) for name, value in values.items()}
        )
    return xr.DataTree.from_dict(nodes)


CLEAN: State = ("complete", (), "")


def test_ingest_report__counts_equal_causes_together() -> None:
    """Numbers and names make every reason unique; what they have in common is what one wants to know."""
    lacking = [("incomplete", ("missing_slices",), f"fat lacks {n} of 44 slices") for n in (1, 2, 3)]
    damaged = ("unreadable", (), "fat has 30 of 44 slices that can't be read: 2.25.17.dcm in the archive is damaged")
    report = ingest_report(tree({2: [CLEAN] * 4 + lacking + [damaged]}))
    assert report.columns.tolist() == COLUMNS
    assert report.to_numpy().tolist() == [
        [2, "complete", "", "", 4, 50.0],
        [2, "incomplete", "missing_slices", "fat lacks N of N slices", 3, 37.5],
        [2, "unreadable", "", "fat has N of N slices that can't be read: … in the archive is damaged", 1, 12.5],
    ]


def test_ingest_report__lists_archives_that_failed_as_a_whole() -> None:
    """One line tells of them; in every slab they count, too."""
    broken = ("unreadable", ("archive_unreadable",), "expected a zip archive, found 9 bytes that aren't one")
    report = ingest_report(tree({2: [CLEAN, broken], 5: [CLEAN, broken]}))
    archive = report[report["slab"] == 0]
    assert archive[["status", "reason", "participants"]].to_numpy().tolist() == [
        ["unreadable", "expected a zip archive, found N bytes that aren't one", 1]
    ]
    assert report[report["status"] == "unreadable"]["slab"].tolist() == [0, 2, 5]


STATES = st.tuples(
    st.sampled_from(list(SLAB_STATUS)),
    st.sets(st.sampled_from(list(SLAB_FLAGS)), max_size=3).map(lambda flags: tuple(sorted(flags))),
    st.sampled_from(["", "fat lacks 1 of 44 slices", "fat lacks 2 of 44 slices", "no fat image"]),
)


@settings(max_examples=50)
@given(st.lists(st.tuples(STATES, STATES), max_size=12))
def test_ingest_report__adds_up(people: list[tuple[State, State]]) -> None:
    """Nobody is lost and nobody counts twice, whatever a store holds."""
    slabs = {1: [one for one, _ in people], 6: [other for _, other in people]}
    report = ingest_report(tree(slabs))
    everyone = len(slabs[1])
    counts = report.groupby("slab")["participants"].sum()
    assert counts.get(1, 0) == counts.get(6, 0) == everyone
    assert report["participants"].gt(0).all()
    np.testing.assert_allclose(report["percent"] * max(everyone, 1), 100 * report["participants"])
    for number, states in slabs.items():
        mine = report[report["slab"] == number].groupby("status")["participants"].sum().to_dict()
        expected = pd.Series([status for status, _, _ in states], dtype=object).value_counts().to_dict()
        assert mine == expected


def test_ingest_report__of_a_converted_folder(tmp_path: Path, threads: Client) -> None:
    """A clean exam, one that lacks slices, one that lacks a slab, and what is no archive."""
    folder = tmp_path / "dixon"
    paths = [make_exam(folder, eid, slabs=(2, 5)) for eid in range(1, 6)]
    edit(paths[1], lambda image: None if image.Rows == 174 and image.InstanceNumber == 7 else image)
    edit(paths[2], lambda image: None if image.Rows == 162 else image)
    paths[3].write_bytes(b"not a zip")
    write_members(paths[4], {"readme.txt": b"nothing here"})
    convert(folder, tmp_path / "s.zarr", slabs=(2, 5), client=threads)
    report = bmx.ingest_report(tmp_path / "s.zarr")
    counts = report.groupby(["slab", "status"])["participants"].sum().to_dict()
    assert counts == {
        (0, "unreadable"): 2, (2, "complete"): 2, (2, "incomplete"): 1, (2, "unreadable"): 2,
        (5, "complete"): 2, (5, "absent"): 1, (5, "unreadable"): 2,
    }  # fmt: skip
    reasons = report.set_index(["slab", "status"])["reason"]
    assert reasons[2, "incomplete"] == "fat lacks N of N slices; water lacks N of N slices"
    assert reasons[5, "absent"] == "no series of the archive is slab N"
    assert report.equals(ingest_report(bmx.open_store(tmp_path / "s.zarr")))


def test_ingest_report__is_quick_for_a_cohort() -> None:
    """100,000 participants, a third of them with reasons of their own: a second is a wait, a minute a fault."""
    own = [("incomplete", ("missing_slices",), f"fat lacks {n % 40} of 44 slices") for n in range(30_000)]
    store = tree({number: [*own, *[CLEAN] * 70_000] for number in range(1, 7)})
    began = time.perf_counter()
    report = ingest_report(store)
    assert time.perf_counter() - began < 10
    assert len(report) == 12


def test_ingest_report__refuses_what_is_no_store() -> None:
    """A tree without slabs."""
    with pytest.raises(SchemaError, match="slab_status"):
        ingest_report(xr.DataTree.from_dict({"/": xr.Dataset(coords={"participant": [1]}), "slab_2": xr.Dataset()}))
