from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
from distributed import Client
from hypothesis import given
from hypothesis import strategies as st

import bmx.ingest.beginning as beginning
from bmx.cohort.places import parameters_digest
from bmx.cohort.run import run
from bmx.errors import StoreError
from bmx.ingest.conversion import convert
from bmx.store.results import masks_beside
from tests.cohort.disturbing import everything
from tests.cohorts import PAIR, make_store
from tests.exams import make_exam

OPTIONS: dict[str, Any] = {
    "store": "/a/s.zarr",
    "masks": "/a/r.masks.zarr",
    "slabs": [2],
    "regions": ["spine"],
    "models": {"spine": {"digest": "01", "folder": "/a/models/spine"}},
    "recipe": "paper",
    "neighbours": True,
    "bmx_version": "1",
}


@given(st.permutations(list(OPTIONS)))
def test_parameters_digest__does_not_depend_on_order_or_place(names: list[str]) -> None:
    """Two people with the same data, models and options must see the same digest."""
    shuffled = {name: OPTIONS[name] for name in names} | {"store": "s3://b/s.zarr", "masks": "m.zarr"}
    shuffled["models"] = {"spine": {"digest": "01", "folder": "elsewhere"}}
    assert parameters_digest(shuffled) == parameters_digest(OPTIONS)


@pytest.mark.parametrize(
    "changed",
    [
        {"models": {"spine": {"digest": "02", "folder": "/a/models/spine"}}},
        {"regions": ["total_hip"]},
        {"recipe": "none"},
        {"slabs": [2, 3]},
        {"neighbours": False},
        {"bmx_version": "2"},
        {"new_option": 1},
    ],
    ids=str,
)
def test_parameters_digest__tells_everything_else_apart(changed: dict[str, Any]) -> None:
    """Values depend on it; options that don't exist yet, too."""
    assert parameters_digest(OPTIONS | changed) != parameters_digest(OPTIONS)


EIDS = (1000001, 1000002, 1000003)


@pytest.fixture(autouse=True)
def _two_to_a_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginning, "choose_size", lambda *_, **__: 2)


@pytest.fixture(scope="module")
def how(untrained: Path, threads: Client) -> dict[str, Any]:
    return {"models": untrained, "regions": ["femoral_head"], "client": threads}


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory, how: dict[str, Any]) -> Path:
    """A folder with archives, store, and a finished run of it; tests only look at it."""
    folder = tmp_path_factory.mktemp("one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beginning, "choose_size", lambda *_, **__: 2)
        store = make_store(folder, EIDS, slabs=(4,), client=how["client"])
    run(store, folder / "r.zarr", **how)
    return folder


@pytest.fixture
def moved(one: Path, tmp_path: Path) -> Path:
    """The same folder elsewhere, and to whoever looks there, nowhere else."""
    shutil.copytree(one, tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "two")
    return tmp_path / "two"


def test_run__finds_a_moved_cohort_finished(
    moved: Path, tmp_path: Path, how: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A disk is mounted elsewhere, or somebody looks through a link: it is the same run."""
    (tmp_path / "link").symlink_to(moved)
    with caplog.at_level(logging.INFO, logger="bmx"):
        for folder in (moved, tmp_path / "link"):
            run(folder / "slabs.zarr", folder / "r.zarr", **how)
            assert f"run: {folder / 'r.zarr'} is finished, nothing to do" in caplog.text


def test_run__goes_on_with_a_moved_cohort_and_measures_what_it_gained(
    one: Path, moved: Path, how: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is read from or written to where it was before, and every byte is as if it had never been moved."""
    before = everything(one / "r.zarr")
    (moved / "r.zarr.work/done/000001").unlink()
    shutil.rmtree(moved / "r.zarr")
    with caplog.at_level(logging.INFO, logger="bmx"):
        run(moved / "slabs.zarr", moved / "r.zarr", **how)
    assert "run: 1 of 2 partitions to do" in caplog.text
    assert everything(moved / "r.zarr") == everything(one / "r.zarr") == before
    make_store(moved, (1000000,), slabs=(4,), client=how["client"])
    found = run(moved / "slabs.zarr", moved / "r.zarr", **how)
    assert found["participant"].to_numpy().tolist() == [*EIDS, 1000000]
    assert "run: 1 of 2 partitions to do" in caplog.text
    run(moved / "slabs.zarr", moved / "once.zarr", **how)
    assert everything(moved / "r.zarr") == everything(moved / "once.zarr")


def test_run__finds_masks_where_they_were_moved_to(
    moved: Path, how: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Those of another run must not be taken for them."""
    store, results = moved / "slabs.zarr", moved / "r.zarr"
    shutil.move(masks_beside(results), moved / "m.zarr")
    with pytest.raises(StoreError, match=r"r\.masks\.zarr is gone, .*say with masks= where it lies now"):
        run(store, results, **how)
    with caplog.at_level(logging.INFO, logger="bmx"):
        run(store, results, masks=moved / "m.zarr", **how)
    assert "is finished, nothing to do" in caplog.text
    run(store, moved / "other.zarr", recipe="none", **how)
    with pytest.raises(StoreError, match=r"other\.masks\.zarr holds the masks of another run than .*r\.zarr"):
        run(store, results, masks=masks_beside(moved / "other.zarr"), **how)


def test_run__refuses_a_store_of_others(one: Path, tmp_path: Path, how: dict[str, Any]) -> None:
    """Wherever it lies: of other people, and of others who have the same EIDs, as every simulated cohort begins."""
    make_store(tmp_path / "others", (1000004, 1000005, 1000006), slabs=(4,), client=how["client"])
    with pytest.raises(StoreError, match=r"holds another run\. participants: the store holds others"):
        run(tmp_path / "others/slabs.zarr", one / "r.zarr", **how)
    for eid in EIDS:
        make_exam(tmp_path / "dixon", eid, slabs=(4,), seed=eid + 100)
    convert(tmp_path / "dixon", tmp_path / "same.zarr", slabs=(4,), contrasts=PAIR, client=how["client"])
    with pytest.raises(StoreError, match=r"r\.zarr holds another run\. .*same\.zarr holds not one of the archives"):
        run(tmp_path / "same.zarr", one / "r.zarr", **how)


def test_run__refuses_a_store_that_was_made_again_with_more(one: Path, tmp_path: Path, how: dict[str, Any]) -> None:
    """Regions are looked for in the slabs beside their own: values of both would stand in one column."""
    make_store(tmp_path / "more", EIDS, slabs=(4, 5), client=how["client"])
    with pytest.raises(StoreError, match=r"holds another run\. slabs: was \[4\], asked for \[4, 5\]\. .*beside=True"):
        run(tmp_path / "more/slabs.zarr", one / "r.zarr", **how)
