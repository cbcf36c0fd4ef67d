from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
import zarr
from distributed import Client

import bmx.cohort.run as cohort_run
import bmx.ingest.beginning as beginning
import bmx.store.results as results_store
from bmx.cohort.run import run
from bmx.errors import ModelError, StoreError
from bmx.ingest.conversion import convert
from bmx.measurement import RECIPES, measure, measure_vertebrae
from bmx.models.base import RegionModel
from bmx.models.callables import from_callable, from_labels_callable
from bmx.models.library import load_models
from bmx.models.own import Model
from bmx.quality import flag
from bmx.regions import REGIONS
from bmx.segmentation import segment
from bmx.store.layout import consolidate
from bmx.store.reading import open_store
from bmx.store.results import masks_beside, open_masks, open_results, open_vertebrae
from bmx.variables import MEASUREMENT_STATUS, RESULT_FLAGS
from tests.cohort.dying import draw_or_raise, mark
from tests.cohorts import PAIR, assert_same_values, contents, make_store, write_models
from tests.conftest import MaxComputes
from tests.exams import make_exam
from tests.models.functions import bands, few_slices
from tests.networks import write_model

REGION = ["femoral_head"]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    """As the tasks of a run have: the order of sums decides the last bits of a network's output."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, threads: Client) -> Path:
    """Three participants with slab 4, the smallest that holds a region."""
    return make_store(tmp_path_factory.mktemp("three"), (1000001, 1000002, 1000003), slabs=(4,), client=threads)


@pytest.fixture(scope="module")
def finished(store: Path, untrained: Path, tmp_path_factory: pytest.TempPathFactory, threads: Client) -> Path:
    """Results of a finished run of the femoral head; tests only look at it."""
    results = tmp_path_factory.mktemp("finished") / "results.zarr"
    run(store, results, models=untrained, regions=REGION, client=threads)
    return results


@pytest.fixture
def mine(finished: Path, tmp_path: Path) -> Iterator[Path]:
    """The finished run, to be damaged: it is put back in order afterwards."""
    shutil.copytree(finished.parent, tmp_path / "kept")
    yield finished
    shutil.rmtree(finished.parent)
    shutil.copytree(tmp_path / "kept", finished.parent)


def masks_of(results: Path) -> Path:
    return Path(masks_beside(results))


def everything(results: Path) -> dict[str, bytes]:
    """Every byte of results and masks."""
    masks = {f"masks/{name}": data for name, data in contents(masks_of(results)).items()}
    return masks | {f"results/{name}": data for name, data in contents(results).items()}


def contents_of_run(store: Path, results: Path, **how: Any) -> dict[str, bytes]:
    run(store, results, **how)
    return everything(results)


def status(results: xr.Dataset) -> list[list[str]]:
    names = {value: name for name, value in MEASUREMENT_STATUS.items()}
    return [[names[value] for value in row] for row in results["status"].to_numpy().tolist()]


def test_run__is_measure_of_segment(store: Path, finished: Path, untrained: Path) -> None:
    """Composing the lazy verbs by hand gives the very same masks, values and attributes."""
    slabs, results = open_store(store), open_results(finished)
    masks = segment(slabs, models=untrained, regions=REGION).compute(scheduler="synchronous")
    by_hand = measure(slabs, masks=masks).compute(scheduler="synchronous")
    assert_same_values(results.drop_vars("source_digest"), by_hand)
    assert by_hand.attrs.items() <= results.attrs.items()
    stored = open_masks(masks_of(finished))
    np.testing.assert_array_equal(stored["slab_4/mask"], masks["slab_4/mask"])
    assert stored["slab_4/mask"].any()
    assert stored["slab_4/region"].to_numpy().tolist() == REGION
    assert stored["slab_4/model"].to_numpy().tolist() == results["model"].to_numpy().tolist()


@pytest.mark.parametrize("size", [1, 2, 3])
def test_run__of_some_composed_by_hand_is_the_same(
    store: Path, finished: Path, untrained: Path, max_computes: MaxComputes, size: int
) -> None:
    """Nothing is computed while the verbs are called; any chunks give the run's rows of these participants."""
    results = open_results(finished)
    some = slice(1, 3)
    with max_computes(0):
        slabs = open_store(store).isel(participant=some).chunk({"participant": size})
        masks = segment(slabs, models=untrained, regions=REGION)
        by_hand = flag(measure(slabs, masks=masks))
    assert_same_values(
        by_hand[list(results.drop_vars("source_digest").data_vars)].compute(scheduler="synchronous"),
        results.drop_vars("source_digest").isel(participant=some),
    )


def test_run__says_what_made_it(store: Path, finished: Path, untrained: Path) -> None:
    """A table that is found a year later: of which store, by which models and recipe, and that it isn't of people."""
    results = open_results(finished)
    expected = {
        "bmx_format": "bmx-results",
        "bmx_format_version": 1,
        "source": "slabs.zarr",
        "recipe": "mask_aware",
        "threads": 1,
        "ukb_field": 20201,
        "ukb_instance": 2,
        "simulated": True,
        "models_simulated": True,
    }
    assert expected.items() <= results.attrs.items()
    assert results["model"].to_numpy().tolist() == [load_models(untrained)[name].digest for name in REGION]
    assert results["source_digest"].to_numpy().tolist() == open_store(store)["source_digest"].to_numpy().tolist()
    assert all(results["source_digest"].to_numpy())
    masks = open_masks(masks_of(finished))
    assert masks.attrs["parameters"] == results.attrs["parameters"]
    assert masks.attrs["bmx_format"] == "bmx-masks"
    assert (masks.attrs["simulated"], masks.attrs["models_simulated"]) == (True, True)


def test_run__gives_lazy_results(store: Path, finished: Path, untrained: Path, threads: Client) -> None:
    """What `run` returns is what `open_results` gives."""
    again = run(store, finished, models=untrained, regions=REGION, client=threads)
    xr.testing.assert_identical(again.compute(), open_results(finished).compute())
    assert again["bmff"].chunks is not None


def test_run__a_second_call_does_nothing_and_says_so(
    store: Path, mine: Path, untrained: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a byte is written, no cluster is asked."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing is missing")

    monkeypatch.setattr(cohort_run, "run_missing", refuse)
    before = {path: path.stat().st_mtime_ns for path in mine.parent.rglob("*")}
    with caplog.at_level(logging.INFO, logger="bmx"):
        run(store, mine, models=untrained, regions=REGION)
    assert f"run: {mine} is finished, nothing to do" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in mine.parent.rglob("*")} == before


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_run__redoes_a_partition_that_was_lost(
    store: Path, mine: Path, untrained: Path, threads: Client, lost: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Each partition in turn loses its marker and its masks; a killed process left half a file."""
    before = everything(mine)
    (Path(f"{mine}.work") / f"done/00000{lost}").unlink()
    shards = masks_of(mine) / "slab_4/mask"
    (shards / f"c.{lost}.0.0.0.0").unlink()
    (shards / "c.9.abc.partial").write_bytes(b"half")
    with caplog.at_level(logging.INFO, logger="bmx"):
        run(store, mine, models=untrained, regions=REGION, client=threads)
    assert "run: 1 of 3 partitions to do" in caplog.text
    assert everything(mine) == before


def test_run__writes_lost_results_anew_without_segmenting(
    store: Path, mine: Path, untrained: Path, threads: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The records hold all that a results store is made of."""
    before = everything(mine)
    shutil.rmtree(mine)
    with caplog.at_level(logging.INFO, logger="bmx"):
        run(store, mine, models=untrained, regions=REGION, client=threads)
    assert "run: all 3 partitions are done, nothing to do" in caplog.text
    assert everything(mine) == before


def test_run__writes_lost_results_anew_after_it_was_killed_at_that(
    store: Path, mine: Path, untrained: Path, threads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That all was finished once says nothing of results that are half written now."""
    before = everything(mine)
    shutil.rmtree(mine)

    def die(url: str, **attributes: Any) -> None:
        if url == str(mine):
            raise KeyboardInterrupt
        consolidate(url, **attributes)

    with monkeypatch.context() as patch:
        patch.setattr(results_store, "consolidate", die)
        with pytest.raises(KeyboardInterrupt):
            run(store, mine, models=untrained, regions=REGION, client=threads)
    run(store, mine, models=untrained, regions=REGION, client=threads)
    assert everything(mine) == before


def test_run__is_not_readable_before_it_is_finished(
    store: Path, untrained: Path, tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the commit: neither masks nor results can be taken for whole; a second call finishes."""

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    results = tmp_path / "r.zarr"
    for name in ("commit_masks", "write_results"):
        with monkeypatch.context() as patch:
            patch.setattr(cohort_run, name, die)
            with pytest.raises(KeyboardInterrupt):
                run(store, results, models=untrained, regions=REGION, client=threads)
        if name == "commit_masks":
            with pytest.raises(StoreError, match=r"was begun but not finished; call bmx\.run again"):
                open_masks(masks_of(results))
        with pytest.raises(StoreError, match="there is no Zarr store at"):
            open_results(results)
    run(store, results, models=untrained, regions=REGION, client=threads)
    assert status(open_results(results)) == [["measured"]] * 3


def test_run__every_participant_has_a_row_and_a_reason(untrained: Path, tmp_path: Path, threads: Client) -> None:
    """A broken zip, a missing slab and a lost slice stop nobody else, and say in words what was wrong."""
    make_exam(tmp_path / "dixon", 2, slabs=(4,))
    make_exam(tmp_path / "dixon", 3, slabs=(2,))
    (tmp_path / "dixon/4_20201_2_0.zip").write_bytes(b"cut off")
    store = make_store(tmp_path, (1,), slabs=(2, 4), client=threads)
    results = run(
        store, tmp_path / "r.zarr", models=untrained, regions=["spine", "femoral_head"], client=threads
    ).compute()
    assert results["participant"].to_numpy().tolist() == [1, 2, 3, 4]
    assert status(results) == [
        ["measured", "measured"],
        ["not_attempted", "measured"],
        ["measured", "not_attempted"],
        ["failed", "failed"],
    ]
    reason = results["reason"].to_numpy().tolist()
    assert reason[0] == ["", ""]
    assert reason[1] == ["no series of the archive is slab 2", ""]
    assert reason[2] == ["", "no series of the archive is slab 4"]
    assert all("expected a zip archive, found 7 bytes that aren't one" in text for text in reason[3])
    flagged = results["flags"].to_numpy() & RESULT_FLAGS["slab_absent"] > 0
    assert flagged.tolist() == [[False, False], [True, False], [False, True], [False, False]]
    np.testing.assert_array_equal(np.isnan(results["bmff"]), results["status"] != MEASUREMENT_STATUS["measured"])


def test_run__measures_only_what_a_store_has_gained(
    untrained: Path, tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """New zips, converted and run again: the last, partly filled partition and the new ones, nothing else."""
    monkeypatch.setattr(beginning, "choose_size", lambda *_, **__: 2)
    store = make_store(tmp_path, (5, 6, 7), slabs=(4,), client=threads)
    grown = tmp_path / "grown.zarr"
    run(store, grown, models=untrained, regions=REGION, client=threads)
    first = masks_of(grown) / "slab_4/mask/c.0.0.0.0.0"
    before = first.stat().st_mtime_ns
    make_store(tmp_path, (3, 4), slabs=(4,), client=threads)
    assert open_results(grown).sizes["participant"] == 3
    with caplog.at_level(logging.INFO, logger="bmx"):
        results = run(store, grown, models=untrained, regions=REGION, client=threads)
    assert "run: 2 of 3 partitions to do" in caplog.text
    assert first.stat().st_mtime_ns == before
    assert results["participant"].to_numpy().tolist() == [5, 6, 7, 3, 4]
    run(store, tmp_path / "once.zarr", models=untrained, regions=REGION, client=threads)
    assert everything(grown) == everything(tmp_path / "once.zarr")


def test_run__any_number_of_participants_per_partition_gives_the_same(
    store: Path, finished: Path, untrained: Path, tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Property: where the borders of partitions lie changes no value."""
    monkeypatch.setattr(beginning, "choose_size", lambda *_, **__: 2)
    convert(store.parent / "dixon", tmp_path / "slabs.zarr", slabs=(4,), client=threads)
    results = run(tmp_path / "slabs.zarr", tmp_path / "r.zarr", models=untrained, regions=REGION, client=threads)
    assert_same_values(results, open_results(finished))
    mask = zarr.open_array(masks_of(tmp_path / "r.zarr") / "slab_4/mask", mode="r")
    assert (mask.shards, mask.chunks) == ((2, 1, 46, 174, 224), (1, 1, 46, 174, 224))
    np.testing.assert_array_equal(mask[:], zarr.open_array(masks_of(finished) / "slab_4/mask", mode="r")[:])


def test_run__refuses_another_recipe_or_model_for_the_same_results(
    store: Path, finished: Path, untrained: Path, tmp_path: Path, threads: Client
) -> None:
    """Values that were made in two ways must never stand in one column."""
    with pytest.raises(
        StoreError,
        match=r"holds another run\. recipe: was mask_aware, asked for none\. Write to another place, or beside it",
    ):
        run(store, finished, models=untrained, regions=REGION, recipe="none", client=threads)
    write_model(tmp_path / "head", "femoral_head", seed=1)
    with pytest.raises(StoreError, match=r"model of femoral_head: was [0-9a-f]{32}, asked for [0-9a-f]{32}"):
        run(store, finished, models=tmp_path, regions=REGION, client=threads)
    with pytest.raises(StoreError, match=r"regions: was \['femoral_head'\], asked for \['femoral_head', 'total_hip'\]"):
        run(store, finished, models=untrained, client=threads)
    with pytest.raises(ValueError, match=r"no recipe is called 'papper'.*did you mean paper"):
        run(store, tmp_path / "r.zarr", models=untrained, regions=REGION, recipe="papper", client=threads)


def test_run__writes_another_recipe_beside_if_asked(
    store: Path, finished: Path, untrained: Path, tmp_path: Path, threads: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Named by its parameters, so that a second call finds it again; the first results stay as they are."""
    before = everything(finished)
    how: dict[str, Any] = {"models": untrained, "regions": REGION, "beside": True, "client": threads}
    other = run(store, finished, recipe="none", **how)
    place = finished.with_name(f"{finished.stem}-{other.attrs['parameters'][:8]}.zarr")
    assert f"holds a run of other parameters, this one goes to {place}" in caplog.text
    assert other.attrs["recipe"] == open_results(place).attrs["recipe"] == "none"
    assert masks_of(place).exists()
    assert everything(finished) == before
    with caplog.at_level(logging.INFO, logger="bmx"):
        run(store, finished, recipe="none", **how)
        run(store, finished, **how)
    assert f"run: {place} is finished, nothing to do" in caplog.text
    assert f"run: {finished} is finished, nothing to do" in caplog.text


def test_run__the_same_models_may_lie_elsewhere(
    store: Path, finished: Path, untrained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What counts is the weights, not the folder that they were copied to."""
    shutil.copytree(untrained, tmp_path / "copied")
    with caplog.at_level(logging.INFO, logger="bmx"):
        run(store, finished, models=tmp_path / "copied", regions=REGION)
    assert "nothing to do" in caplog.text


def test_run__a_model_that_changes_on_the_way_stops_it(
    store: Path, tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody trains anew in the same folder while a cohort is running."""
    models = write_models(tmp_path / "models", regions=REGION)
    original = cohort_run.run_missing

    def train_anew(*args: object, **options: object) -> object:
        write_model(models / "femoral_head", "femoral_head", seed=9)
        return original(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(cohort_run, "run_missing", train_anew)
    with pytest.raises(ModelError, match=r"changed since this run began .* put the old model back"):
        run(store, tmp_path / "r.zarr", models=models, regions=REGION, client=threads)


def test_run__writes_over_nothing_that_it_has_not_made(
    store: Path, finished: Path, untrained: Path, tmp_path: Path, threads: Client
) -> None:
    """A mistyped place may be somebody's data: a store, another version, plain files, masks of another run."""
    before = contents(store)
    with pytest.raises(StoreError, match="is not a bmx-results store: its bmx_format is 'bmx-slabs'"):
        run(store, store, models=untrained, regions=REGION, masks=tmp_path / "m.zarr", client=threads)
    assert contents(store) == before
    zarr.create_group(tmp_path / "v.zarr", attributes={"bmx_format": "bmx-results", "bmx_format_version": 99})
    with pytest.raises(StoreError, match="has bmx-results version 99, expected 1; read it with the bmx that wrote it"):
        run(store, tmp_path / "v.zarr", models=untrained, regions=REGION, client=threads)
    (tmp_path / "f.zarr").mkdir()
    (tmp_path / "f.zarr/thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match=r"f\.zarr exists, but .*f\.zarr\.work does not, which would say how it was"):
        run(store, tmp_path / "f.zarr", models=untrained, regions=REGION, client=threads)
    assert (tmp_path / "f.zarr/thesis.txt").exists()
    shutil.copytree(masks_of(finished), tmp_path / "r.masks.zarr")
    with pytest.raises(StoreError, match=r"r\.masks\.zarr exists, but"):
        run(store, tmp_path / "r.zarr", models=untrained, regions=REGION, client=threads)
    shutil.copytree(f"{store}.work", tmp_path / "c.zarr.work")
    with pytest.raises(StoreError, match=r"c\.zarr holds another run\. regions: was None, asked for \['femoral"):
        run(store, tmp_path / "c.zarr", models=untrained, regions=REGION, client=threads)
    with pytest.raises(StoreError, match=r"must be called something\.zarr, found '.*results'"):
        run(store, tmp_path / "results", models=untrained, regions=REGION, client=threads)


def test_run__says_that_masks_are_gone(store: Path, mine: Path, untrained: Path, threads: Client) -> None:
    """Finished results beside no masks would look whole."""
    shutil.rmtree(masks_of(mine))
    with pytest.raises(StoreError, match=r"masks\.zarr is gone, but .*work says that it was made; delete that folder"):
        run(store, mine, models=untrained, regions=REGION, client=threads)


def test_run__refuses_before_it_begins(store: Path, untrained: Path, tmp_path: Path, threads: Client) -> None:
    """One clear error each, and nothing written."""
    with pytest.raises(StoreError, match=r"there is no Zarr store at .*nowhere\.zarr; expected bmx-slabs version 1"):
        run(tmp_path / "nowhere.zarr", tmp_path / "r.zarr", models=untrained, client=threads)
    with pytest.raises(ModelError, match=r"there is no folder .*nowhere"):
        run(store, tmp_path / "r.zarr", models=tmp_path / "nowhere", client=threads)
    with pytest.raises(ModelError, match="spine cannot be drawn: it lies in slab 2, and the store has slabs 4"):
        run(store, tmp_path / "r.zarr", models=untrained, regions=["spine"], client=threads)
    with pytest.raises(ModelError, match="no model of femoral_head"):
        run(store, tmp_path / "r.zarr", models=untrained / "spine", regions=REGION, client=threads)
    with pytest.raises(ModelError, match=r"there is no region to draw: regions=\[\], and the store has slabs 4"):
        run(store, tmp_path / "r.zarr", models=untrained, regions=[], client=threads)
    with pytest.raises(StoreError, match=r"masks and results can't both lie at .*r\.zarr; give masks= another place"):
        run(store, tmp_path / "r.zarr", models=untrained, masks=tmp_path / "r.zarr", client=threads)
    assert not list(tmp_path.iterdir())


def test_run__takes_models_of_others(store: Path, tmp_path: Path) -> None:
    """In processes that get no more than the text of a plan; a new version of the function is another run."""

    def models(version: str) -> dict[str, RegionModel]:
        regions = ["femoral_head", "total_hip"]
        labels = from_labels_callable(bands, labels=dict(zip(regions, (1, 3), strict=True)), name="b", version=version)
        return labels | {"femoral_head": from_callable(few_slices, region="femoral_head", name="f", version="1")}

    how: dict[str, Any] = {"regions": ["femoral_head", "total_hip"], "swaps": False}
    results = run(store, tmp_path / "r.zarr", models=models("1"), workers=2, **how)
    slabs = open_store(store)
    masks = segment(slabs, models=models("1"), **how).compute(scheduler="synchronous")
    assert masks["slab_4/mask"].any(("participant", "z", "y", "x")).all()
    by_hand = measure(slabs, masks=masks).compute(scheduler="synchronous")
    assert_same_values(results.drop_vars("source_digest").compute(), by_hand)
    with pytest.raises(StoreError, match=r"holds another run\. model of total_hip: was"):
        run(store, tmp_path / "r.zarr", models=models("2"), **how)


def test_run__refuses_models_that_a_task_could_not_find_again(store: Path, tmp_path: Path, threads: Client) -> None:
    """Left out in silence, a region would be missing from the results."""
    function = from_callable(
        lambda image, affine: image > 100, region=REGION[0], name="threshold", version="1", simulated=True
    )
    with pytest.raises(ModelError, match=r"can't import the function .*<lambda>"):
        run(store, tmp_path / "results.zarr", models={REGION[0]: function}, regions=REGION, client=threads)
    assert not any(tmp_path.iterdir())


def test_run__refuses_simulated_models_on_people(store: Path, untrained: Path, tmp_path: Path, threads: Client) -> None:
    """And carries the fact when it was asked for all the same."""
    people = tmp_path / "people.zarr"
    shutil.copytree(store, people)
    zarr.open_group(people, use_consolidated=False).attrs["simulated"] = False
    consolidate(str(people))
    with pytest.raises(ModelError, match=r"femoral_head were trained on simulated anatomy.*allow_simulated=True"):
        run(people, tmp_path / "r.zarr", models=untrained, regions=REGION, client=threads)
    results = run(people, tmp_path / "r.zarr", models=untrained, regions=REGION, allow_simulated=True, client=threads)
    assert (results.attrs["simulated"], results.attrs["models_simulated"]) == (False, True)


def test_run__takes_all_regions_whose_slab_is_there(
    simulated: Path, untrained: Path, tmp_path: Path, threads: Client
) -> None:
    """By default; nothing is said about the others."""
    results = run(simulated / "slabs.zarr", tmp_path / "r.zarr", models=untrained, client=threads)
    assert results["region"].to_numpy().tolist() == ["femoral_diaphysis"]
    assert set(REGIONS) > set(results["region"].to_numpy().tolist())
    assert status(results) == [["measured"]] * 4


def test_run__who_makes_the_network_raise_is_a_row_with_a_reason(
    untrained: Path, tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One participant's images, not the program: neighbours in the partition keep their values, to the last bit."""
    monkeypatch.setattr(beginning, "choose_size", lambda *_, **__: 2)
    store = make_store(tmp_path, (1000001, 1000002, 1000003), slabs=(4,), client=threads)
    calm = run(store, tmp_path / "calm.zarr", models=untrained, regions=REGION, client=threads).compute()
    mark(store, 1)
    monkeypatch.setattr(Model, "draw", draw_or_raise)
    found = run(store, tmp_path / "r.zarr", models=untrained, regions=REGION, client=threads).compute()
    reason = "ValueError: the network met something that it can't take"
    assert found["reason"][:, 0].to_numpy().tolist() == ["", reason, ""]
    assert int(found["status"][1, 0]) == MEASUREMENT_STATUS["failed"]
    found.attrs["history"] = calm.attrs["history"]  # they were written at different times
    xr.testing.assert_identical(found.isel(participant=[0, 2]), calm.isel(participant=[0, 2]))


def test_run__who_is_alone_in_a_partition_stops_nobody(
    untrained: Path, tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the last one of any cohort may be: their images would have stopped the run at every call."""
    monkeypatch.setattr(beginning, "choose_size", lambda *_, **__: 2)
    store = make_store(tmp_path, (1000001, 1000002, 1000003), slabs=(4,), client=threads)
    mark(store, 2)
    monkeypatch.setattr(Model, "draw", draw_or_raise)
    found = run(store, tmp_path / "r.zarr", models=untrained, regions=REGION, client=threads).compute()
    assert status(found) == [["measured"], ["measured"], ["failed"]]


def test_run__measures_anew_whose_archive_was_converted_anew(
    untrained: Path, tmp_path: Path, threads: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A download that was cut short and is whole now: the store was made again, and old values aren't of it."""
    monkeypatch.setattr(beginning, "choose_size", lambda *_, **__: 2)
    store = make_store(tmp_path, (1000001, 1000002, 1000003), slabs=(4,), client=threads)
    archive = next((tmp_path / "dixon").glob("1000003*"))
    whole = archive.read_bytes()
    how: dict[str, Any] = {"models": untrained, "regions": REGION, "client": threads}
    calm = contents_of_run(store, tmp_path / "calm.zarr", **how)

    def convert_again(content: bytes) -> None:
        archive.write_bytes(content)
        shutil.rmtree(store)
        shutil.rmtree(f"{store}.work")
        convert(tmp_path / "dixon", store, slabs=(4,), contrasts=PAIR, client=threads)

    convert_again(whole[: len(whole) // 2])
    results = tmp_path / "r.zarr"
    assert status(run(store, results, **how))[2] != ["measured"]
    convert_again(whole)
    caplog.clear()
    assert contents_of_run(store, results, **how) == calm
    assert (
        "the archives of 1 participants were converted anew since they were measured; their 1 partitions" in caplog.text
    )
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="bmx"):
        run(store, results, **how)
    assert "is finished, nothing to do" in caplog.text


def test_run__measures_each_vertebra_of_a_spine(
    finished: Path, untrained: Path, tmp_path: Path, threads: Client
) -> None:
    """What the verb gives, in a group of its own; who lacks the slab has none, and other regions have none at all."""
    store = make_store(tmp_path, (1000001, 1000002), slabs=(2,), client=threads)
    results = tmp_path / "r.zarr"
    run(store, results, models=untrained, regions=["spine"], client=threads)
    found = open_vertebrae(results)
    expected = measure_vertebrae(open_store(store), masks=open_masks(masks_of(results)))
    assert found["vertebra_bmff"].chunks is not None
    assert found["vertebra_voxels"].sum() > 0
    xr.testing.assert_identical(found.drop_attrs().compute(), expected.drop_attrs().compute(scheduler="synchronous"))
    assert found.attrs == open_results(results).attrs
    with pytest.raises(StoreError, match=r"holds no vertebrae; .* with the region spine, found regions femoral_head"):
        open_vertebrae(finished)


def test_run__of_a_recipe_of_ones_own_is_measured_by_it(
    store: Path, finished: Path, untrained: Path, tmp_path: Path, threads: Client
) -> None:
    """Even if it has the name of ours: values and attributes are of the recipe that was given."""
    mine = replace(RECIPES["mask_aware"], smoothing="none", erosion=dict.fromkeys(REGIONS, 0))
    how: dict[str, Any] = {"models": untrained, "regions": REGION, "recipe": mine, "client": threads}
    found = run(store, tmp_path / "r.zarr", **how)
    expected = measure(open_store(store), masks=open_masks(masks_of(finished)), recipe=mine)
    np.testing.assert_array_equal(found["bmff"], expected["bmff"].compute(scheduler="synchronous"))
    assert (found.attrs["recipe_smoothing"], found["erosion"].item()) == ("none", 0)
    with pytest.raises(StoreError, match="recipe: was mask_aware, asked for"):
        run(store, finished, **how)
    with pytest.raises(StoreError, match="recipe: was"):
        run(store, tmp_path / "r.zarr", **{**how, "recipe": replace(mine, smoothing="neighbours", width=1)})


def test_run__whom_all_fail_is_an_error(
    untrained: Path, tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad program must stop: nobody wants 100,000 rows that say the same."""
    monkeypatch.setattr(beginning, "choose_size", lambda *_, **__: 2)
    store = make_store(tmp_path, (1000001, 1000002), slabs=(4,), client=threads)
    mark(store, 0)
    mark(store, 1)
    monkeypatch.setattr(Model, "draw", draw_or_raise)
    with pytest.raises(ValueError, match="can't take") as raised:
        run(store, tmp_path / "r.zarr", models=untrained, regions=REGION, client=threads)
    assert "while doing partition" in raised.value.__notes__[-1]
