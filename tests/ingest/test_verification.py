from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import zarr
from distributed import Client, KilledWorker

import bmx.ingest.beginning as beginning
import bmx.ingest.verification as verification
from bmx.errors import BmxError, StoreError
from bmx.ingest.conversion import convert
from bmx.ingest.verification import verify
from bmx.ingest.withdrawing import withdraw
from tests.cohorts import PAIR
from tests.exams import make_exam

EIDS = (5000011, 5000012, 5000013, 5000014)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, threads: Client) -> Path:
    """Four participants in two partitions; the third archive is no zip."""
    folder = tmp_path_factory.mktemp("kept")
    for eid in EIDS:
        make_exam(folder / "dixon", eid, slabs=(4,))
    (folder / "dixon/5000013_20201_2_0.zip").write_bytes(b"cut off")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beginning, "choose_size", lambda *_, **__: 2)
        convert(folder / "dixon", folder / "s.zarr", slabs=(4, 5), contrasts=PAIR, client=threads)
    shutil.copytree(folder, folder / "copy")
    return folder


@pytest.fixture
def cohort(kept: Path) -> Iterator[Path]:
    """To be damaged: it is put back in order afterwards, in the same place, which the plan names."""
    yield kept
    for name in ("dixon", "s.zarr", "s.zarr.work"):
        shutil.rmtree(kept / name)
        shutil.copytree(kept / "copy" / name, kept / name)


def told(table: pd.DataFrame) -> dict[int, str]:
    return dict(zip(table["participant"], table["outcome"], strict=True))


def archive(cohort: Path, eid: int) -> Path:
    return cohort / f"dixon/{eid}_20201_2_0.zip"


def test_verify__finds_nothing_where_nothing_is_wrong(cohort: Path, threads: Client) -> None:
    """An archive that couldn't be read then and can't be read now is equal, too."""
    table = verify(cohort / "s.zarr", sample=None, client=threads)
    assert table.columns.tolist() == ["participant", "outcome", "detail"]
    assert told(table) == dict.fromkeys(EIDS, "equal")
    assert table["detail"].tolist() == [""] * 4


@pytest.mark.parametrize("at", [0.02, 0.5, 0.97])
def test_verify__finds_one_byte_of_a_shard(cohort: Path, threads: Client, at: float) -> None:
    """Near the beginning, in the middle and near the end of the compressed volumes: somebody's image is named."""
    shard = cohort / "s.zarr/slab_4/water/c.0.0.0.0"
    content = bytearray(shard.read_bytes())
    content[int(at * len(content))] ^= 0xFF
    shard.write_bytes(content)
    table = verify(cohort / "s.zarr", sample=None, client=threads)
    bad = table[table["outcome"] != "equal"]
    assert set(bad["outcome"]) == {"differs"}
    assert set(bad["participant"]) <= {5000011, 5000012}
    assert len(bad) >= 1
    assert bad["detail"].str.contains(r"^slab_4/water \((?:can't be decoded|\d+ of 1792896 voxels)").all()


def test_verify__finds_an_archive_that_was_exchanged_or_is_gone(cohort: Path, threads: Client) -> None:
    """Then nothing can be said of the store; where it lay is named."""
    shutil.copy(archive(cohort, 5000014), archive(cohort, 5000011))
    archive(cohort, 5000012).unlink()
    make_exam(cohort / "dixon", 5000013, slabs=(4,))
    table = verify(cohort / "s.zarr", sample=None, client=threads)
    assert told(table) == {
        5000011: "source_changed", 5000012: "source_missing", 5000013: "source_changed", 5000014: "equal",
    }  # fmt: skip
    assert table["detail"][0].startswith(f"the digest of {archive(cohort, 5000011)} was ")
    assert table["detail"][1] == f"there is nothing at {archive(cohort, 5000012)}"
    assert "was none, now " in table["detail"][2]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("slab_4/affine", np.zeros((3, 4))),
        ("slab_4/slab_status", 2),
        ("slab_4/slab_flags", 1),
        ("slab_5/slab_reason", "gone"),
        ("slab_4/native_slices", 43),
    ],
)
def test_verify__finds_any_small_value(cohort: Path, threads: Client, name: str, value: object) -> None:
    """A shifted affine is as bad as a wrong voxel."""
    array = zarr.open_group(cohort / "s.zarr", mode="r+")[name]
    assert isinstance(array, zarr.Array)
    values = array[:]
    values[3] = value
    array[:] = values
    table = verify(cohort / "s.zarr", sample=None, client=threads)
    assert told(table) == dict.fromkeys(EIDS[:3], "equal") | {5000014: "differs"}
    assert table["detail"][3] == name


def test_verify__draws_a_sample_by_its_seed(cohort: Path, threads: Client) -> None:
    """The same seed looks at the same participants, another one at others in time; a large sample is everybody."""
    drawn = [
        tuple(verify(cohort / "s.zarr", sample=2, seed=seed, client=threads)["participant"]) for seed in (1, 1, 2, 3, 4)
    ]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1
    assert all(len(set(one)) == 2 and list(one) == sorted(one) for one in drawn)
    assert len(verify(cohort / "s.zarr", sample=100, client=threads)) == 4


def test_verify__names_those_whose_archives_kill_the_reader(
    cohort: Path, threads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Dask says it after three workers: a line, with whom to look at, and not a traceback of Dask's."""

    def die(_: str, rows: list[int]) -> dict[int, tuple[str, str]]:
        if 0 in rows:
            raise KilledWorker("task", SimpleNamespace(address="tcp://worker"), 3)  # type: ignore[arg-type]  # all it asks
        return dict.fromkeys(rows, ("equal", ""))

    monkeypatch.setattr(verification, "_check_rows", die)
    with pytest.raises(BmxError, match=r"read participants 5000011, 5000012 again died .*look at these archives"):
        verify(cohort / "s.zarr", sample=None, client=threads)


def test_verify__passes_over_who_has_withdrawn(cohort: Path, threads: Client) -> None:
    """There is nothing to compare; the others are as they were."""
    withdraw(cohort / "s.zarr", [5000012])
    table = verify(cohort / "s.zarr", sample=None, client=threads)
    assert told(table) == {5000011: "equal", 5000013: "equal", 5000014: "equal"}


def test_verify__needs_a_finished_store_and_its_work_folder(cohort: Path, tmp_path: Path) -> None:
    """The plan says where the archives are."""
    with pytest.raises(StoreError, match="there is no Zarr store at"):
        verify(tmp_path / "s.zarr")
    shutil.rmtree(cohort / "s.zarr.work")
    with pytest.raises(StoreError, match=r"holds no plan\.json: work on this store was never begun"):
        verify(cohort / "s.zarr")
    (cohort / "s.zarr.work").mkdir()
