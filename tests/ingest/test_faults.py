"""Every file and exam fault that simulation knows, through convert: what becomes of each slab and its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import xarray as xr
from distributed import Client

from bmx.acquisition import CONTRASTS, SLABS
from bmx.ingest.conversion import convert
from bmx.simulation.exam_zips import write_exam
from bmx.simulation.exams import Exam, append_exam, plan_exam
from bmx.simulation.faults.base import Fault
from bmx.simulation.faults.registry import FAULTS
from bmx.store.reading import open_store
from bmx.variables import SLAB_FLAGS, SLAB_STATUS, flag_names
from tests.exams import affine, clean_exam, images

HELD = (2, 5)
"""Slabs of the exams; the store asks for slab 3, too."""
KINDS = [kind for kind in FAULTS.values() if kind.stage in ("exam", "file")]
SEEDS = {
    "different_sizes": range(8), "wrong_origin": range(8), "missing_slice": range(4), "corrupt_member": range(4),
    "missing_series": range(6), "missing_slab": range(3), "empty_zip": range(4),
}  # fmt: skip
"""More than one draw where draws differ in kind."""


class Expected(NamedTuple):
    """What the store says of a slab."""

    status: str = "complete"
    flags: frozenset[str] = frozenset()
    reason: str | tuple[str, ...] = ""
    """How it begins."""
    lost: str = ""
    """Contrast of which voxels are lost; all of them if it isn't one image but the slab."""


def flagged(*flags: str) -> Expected:
    return Expected(flags=frozenset(flags))


def different_sizes(fault: Fault) -> Expected:
    contrast = fault.value("contrast")
    columns, rows, slices = map(int, fault.value("size").split("x"))
    slab = SLABS[fault.slab]
    if slices < slab.slices:
        reason = f"{contrast} lacks {slab.slices - slices} of {slab.slices} slices"
        return Expected("incomplete", frozenset({"missing_slices"}), reason, contrast)
    reason = f"{contrast} has {rows} × {columns} of {slab.rows} × {slab.columns} voxels"
    return Expected("incomplete", frozenset({"unexpected_shape"}), reason, contrast)


def missing_slice(fault: Fault) -> Expected:
    contrast, count = fault.value("contrast"), len(fault.value("slices").split(","))
    reason = f"{contrast} lacks {count} of {SLABS[fault.slab].slices} slices"
    return Expected("incomplete", frozenset({"missing_slices"}), reason, contrast)


def corrupt_member(fault: Fault) -> Expected:
    contrast = fault.value("contrast")
    # It depends on where the damage lies whether the header can still be read.
    of = f"1 of {SLABS[fault.slab].slices} slices"
    reasons = (f"{contrast} has {of} that can't be read: ", f"{contrast} lacks {of}")
    return Expected("incomplete", frozenset({"missing_slices"}), reasons, contrast)


def missing_series(fault: Fault) -> Expected:
    contrast = fault.value("contrast")
    return Expected("incomplete", frozenset(), f"no {contrast} image", contrast)


def missing_slab(fault: Fault) -> Expected:
    return Expected("absent", frozenset(), f"no series of the archive is slab {fault.slab}", "all")


def no_archive(reason: str) -> Expected:
    return Expected("unreadable", frozenset({"archive_unreadable"}), reason, "all")


EXPECTED: dict[str, Callable[[Fault], Expected]] = {
    "water_in_fat_slot": lambda fault: Expected(),
    "exchanged_descriptions": lambda fault: flagged("label_conflict"),
    "different_sizes": different_sizes,
    "wrong_origin": lambda fault: flagged("wrong_origin"),
    "missing_slice": missing_slice,
    "corrupt_member": corrupt_member,
    "missing_series": missing_series,
    "missing_slab": missing_slab,
    "foreign_series": lambda fault: Expected(),
    "foreign_report": lambda fault: Expected(),
    "shifted_series_numbers": lambda fault: Expected(),
    "shared_series_uid": lambda fault: Expected(),
    "missing_manifest": lambda fault: flagged("manifest_missing"),
    "manifest_cvs": lambda fault: Expected(),
    "doubled_manifest": lambda fault: Expected(),
    "wrong_manifest": lambda fault: flagged("manifest_mismatch"),
    "missing_file_meta": lambda fault: Expected(),
    "wrong_transfer_syntax": lambda fault: Expected(),
    "shuffled_members": lambda fault: Expected(),
    "truncated_zip": lambda fault: no_archive("expected a zip archive, found "),
    "empty_zip": lambda fault: no_archive(
        "expected a zip archive, found 0 bytes" if fault.value("kind") == "no_bytes" else "the archive holds no "
    ),
}
"""Of the slab that the fault names, or of all if it names none."""

AFTER: dict[str, Callable[[Exam, Exam], Exam]] = {
    "same numbers, another study": lambda earlier, later: append_exam(earlier, later, own_study=True),
    "numbers go on, same landmark": append_exam,
    "numbers go on, one slab": lambda earlier, later: append_exam(
        replace(earlier, series=earlier.series[: len(CONTRASTS)]), later
    ),
}
"""Ways in which an exam can follow an earlier attempt."""


@dataclass(frozen=True)
class Case:
    name: str
    eid: int
    fault: Fault


@dataclass(frozen=True)
class Archive:
    cases: dict[str, Case]
    store: Path


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, threads: Client) -> Archive:
    """One archive for each fault and seed, all converted into one store."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "dixon").mkdir()
    made: dict[str, Case] = {}
    for kind in KINDS:
        for seed in SEEDS.get(kind.name, range(1)):
            eid = 1000000 + len(made)
            path = folder / "dixon" / f"{eid}_20201_2_0.zip"
            exam, rng = clean_exam(HELD), np.random.default_rng([seed, len(kind.name)])
            if kind.stage == "exam":
                exam, fault = kind.apply(exam, rng)
            write_exam(path, exam)
            if kind.stage == "file":
                fault = kind.apply(path, rng)
            made[f"{kind.name}-{seed}"] = Case(kind.name, eid, fault)
    for name, follow in AFTER.items():
        eid = 1000000 + len(made)
        earlier = plan_exam(
            {slab: images(slab, seed=7) for slab in HELD}, {slab: affine(slab) for slab in HELD}, seed=0, attempt=1
        )
        write_exam(folder / "dixon" / f"{eid}_20201_2_0.zip", follow(earlier, clean_exam(HELD)))
        made[name] = Case(name, eid, Fault(name))
    convert(folder / "dixon", folder / "s.zarr", slabs=(2, 3, 5), contrasts=tuple(CONTRASTS), client=threads)
    return Archive(made, folder / "s.zarr")


IDS = [f"{kind.name}-{seed}" for kind in KINDS for seed in SEEDS.get(kind.name, range(1))]


def test_faults__are_all_expected() -> None:
    """A fault that simulation learns needs a line here."""
    assert set(EXPECTED) == {kind.name for kind in KINDS}


@pytest.mark.parametrize("case_id", IDS)
def test_convert__handles_every_fault(case_id: str, archive: Archive) -> None:
    """Status, flags and reason of each slab; every voxel that is there is where it was, and no other slab suffers."""
    case = archive.cases[case_id]
    expected = EXPECTED[case.name](case.fault)
    person = open_store(archive.store).sel(participant=case.eid)
    for slab in HELD:
        affected = case.fault.slab in (0, slab)
        check(case, slab_of(person, slab), slab, expected if affected else neighbour(case, slab))
    never = {"truncated_zip", "empty_zip"}
    assert status(slab_of(person, 3)) == ("unreadable" if case.name in never else "absent")


@pytest.mark.parametrize("case_id", list(AFTER))
def test_convert__takes_the_later_of_two_attempts(case_id: str, archive: Archive) -> None:
    """Where the earlier attempt has the same slab, the slab is flagged; numbers and study don't matter."""
    case = archive.cases[case_id]
    person = open_store(archive.store).sel(participant=case.eid)
    for slab in HELD:
        repeated = slab == HELD[0] or "one slab" not in case_id
        check(case, slab_of(person, slab), slab, flagged("repeated_series") if repeated else Expected())


def slab_of(person: xr.DataTree, slab: int) -> xr.Dataset:
    node = person[f"slab_{slab}"]
    assert isinstance(node, xr.DataTree)
    return node.to_dataset()


def neighbour(case: Case, slab: int) -> Expected:
    """A slab that the fault doesn't name. Alone in its exam, slab 2 could be 3 or 4: only its number tells."""
    return flagged("unexpected_position") if (case.name, slab) == ("missing_slab", 2) else Expected()


def check(case: Case, found: xr.Dataset, slab: int, expected: Expected) -> None:
    assert status(found) == expected.status
    flags = set(flag_names(int(found["slab_flags"]), SLAB_FLAGS))
    # A file that is damaged may count as missing from the manifest's point of view.
    assert flags - ({"manifest_mismatch"} if case.name == "corrupt_member" else set()) == expected.flags
    reason = str(found["slab_reason"].item())
    assert reason.startswith(expected.reason) if expected.reason else reason == ""
    clean = images(slab)
    slices = SLABS[slab].slices
    for name in CONTRASTS:
        volume = found[name].to_numpy()
        assert not volume[slices:].any()
        differs = volume[:slices] != clean[name]
        assert not volume[:slices][differs].any()  # lost, never exchanged
        if expected.lost == "all":
            assert not volume.any()
        else:
            assert differs.any() == (name == expected.lost)
            assert differs.mean() < 0.2 or "image" in reason
    there = expected.lost != "all"
    assert int(found["native_slices"]) == (slices if there else 0)
    if there:
        np.testing.assert_allclose(found["affine"].to_numpy(), affine(slab), atol=1e-6)
    else:
        assert np.isnan(found["affine"].to_numpy()).all()
    complete = there and "image" not in reason
    assert np.array_equal(found["physics_residual"].to_numpy(), [0, 0]) == complete


def status(found: xr.Dataset) -> str:
    return {value: name for name, value in SLAB_STATUS.items()}[int(found["slab_status"])]


@pytest.mark.parametrize("case_id", [*IDS, *AFTER])
def test_convert__accounts_for_everything(case_id: str, archive: Archive) -> None:
    """Each archive has its rows; what is used is named once; what isn't says why."""
    case = archive.cases[case_id]
    series = xr.open_datatree(archive.store)["series"].to_dataset(inherit=False).to_dataframe()
    rows = series[series["series_participant"] == case.eid]
    assert len(rows)
    assert (rows["series_reason"] != "").all()
    used = rows[rows["series_used"]]
    assert not used.duplicated(["series_slab", "series_contrast"]).any()
    reasons = " | ".join(rows["series_reason"][~rows["series_used"]])
    for name, words in {
        "foreign_series": "slices are not axial", "foreign_report": "is no image", "truncated_zip": "can't be read",
        "same numbers": "a repeat of slab 2", "water_in_fat_slot": "",
    }.items():  # fmt: skip
        if case.name.startswith(name):
            assert words in reasons
