from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import xarray as xr
import zarr
from distributed import Client

import bmx.ingest.beginning as beginning
from bmx.acquisition import SLABS
from bmx.cohort.run import run
from bmx.errors import StoreError
from bmx.ingest.conversion import convert
from bmx.ingest.withdrawing import withdraw
from bmx.partitions.withdrawn import PENDING, read_withdrawn
from bmx.partitions.work import WorkFolder
from bmx.phenotypes.join import join, unmatched
from bmx.quality import counts, flag
from bmx.simulation.exam_zips import write_exam
from bmx.simulation.exams import plan_exam
from bmx.store.reading import open_store
from bmx.store.results import open_masks, open_results
from bmx.store.withdrawal import REASON
from bmx.variables import MEASUREMENT_STATUS, SLAB_STATUS
from tests.cohorts import PAIR
from tests.exams import affine, images, make_exam
from tests.killed import KilledError, killed_at
from tests.s3 import objects, serve_s3, upload
from tests.traces import encoded_volumes, find_traces, own_pieces

EIDS = (4000017, 4000029, 4000031, 4000043, 4000057)
GONE = (4000057, 4000029)
"""The second of the first shard of two, and the only one of the last shard."""
ROWS, STAY = (1, 4), (0, 2, 3)
REGION = "femoral_head"


def person(eid: int) -> dict[str, np.ndarray]:
    """Images of slab 4 that nobody else has: noise of their own in a corner of the pattern."""
    made = {name: image for name, image in images(4).items() if name in PAIR}
    noise = np.random.default_rng(eid)
    for image in made.values():
        image[10:14, 60:92, 60:92] = noise.integers(500, 60_000, (4, 32, 32))
    return made


def voxels(eid: int) -> bytes:
    """Sixteen voxels in a row that nobody else has."""
    return person(eid)["fat"][11, 70, 64:80].tobytes()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, untrained: Path, threads: Client) -> Path:
    """Archives, store, masks and results of five participants in three partitions; tests work on copies."""
    folder = tmp_path_factory.mktemp("made")
    for eid in EIDS:
        path = folder / "dixon" / f"{eid}_20201_2_0.zip"
        path.parent.mkdir(exist_ok=True)
        write_exam(path, plan_exam({4: person(eid)}, {4: affine(4)}, seed=eid))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beginning, "choose_size", lambda *_, **__: 2)
        convert(folder / "dixon", folder / "s.zarr", slabs=(4,), contrasts=PAIR, client=threads)
    run(folder / "s.zarr", folder / "r.zarr", models=untrained, regions=[REGION], client=threads)
    return folder


@pytest.fixture
def cohort(made: Path, tmp_path: Path) -> Path:
    """A copy to take people out of."""
    return copy(made, tmp_path / "cohort")


def copy(made: Path, to: Path) -> Path:
    """Copy everything; a run's plan says where its masks are, and must not mean those of the original."""
    shutil.copytree(made, to)
    for plan in to.glob("*.work/plan.json"):
        plan.write_text(plan.read_text().replace(str(made), str(to)))
    return to


def stores(folder: Path) -> list[Path]:
    """Everything that bmx made of the archives."""
    return [path for path in folder.iterdir() if path.name != "dixon"]


def traces(folder: Path, eid: int, scratch: Path, pieces: Sequence[bytes] = ()) -> list[str]:
    scratch.mkdir(exist_ok=True)
    return find_traces(stores(folder), scratch, eid=eid, image=voxels(eid), pieces=pieces)


def test_withdraw__leaves_no_trace(cohort: Path, tmp_path: Path) -> None:
    """Not in any byte below store, masks, results and their work folders, nor in what the bytes decode to."""
    volumes = {
        (row, contrast): encoded_volumes(cohort / f"s.zarr/slab_4/{contrast}/c.{row // 2}.0.0.0")[row % 2]
        for row in range(len(EIDS))
        for contrast in PAIR
    }
    pieces: dict[int, list[bytes]] = {eid: [] for eid in EIDS}
    for (row, contrast), volume in volumes.items():
        others = [other for (one, _), other in volumes.items() if one != row]
        pieces[EIDS[row]] += (own := own_pieces(volume, others))
        assert len(own) > 10, contrast
    # The test of the test: before, each of them is found in every place.
    for eid in GONE:
        found = "\n".join(traces(cohort, eid, tmp_path / "scratch", pieces[eid]))
        for place in (
            "text in {}/s.zarr.work/plan.json", "text in {}/r.zarr.work/plan.json", "number in {}/s.zarr/participant",
            "number in {}/s.zarr/series/series_participant", "number in {}/r.zarr/participant",
            "number in {}/r.masks.zarr/participant", "voxels in {}/s.zarr/slab_4/fat", "series_participant",
            "bytes in {}/s.zarr/slab_4/fat/c.", "bytes in {}/s.zarr/slab_4/water/c.",
        ):  # fmt: skip
            assert place.format(cohort) in found
    report = withdraw(cohort / "s.zarr", GONE, results=[cohort / "r.zarr"])
    assert (report.asked, report.erased, report.results) == (2, 2, 1)
    for eid in GONE:
        assert traces(cohort, eid, tmp_path / "scratch", pieces[eid]) == []
    for row in STAY:
        assert traces(cohort, EIDS[row], tmp_path / "scratch", pieces[EIDS[row]]) != []


def test_withdraw__makes_tombstones_and_leaves_the_others_alone(cohort: Path) -> None:
    """Every value of every other participant is bit-identical; the rows of those who left say so and no more."""
    before = {place: decoded(cohort / place) for place in ("s.zarr", "r.zarr", "r.masks.zarr")}
    withdraw(cohort / "s.zarr", GONE, results=[cohort / "r.zarr"])
    for place, arrays in before.items():
        after = decoded(cohort / place)
        assert set(after) == set(arrays)
        for name, values in arrays.items():
            if name.startswith("series/"):
                stay = np.isin(arrays["series/series_participant"], GONE, invert=True)
                assert (len(values), len(after[name])) == (10, 6)
                assert after[name].tolist() == values[stay].tolist()
            elif len(values) == len(EIDS):
                assert_same(after[name][list(STAY)], values[list(STAY)], name)
    store, results = open_store(cohort / "s.zarr"), open_results(cohort / "r.zarr")
    for data in (store, results, open_masks(cohort / "r.masks.zarr")):
        assert data["participant"].to_numpy().tolist() == [4000017, -2, 4000031, 4000043, -5]
    for row in ROWS:
        slab = store["slab_4"].to_dataset().isel(participant=row)
        assert slab["slab_status"] == SLAB_STATUS["withdrawn"]
        assert slab["slab_reason"] == REASON
        assert np.isnan(slab["affine"]).all()
        assert np.isnan(slab["physics_residual"]).all()
        assert (slab["native_slices"], slab["slab_flags"]) == (0, 0)
        assert not slab["fat"].any()
        assert not slab["water"].any()
        assert store["source_digest"][row] == ""
        mine = results.isel(participant=row, region=0).load()
        assert mine["status"] == MEASUREMENT_STATUS["not_attempted"]
        assert mine["reason"] == REASON
        assert (mine["voxels"], mine["flags"], mine["measured_slab"]) == (0, 0, 0)
        for name in ("bmff", "bmff_median", "bmff_sd", "bmff_iqr", "bmff_ratio", "volume", "centroid"):
            assert np.isnan(mine[name]).all(), name
        assert not open_masks(cohort / "r.masks.zarr")["slab_4/mask"][row].any()
    # A shard with nobody left is no file.
    assert not (cohort / "s.zarr/slab_4/fat/c.2.0.0.0").exists()


def assert_same(found: np.ndarray, expected: np.ndarray, name: str) -> None:
    """To the last bit; text by what it says."""
    if expected.dtype.kind in "OTU":
        assert found.tolist() == expected.tolist(), name
    else:
        assert found.tobytes() == expected.tobytes(), name


def decoded(store: Path) -> dict[str, np.ndarray]:
    root = zarr.open_group(store, mode="r")
    return {path: np.asarray(one[:]) for path, one in root.members(max_depth=None) if isinstance(one, zarr.Array)}


def test_withdraw__is_told_by_the_history_and_by_no_name(cohort: Path, threads: Client) -> None:
    """When, how many, by which version: that must be kept, also when the store grows."""
    withdraw(cohort / "s.zarr", GONE, results=[cohort / "r.zarr"])
    for _ in range(2):
        lines = open_store(cohort / "s.zarr").attrs["history"].split("\n")
        (told,) = (line for line in lines if "withdraw" in line)
        assert told.endswith("withdraw, 2 participants")
        make_exam(cohort / "dixon", 4000099, slabs=(4,))
        convert(cohort / "dixon", cohort / "s.zarr", client=threads)
    kept = json.loads((cohort / "s.zarr.work/withdrawn.json").read_text())
    assert set(kept) == {"format", "salt", "digests"}
    assert len(kept["digests"]) == 2
    assert not (cohort / "s.zarr.work/withdrawing.json").exists()


def test_withdraw__nobody_comes_back(cohort: Path, threads: Client, caplog: pytest.LogCaptureFixture) -> None:
    """Their archives are refused and counted; the store grows beside them, and new participants are converted."""
    store = cohort / "s.zarr"
    withdraw(store, [*GONE, 4000099], results=[cohort / "r.zarr"])
    with caplog.at_level(logging.INFO, logger="bmx"):
        report = convert(cohort / "dixon", store, client=threads)
    assert (report.done, report.refused) == (0, 2)
    assert "2 archives of participants who have withdrawn refused" in str(report)
    assert "2 of the 5 exams found are of participants who have withdrawn" in caplog.text
    # 4000099 withdrew before they were ever converted.
    for eid in (4000099, 4000064, 4000065):
        make_exam(cohort / "dixon", eid, slabs=(4,))
    (cohort / "dixon/4000043_20201_2_0.zip").unlink()
    assert convert(cohort / "dixon", store, client=threads).done == 2
    grown = open_store(store)
    assert grown["participant"].to_numpy().tolist() == [4000017, -2, 4000031, 4000043, -5, 4000064, 4000065]
    names = {value: name for name, value in SLAB_STATUS.items()}
    assert [names[value] for value in grown["slab_4/slab_status"].to_numpy().tolist()] == [
        "complete", "withdrawn", "complete", "complete", "withdrawn", "complete", "complete",
    ]  # fmt: skip
    np.testing.assert_array_equal(grown["slab_4/fat"][3].to_numpy()[:44], person(4000043)["fat"])
    np.testing.assert_array_equal(grown["slab_4/fat"][5].to_numpy()[:44], images(4, seed=4000064)["fat"])
    assert not grown["slab_4/fat"][4].any()


def test_withdraw__a_lost_partition_is_done_again_without_them(cohort: Path, threads: Client) -> None:
    """Shard, record and marker of a partition are lost: the tombstone comes out as it was."""
    store = cohort / "s.zarr"
    withdraw(store, GONE, results=[cohort / "r.zarr"])
    before = decoded(store)
    (cohort / "s.zarr.work/done/000000").unlink()
    (cohort / "s.zarr.work/records/000000.npz").unlink()
    (store / "slab_4/fat/c.0.0.0.0").unlink()
    assert convert(cohort / "dixon", store, client=threads).done == 1
    for name, values in decoded(store).items():
        assert_same(values, before[name], name)


def test_withdraw__the_run_goes_on(cohort: Path, untrained: Path, threads: Client) -> None:
    """A finished run stays finished; new participants are measured, those who left never are."""
    store, results = cohort / "s.zarr", cohort / "r.zarr"
    withdraw(store, GONE, results=[results])
    before = decoded(results)
    again: dict[str, Any] = {"models": untrained, "regions": [REGION], "client": threads}
    run(store, results, **again)
    for name, values in decoded(results).items():
        assert_same(values, before[name], name)
    make_exam(cohort / "dixon", 4000064, slabs=(4,))
    convert(cohort / "dixon", store, client=threads)
    measured = run(store, results, **again)
    assert measured["participant"].to_numpy().tolist() == [4000017, -2, 4000031, 4000043, -5, 4000064]
    table = counts(flag(measured))[REGION]
    assert table["not_attempted"] == 2
    assert table.sum() == 6
    # Measured anew from a tombstone: the same as what withdraw wrote.
    grown = decoded(results)
    for name, values in before.items():
        if len(values) == len(EIDS):
            assert_same(grown[name][[1, 4]], values[[1, 4]], name)


def test_withdraw__refuses_results_that_still_hold_them(cohort: Path, untrained: Path, threads: Client) -> None:
    """Who forgets to name the results is told so by the next run, and can do it afterwards."""
    store, results = cohort / "s.zarr", cohort / "r.zarr"
    withdraw(store, GONE)
    with pytest.raises(StoreError, match=r"2 participants were withdrawn from the store and are still in the results"):
        run(store, results, models=untrained, regions=[REGION], client=threads)
    report = withdraw(store, GONE, results=[results])
    assert (report.asked, report.erased) == (2, 0)
    assert open_results(results)["participant"].to_numpy().tolist() == [4000017, -2, 4000031, 4000043, -5]
    run(store, results, models=untrained, regions=[REGION], client=threads)


def test_join__never_matches_a_tombstone(cohort: Path) -> None:
    """Neither with somebody whose number is wrong, nor as somebody who is left out."""
    withdraw(cohort / "s.zarr", GONE, results=[cohort / "r.zarr"])
    results = open_results(cohort / "r.zarr")
    age = ("participant", np.arange(5.0))
    phenotypes = xr.Dataset({"age": age}, {"participant": results["participant"].variable})
    assert phenotypes["participant"].to_numpy().tolist() == [4000017, -2, 4000031, 4000043, -5]
    joined = join(results, phenotypes)
    assert joined["participant"].to_numpy().tolist() == [4000017, 4000031, 4000043]
    assert joined.attrs["join_only_results"] == 0
    assert unmatched(results, phenotypes.isel(participant=[0])).results.tolist() == [4000031, 4000043]


def state(folder: Path) -> dict[str, bytes]:
    """Every file below store, masks, results and work folders; the list without its salt."""
    kept = {}
    for path in (path for place in stores(folder) for path in place.rglob("*") if path.is_file()):
        content = path.read_bytes().replace(str(folder).encode(), b"")
        for history in open_histories(folder):
            content = content.replace(json.dumps(history).encode(), b"")
        kept[str(path.relative_to(folder))] = b"" if path.name == "withdrawn.json" else content
    return kept


def open_histories(folder: Path) -> list[str]:
    places = [folder / name for name in ("s.zarr", "r.zarr", "r.masks.zarr")]
    return [str(zarr.open_group(place, mode="r").attrs.get("history", "none")) for place in places]


def check_killed(made: Path, folder: Path, steps: Sequence[int]) -> None:
    """Kill a withdrawal at each of these steps, finish it, and compare with one that wasn't killed."""
    smooth = copy(made, folder / "smooth")
    withdraw(smooth / "s.zarr", GONE, results=[smooth / "r.zarr"])
    expected = state(smooth)
    for step in steps:
        rough = copy(made, folder / "rough")
        with pytest.MonkeyPatch.context() as patch:
            killed_at(patch, step)
            with pytest.raises(KilledError):
                withdraw(rough / "s.zarr", GONE, results=[rough / "r.zarr"])
        if (rough / "s.zarr.work" / PENDING).exists():
            with pytest.raises(StoreError, match=r"was begun and not finished; call bmx\.withdraw again"):
                convert(rough / "dixon", rough / "s.zarr")
            withdraw(rough / "s.zarr", [])
        else:
            withdraw(rough / "s.zarr", GONE, results=[rough / "r.zarr"])
        assert state(rough) == expected, f"killed at step {step}"
        shutil.rmtree(rough)


def count_steps(made: Path, folder: Path) -> int:
    cohort = copy(made, folder / "counted")
    with pytest.MonkeyPatch.context() as patch:
        done = killed_at(patch, 10**9)
        withdraw(cohort / "s.zarr", GONE, results=[cohort / "r.zarr"])
    return done()


def test_withdraw__finishes_when_called_again(made: Path, tmp_path: Path) -> None:
    """Killed at some moments of each phase, then called again, with nobody named."""
    steps = count_steps(made, tmp_path)
    assert steps > 50
    check_killed(made, tmp_path, [1, *range(5, steps, steps // 5), steps])


@pytest.mark.slow
def test_withdraw__finishes_wherever_it_is_killed(made: Path, tmp_path: Path) -> None:
    """At every third change of a file, of some hundred; of a single tiny store the tests try each."""
    check_killed(made, tmp_path, range(2, count_steps(made, tmp_path) + 1, 3))


def test_withdraw__works_behind_urls(made: Path, tmp_path: Path, threads: Client) -> None:
    """Store, masks and results in an object store; here, one in memory."""
    memory, bucket = fsspec.filesystem("memory"), f"/{tmp_path.name}"
    url = f"memory:/{bucket}"
    memory.put(f"{moved(made, tmp_path, url)}/", bucket, recursive=True)
    assert withdraw(f"{url}/s.zarr", GONE, results=[f"{url}/r.zarr"]).erased == 2
    memory.get(bucket, str(tmp_path / "back"), recursive=True)
    assert all(traces(tmp_path / "back", eid, tmp_path / "scratch") == [] for eid in GONE)
    assert open_store(f"{url}/s.zarr")["participant"].to_numpy().tolist() == [4000017, -2, 4000031, 4000043, -5]
    assert convert(f"{url}/dixon", f"{url}/s.zarr", client=threads).done == 0


def test_withdraw__works_on_s3(made: Path, tmp_path: Path, threads: Client) -> None:
    """A server that keeps listings apart from what was written a moment ago."""
    with serve_s3() as bucket:
        upload(moved(made, tmp_path, f"{bucket}/cohort"), f"{bucket}/cohort")
        assert withdraw(f"{bucket}/cohort/s.zarr", GONE, results=[f"{bucket}/cohort/r.zarr"]).erased == 2
        for name, content in objects(f"{bucket}/cohort").items():
            (tmp_path / "back" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "back" / name).write_bytes(content)
        assert convert(f"{bucket}/cohort/dixon", f"{bucket}/cohort/s.zarr", client=threads).done == 0
    assert all(traces(tmp_path / "back", eid, tmp_path / "scratch") == [] for eid in GONE)
    assert open_results(tmp_path / "back/r.zarr")["participant"].to_numpy().tolist()[1::3] == [-2, -5]


def moved(made: Path, tmp_path: Path, url: str) -> Path:
    """A copy whose plans name places below a URL, to be put there."""
    folder = copy(made, tmp_path / "moved")
    for plan in folder.glob("*.work/plan.json"):
        plan.write_text(plan.read_text().replace(str(made), url).replace(str(folder), url))
    return folder


def test_withdraw__clears_pictures_and_logs(cohort: Path, tmp_path: Path) -> None:
    """What is named after them or shows anybody is removed, lines that name them are dropped, the rest stays."""
    folder = cohort / "r.pictures"
    (folder / "sheets").mkdir(parents=True)
    for name in ("4000029.png", "sheets/4000017.png", "mosaic.pdf", "sheets/4000057_spine.svg"):
        (folder / name).write_bytes(b"picture")
    (folder / "run.log").write_text("4000017: fine\n4000029: fine\n")
    (cohort / "s.zarr.work/job.log").write_text("participant 4000057: cut\nparticipant 4000031: cut\n")
    for name in ("4000029_20201_2_0_slab_4_fat.nii.gz", "4000017_20201_2_0_slab_4_fat.nii.gz", "notes-4000029.txt"):
        (cohort / name).write_bytes(b"image")
    report = withdraw(cohort / "s.zarr", GONE, results=[cohort / "r.zarr"], folders=[folder])
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "run.log", "sheets/4000017.png",
    ]  # fmt: skip
    assert (folder / "run.log").read_text() == "4000017: fine\n"
    assert (cohort / "s.zarr.work/job.log").read_text() == "participant 4000031: cut\n"
    assert not (cohort / "4000029_20201_2_0_slab_4_fat.nii.gz").exists()
    assert (cohort / "4000017_20201_2_0_slab_4_fat.nii.gz").exists()
    assert (cohort / "notes-4000029.txt").exists()
    assert report.files == 6


def test_withdraw__says_what_it_did_not_look_into(cohort: Path, tmp_path: Path) -> None:
    """Whoever keeps tables in xlsx must hear of it; only a few are named."""
    (tmp_path / "tables").mkdir()
    for number in range(12):
        (tmp_path / f"tables/{number:02d}.xlsx").write_bytes(b"PK\x03\x04 packed")
    report = withdraw(cohort / "s.zarr", GONE, results=[cohort / "r.zarr"], folders=[tmp_path / "tables"])
    assert len(report.unread) == 12
    assert "not looked into: " in str(report)
    assert str(report).endswith("09.xlsx and 2 more; see to them yourself")


def test_withdraw__leaves_the_archives_to_their_owner(cohort: Path) -> None:
    """It erases what bmx made; it is no tool to delete data with."""
    withdraw(cohort / "s.zarr", GONE, results=[cohort / "r.zarr"])
    assert len(list((cohort / "dixon").iterdir())) == 5


def test_withdraw__refuses_what_is_under_way(cohort: Path, threads: Client) -> None:
    """A partition that is written next could bring somebody back; nothing is begun then."""
    (cohort / "r.zarr.work/done/000001").unlink()
    with pytest.raises(StoreError, match=r"r\.zarr is not finished \(1 of 3 partitions .* Call bmx\.run again"):
        withdraw(cohort / "s.zarr", GONE, results=[cohort / "r.zarr"])
    (cohort / "s.zarr.work/finished").unlink()
    with pytest.raises(StoreError, match=r"s\.zarr is not finished \(0 of 3 .* Call bmx\.convert again"):
        withdraw(cohort / "s.zarr", GONE)
    assert not (cohort / "s.zarr.work" / PENDING).exists()
    assert 4000029 not in read_withdrawn(WorkFolder.beside(cohort / "s.zarr"))
    with pytest.raises(StoreError, match="there is no Zarr store at"):
        withdraw(cohort / "elsewhere.zarr", GONE)


def test_withdraw__refuses_nobody_and_no_eid(cohort: Path) -> None:
    """A tombstone can't withdraw."""
    with pytest.raises(ValueError, match="no participants were named"):
        withdraw(cohort / "s.zarr", [])
    with pytest.raises(ValueError, match="expected EIDs, which are positive numbers, found -2"):
        withdraw(cohort / "s.zarr", [-2])


def test_withdraw__slab_shapes_are_those_of_the_protocol(cohort: Path) -> None:
    """The row stays: everybody behind it keeps their place."""
    withdraw(cohort / "s.zarr", GONE, results=[cohort / "r.zarr"])
    assert open_store(cohort / "s.zarr")["slab_4/fat"].shape == (5, *SLABS[4].stored_shape)
