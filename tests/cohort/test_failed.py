from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

import bmx.cohort.run as cohort_run
import bmx.ingest.beginning as beginning
from bmx.cohort.run import run
from bmx.models.own import Model
from bmx.partitions.progress import status
from bmx.store.results import open_results
from tests.cohort.disturbing import everything
from tests.cohort.dying import draw_or_raise, mark
from tests.cohorts import make_store

EIDS = (1000001, 1000002, 1000003)
REASON = "ValueError: the network met something that it can't take"


@pytest.fixture(autouse=True)
def _two_to_a_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginning, "choose_size", lambda *_, **__: 2)


@pytest.fixture
def how(untrained: Path, threads: Client) -> dict[str, Any]:
    return {"models": untrained, "regions": ["femoral_head"], "client": threads}


def reasons(results: Path) -> list[str]:
    found: list[str] = open_results(results)["reason"][:, 0].to_numpy().tolist()
    return found


def test_run__tries_again_who_failed_when_asked(
    tmp_path: Path, threads: Client, how: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """What made the model raise may have been the machine; each call says that it can be asked, and then forgets it."""
    store = make_store(tmp_path, EIDS, slabs=(4,), client=threads)
    mark(store, 1)
    results = tmp_path / "r.zarr"
    run(store, tmp_path / "calm.zarr", **how)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Model, "draw", draw_or_raise)
        run(store, results, **how)
    told = f"1 of 3 participants failed while they were worked on, the first for the reason {REASON!r}"
    assert told in caplog.text
    caplog.clear()
    run(store, results, **how)
    assert f"{told}; run with retry=True (bmx run --retry) tries them again" in caplog.text
    assert reasons(results) == ["", REASON, ""]
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="bmx"):
        run(store, results, **how, retry=True)
        assert "run: 1 participants failed and are tried again, with all of their 1 partitions" in caplog.text
        assert "run: 1 of 2 partitions to do" in caplog.text
        assert "while they were worked on" not in caplog.text
        run(store, results, **how, retry=True)
    assert f"run: {results} is finished, nothing to do" in caplog.text
    assert everything(results) == everything(tmp_path / "calm.zarr")


def test_run__tries_nobody_again_whose_archive_cant_be_read(
    tmp_path: Path, threads: Client, how: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Their slab says so, in the store as in the results: nothing would come of it."""
    (tmp_path / "dixon").mkdir()
    (tmp_path / "dixon/1000009_20201_2_0.zip").write_bytes(b"cut off")
    store = make_store(tmp_path, EIDS[:2], slabs=(4,), client=threads)
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="bmx"):
        run(store, tmp_path / "r.zarr", **how)
        run(store, tmp_path / "r.zarr", **how, retry=True)
    assert "expected a zip archive" in reasons(tmp_path / "r.zarr")[2]
    assert "while they were worked on" not in caplog.text
    assert "is finished, nothing to do" in caplog.text


def test_run__goes_on_with_a_retry_that_was_stopped(
    tmp_path: Path, threads: Client, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever forgot the failures has forgotten them: the next call needn't be told, and is no finished run before."""
    store = make_store(tmp_path, EIDS, slabs=(4,), client=threads)
    mark(store, 2)
    results = tmp_path / "r.zarr"
    with monkeypatch.context() as patch:
        patch.setattr(Model, "draw", draw_or_raise)
        run(store, results, **how)

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cohort_run, "write_results", die)
        with pytest.raises(KeyboardInterrupt):
            run(store, results, **how, retry=True)
    assert not status(results).finished
    assert reasons(results) == ["", "", REASON]
    run(store, results, **how)
    assert reasons(results) == ["", "", ""]


def test_run__says_that_everybody_failed(
    tmp_path: Path, threads: Client, how: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Each is alone in a partition, where nothing tells program and images apart: together they do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beginning, "choose_size", lambda *_, **__: 1)
        store = make_store(tmp_path, EIDS, slabs=(4,), client=threads)
    for row in range(len(EIDS)):
        mark(store, row)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Model, "draw", draw_or_raise)
        run(store, tmp_path / "r.zarr", **how)
    assert "run: every participant failed, all 3, most likely because of the models or the machine" in caplog.text
    assert f"The first reason is {REASON!r}; mend that and call run with retry=True (bmx run --retry)" in caplog.text
    run(store, tmp_path / "r.zarr", **how, retry=True)
    assert reasons(tmp_path / "r.zarr") == ["", "", ""]
