from __future__ import annotations

import logging
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import fsspec
import numpy as np
import pytest
import xarray as xr
import zarr
from distributed import Client, LocalCluster
from pydicom.dataset import Dataset

import bmx.ingest.beginning as beginning
import bmx.ingest.conversion as conversion
from bmx.acquisition import CONTRASTS, SLABS
from bmx.errors import SourceError, StoreError
from bmx.ingest.conversion import convert
from bmx.ingest.planning import plan
from bmx.store.reading import open_store
from bmx.variables import SLAB_FLAGS, SLAB_STATUS, flag_names
from tests.exams import TOP_MM, affine, edit, images, make_exam, merge, write_members

EIDS = (1000001, 1000002, 1000003)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three participants with fat and water of slabs 2 and 5."""
    folder = tmp_path_factory.mktemp("dixon")
    for eid in EIDS:
        make_exam(folder, eid, slabs=(2, 5))
    return folder


def status(store: xr.DataTree, slab: int) -> list[str]:
    names = {value: name for name, value in SLAB_STATUS.items()}
    return [names[value] for value in store[f"slab_{slab}/slab_status"].to_numpy().tolist()]


def flags(store: xr.DataTree, slab: int) -> list[list[str]]:
    return [flag_names(value, SLAB_FLAGS) for value in store[f"slab_{slab}/slab_flags"].to_numpy().tolist()]


def reasons(store: xr.DataTree, slab: int) -> list[str]:
    return [str(value) for value in store[f"slab_{slab}/slab_reason"].to_numpy()]


def contents(store: Path) -> dict[str, bytes]:
    """Every file of a store, without the history that tells when it was written."""
    root = zarr.open_group(store, mode="r")
    history = str(root.attrs["history"]).encode()
    return {
        str(path.relative_to(store)): path.read_bytes().replace(history, b"")
        for path in store.rglob("*")
        if path.is_file()
    }


def test_convert__stores_what_the_archives_hold(archives: Path, tmp_path: Path, threads: Client) -> None:
    """Voxels and affines are those that were written, and every zero beyond is fill."""
    report = convert(archives, tmp_path / "s.zarr", slabs=(2, 3, 5), client=threads)
    assert (report.participants, report.partitions, report.done) == (3, 3, 3)
    store = open_store(tmp_path / "s.zarr")
    assert store["participant"].to_numpy().tolist() == list(EIDS)
    assert [name for name in store.children if name.startswith("slab")] == ["slab_2", "slab_3", "slab_5"]
    for slab in (2, 5):
        assert status(store, slab) == ["complete"] * 3
        assert reasons(store, slab) == [""] * 3
        assert flags(store, slab) == [[]] * 3
        count = SLABS[slab].slices
        assert store[f"slab_{slab}/native_slices"].to_numpy().tolist() == [count] * 3
        for row, eid in enumerate(EIDS):
            np.testing.assert_allclose(store[f"slab_{slab}/affine"].to_numpy()[row], affine(slab), atol=1e-6)
            for contrast in ("fat", "water"):
                volume = store[f"slab_{slab}/{contrast}"].isel(participant=row).to_numpy()
                np.testing.assert_array_equal(volume[:count], images(slab, seed=eid)[contrast])
                assert not volume[count:].any()
    assert status(store, 3) == ["absent"] * 3
    assert reasons(store, 3) == ["no series of the archive is slab 3"] * 3
    assert np.isnan(store["slab_3/affine"].to_numpy()).all()
    assert store.attrs["simulated"] is True
    assert store.attrs["ukb_instance"] == 2
    assert all(len(str(digest)) == 64 for digest in store["source_digest"].to_numpy())


def test_convert__absent_slabs_cost_no_bytes(archives: Path, tmp_path: Path, threads: Client) -> None:
    """Knees are missing in one of thirty; a cohort must not store their zeros."""
    convert(archives, tmp_path / "s.zarr", slabs=(2, 3), client=threads)
    assert [path.name for path in (tmp_path / "s.zarr/slab_3/fat").iterdir()] == ["zarr.json"]
    assert len(list((tmp_path / "s.zarr/slab_2/fat").iterdir())) == 1 + 3


def test_convert__keeps_a_line_for_every_series(archives: Path, tmp_path: Path, threads: Client) -> None:
    """Provenance: what was there, what it was taken for, and why."""
    convert(archives, tmp_path / "s.zarr", slabs=(2,), client=threads)
    series = xr.open_datatree(tmp_path / "s.zarr")["series"].to_dataset(inherit=False).to_dataframe()
    assert series.groupby("series_participant").size().to_dict() == dict.fromkeys(EIDS, 4)
    assert series["series_slab"].tolist() == [2, 2, 5, 5] * 3
    assert series["series_contrast"].tolist() == ["fat", "water"] * 6
    assert series["series_slices"].tolist() == [44, 44, 72, 72] * 3
    assert series["series_used"].all()


def test_convert__adds_the_physics_residual_when_all_four_are_kept(tmp_path: Path, threads: Client) -> None:
    """The four images of the test obey the relations; with water and in-phase exchanged they don't."""
    make_exam(tmp_path / "dixon", 1000001, contrasts=CONTRASTS)

    def exchange(image: Dataset) -> Dataset:
        other = {"IN_PHASE": ("WATER", "Dixon_BH_17s_W"), "WATER": ("IN_PHASE", "Dixon_BH_17s_in")}
        if image.ImageType[-1] in other:
            token, image.SeriesDescription = other[image.ImageType[-1]]
            image.ImageType = [*image.ImageType[:-1], token]
        return image

    edit(make_exam(tmp_path / "dixon", 1000002, contrasts=CONTRASTS), exchange)
    convert(tmp_path / "dixon", tmp_path / "s.zarr", slabs=(2,), contrasts=tuple(CONTRASTS), client=threads)
    residual = open_store(tmp_path / "s.zarr")["slab_2/physics_residual"].to_numpy()
    np.testing.assert_array_equal(residual[0], [0, 0])
    assert (residual[1] > 0.2).all()


def test_convert__makes_bad_participants_data(tmp_path: Path, threads: Client) -> None:
    """Each kind of damage gets its status, flags and reason, and nobody else is touched."""
    folder = tmp_path / "dixon"
    for eid in range(1, 9):
        make_exam(folder, eid, slabs=(2, 5))
    paths = {eid: folder / f"{eid}_20201_2_0.zip" for eid in range(1, 9)}
    paths[2].write_bytes(b"not a zip")
    write_members(paths[3], {"readme.txt": b"nothing here"})
    edit(paths[4], lambda image: None if image.Rows == 174 and image.InstanceNumber == 7 else image)
    edit(paths[5], lambda image: None if image.Rows == 162 else image)
    write_members(paths[6], {})
    merge(paths[7], make_exam(tmp_path / "again", 7, slabs=(2, 5), seed=70, top_mm=TOP_MM + 3))

    def cut(image: Dataset) -> Dataset:
        if image.Rows == 162 and image.InstanceNumber == 30:
            image.PixelData = image.PixelData[:1000]
        return image

    edit(paths[8], cut)
    convert(folder, tmp_path / "s.zarr", slabs=(2, 5), client=threads)
    store = open_store(tmp_path / "s.zarr")
    assert status(store, 2) == [
        "complete", "unreadable", "unreadable", "incomplete", "complete", "unreadable", "complete", "complete",
    ]  # fmt: skip
    assert status(store, 5) == [
        "complete", "unreadable", "unreadable", "complete", "absent", "unreadable", "complete", "incomplete",
    ]  # fmt: skip
    reason = dict(zip(range(1, 9), reasons(store, 2), strict=True))
    assert "expected a zip archive, found 9 bytes" in reason[2]
    assert reason[3] == reason[6] == "the archive holds no DICOM images"
    assert reason[4] == "fat lacks 1 of 44 slices; water lacks 1 of 44 slices"
    assert "fat has 1 of 72 slices that can't be read: " in reasons(store, 5)[7]
    assert "expected 72576 bytes of pixels, found 1000" in reasons(store, 5)[7]
    assert flags(store, 2)[3] == ["missing_slices", "manifest_mismatch"]
    assert "repeated_series" in flags(store, 2)[6]
    for slab, row in ((5, 4), (2, 1)):
        assert np.isnan(store[f"slab_{slab}/affine"].to_numpy()[row]).all()
        assert not store[f"slab_{slab}/fat"][row].to_numpy().any()
    # One slice is lost, 43 are in their places.
    fat = store["slab_2/fat"][3].to_numpy()
    lost = [z for z in range(44) if not fat[z].any()]
    assert len(lost) == 1
    kept = np.delete(np.arange(44), lost)
    np.testing.assert_array_equal(fat[kept], images(2, seed=4)["fat"][kept])
    # Of the exam that was done twice, the newer one is stored.
    newer = max((7, 70), key=lambda seed: _acquired(seed, tmp_path))
    np.testing.assert_array_equal(store["slab_2/fat"][6].to_numpy()[:44], images(2, seed=newer)["fat"])


def test_convert__goes_on_without_an_archive_that_is_gone(tmp_path: Path, threads: Client) -> None:
    """Moved after the plan was written, or a link to nowhere: a row with its reason, and the store can be finished."""
    dixon, store = tmp_path / "dixon", tmp_path / "s.zarr"
    for eid in (1, 2):
        make_exam(dixon, eid)
    (dixon / "3_20201_2_0.zip").symlink_to(tmp_path / "nowhere.zip")
    plan(dixon, store, slabs=(2,), client=threads, write=True)
    (dixon / "2_20201_2_0.zip").rename(tmp_path / "elsewhere.zip")
    assert convert(dixon, store, client=threads).participants == 3
    found = open_store(store)
    assert status(found, 2) == ["complete", "unreadable", "unreadable"]
    assert reasons(found, 2) == ["", *(f"there is nothing at {dixon}/{eid}_20201_2_0.zip" for eid in (2, 3))]
    assert flags(found, 2)[1:] == [["archive_unreadable"]] * 2


@pytest.mark.parametrize("left", ["nothing", "mount point"])
def test_convert__blames_nobody_for_a_disk_that_is_away(tmp_path: Path, threads: Client, left: str) -> None:
    """Otherwise a hundred thousand people would become unreadable in a minute."""
    dixon, store = tmp_path / "dixon", tmp_path / "s.zarr"
    make_exam(dixon, 1)
    plan(dixon, store, slabs=(2,), client=threads, write=True)
    dixon.rename(tmp_path / "away")
    if left == "mount point":
        dixon.mkdir()
    with pytest.raises(SourceError, match=r"expected archives below .*dixon, found nothing there any more"):
        convert(dixon, store, partitions=range(1), client=threads)
    shutil.rmtree(dixon, ignore_errors=True)
    (tmp_path / "away").rename(dixon)
    assert convert(dixon, store, client=threads).done == 1
    assert status(open_store(store), 2) == ["complete"]


def _acquired(seed: int, folder: Path) -> str:
    from bmx.sources.ukb_zip import ZipExam

    with ZipExam(str(make_exam(folder / f"seed{seed}", 7, slabs=(2,), contrasts=["fat"], seed=seed))) as exam:
        return exam.headers[0].acquired


def test_convert__a_second_call_does_nothing_and_says_so(
    archives: Path, tmp_path: Path, threads: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Not a byte is written, no cluster is asked."""
    convert(archives, tmp_path / "s.zarr", slabs=(2,), client=threads)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with caplog.at_level(logging.INFO, logger="bmx"):
        report = convert(archives, tmp_path / "s.zarr", slabs=(2,))
    assert report.done == 0
    assert str(report).endswith("3 participants in 3 partitions, finished already: nothing to do")
    assert "is finished, nothing to do" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_convert__redoes_a_partition_that_was_lost(archives: Path, tmp_path: Path, threads: Client, lost: int) -> None:
    """Each partition in turn loses its marker and its shard; the store ends up the same."""
    store = tmp_path / "s.zarr"
    convert(archives, store, slabs=(2,), client=threads)
    before = contents(store)
    (tmp_path / f"s.zarr.work/done/00000{lost}").unlink()
    (store / f"slab_2/fat/c.{lost}.0.0.0").unlink()
    (store / "slab_2/fat/c.9.abc.partial").write_bytes(b"left by a killed process")
    assert convert(archives, store, slabs=(2,), client=threads).done == 1
    assert contents(store) == before


def test_convert__is_not_readable_before_it_is_finished(
    archives: Path, tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the last partition and the commit: reading is refused, a second call finishes."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(conversion, "finalise", die)
        with pytest.raises(KeyboardInterrupt):
            convert(archives, tmp_path / "s.zarr", slabs=(2,), client=threads)
    with pytest.raises(StoreError, match=r"was begun but not finished; call bmx\.convert again"):
        open_store(tmp_path / "s.zarr")
    assert convert(archives, tmp_path / "s.zarr", slabs=(2,), client=threads).done == 0
    assert status(open_store(tmp_path / "s.zarr"), 2) == ["complete"] * 3


def test_convert__grows_at_the_end(tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """New archives go behind the old ones, even with smaller EIDs; the store equals one made in that order."""
    monkeypatch.setattr(beginning, "choose_size", lambda *_, **__: 2)
    folder, store = tmp_path / "dixon", tmp_path / "s.zarr"
    for eid in (5, 6, 7):
        make_exam(folder, eid, contrasts=["fat"])
    options = {"slabs": (2,), "contrasts": ("fat",), "client": threads}
    assert convert(folder, store, **options).done == 2
    for eid in (3, 4):
        make_exam(folder, eid, contrasts=["fat"])
    assert convert(folder, store, **options).done == 2
    grown = open_store(store)
    assert grown["participant"].to_numpy().tolist() == [5, 6, 7, 3, 4]
    assert status(grown, 2) == ["complete"] * 5
    for row, eid in enumerate([5, 6, 7, 3, 4]):
        np.testing.assert_array_equal(grown["slab_2/fat"][row].to_numpy()[:44], images(2, seed=eid)["fat"])
    assert convert(folder, store, **options).done == 0


def test_convert__works_behind_urls(archives: Path, tmp_path: Path, threads: Client) -> None:
    """Archives and store may both lie in an object store; here, one in memory."""
    bucket = f"memory://{tmp_path.name}"
    for path in archives.iterdir():
        fsspec.filesystem("memory").pipe_file(f"{bucket}/dixon/{path.name}", path.read_bytes())
    report = convert(f"{bucket}/dixon", f"{bucket}/s.zarr", slabs=(2,), client=threads)
    assert report.done == 3
    fat = open_store(f"{bucket}/s.zarr")["slab_2/fat"].sel(participant=EIDS[1]).to_numpy()
    np.testing.assert_array_equal(fat[:44], images(2, seed=EIDS[1])["fat"])
    assert convert(f"{bucket}/dixon", f"{bucket}/s.zarr", slabs=(2,), client=threads).done == 0


def test_convert__takes_urls_of_files(archives: Path, tmp_path: Path, threads: Client) -> None:
    """As other programs hand places over; the same store is known by its path, too."""
    assert convert(f"file://{archives}", f"file://{tmp_path}/s.zarr", slabs=(2,), client=threads).done == 3
    assert convert(archives, tmp_path / "s.zarr", client=threads).done == 0
    assert status(open_store(f"file://{tmp_path}/s.zarr"), 2) == ["complete"] * 3


def test_convert__refuses_to_mix_simulated_and_real(tmp_path: Path, threads: Client) -> None:
    """A simulated person among real ones would end up in a paper."""

    def unmark(image: Dataset) -> Dataset:
        del image.ImageComments
        return image

    make_exam(tmp_path / "dixon", 1, contrasts=["fat"])
    edit(make_exam(tmp_path / "dixon", 2, contrasts=["fat"]), unmark)
    with pytest.raises(StoreError, match="must not be mixed in one store: 1 are simulated, 2 are real"):
        convert(tmp_path / "dixon", tmp_path / "s.zarr", slabs=(2,), contrasts=("fat",), client=threads)
    with pytest.raises(StoreError, match="not finished"):
        open_store(tmp_path / "s.zarr")
    (tmp_path / "dixon/1_20201_2_0.zip").unlink()
    convert(tmp_path / "dixon", tmp_path / "real.zarr", slabs=(2,), contrasts=("fat",), client=threads)
    assert open_store(tmp_path / "real.zarr").attrs["simulated"] is False


def test_convert__refuses_bad_requests(archives: Path, tmp_path: Path, threads: Client) -> None:
    """One clear error each, and nothing written."""
    with pytest.raises(SourceError, match="found none; check the folder and the instance"):
        convert(tmp_path, tmp_path / "s.zarr")
    with pytest.raises(ValueError, match=r"expected slabs among 1, 2, 3, 4, 5, 6, each once; found \(7,\)"):
        convert(archives, tmp_path / "s.zarr", slabs=(7,))
    with pytest.raises(ValueError, match=r"expected slabs among 1, 2, 3, 4, 5, 6, each once; found \(\)"):
        convert(archives, tmp_path / "s.zarr", slabs=())
    with pytest.raises(ValueError, match="expected contrasts among in_phase, opposed_phase, fat, water"):
        convert(archives, tmp_path / "s.zarr", contrasts=("pdff",))
    before = sorted(archives.iterdir())
    with pytest.raises(StoreError, match=r"holds something already that is no store, .* a place of its own"):
        convert(archives, archives, workers=1)
    assert sorted(archives.iterdir()) == before
    with pytest.raises(
        ValueError,
        match="one task may use 1,000 bytes, but one participant alone takes 351,856,256; allow at least 352 MB",
    ):
        convert(archives, tmp_path / "s.zarr", max_memory=1000, workers=1)
    assert not list(tmp_path.iterdir())


def test_convert__refuses_a_store_that_was_made_otherwise(archives: Path, tmp_path: Path, threads: Client) -> None:
    """Half of a store with fat and water, the other half with fat alone?"""
    store = tmp_path / "s.zarr"
    convert(archives, store, slabs=(2,), client=threads)
    with pytest.raises(StoreError, match=r"was made with slabs \(2,\), asked for \(2, 5\); convert into another place"):
        convert(archives, store, slabs=(5, 2), client=threads)
    with pytest.raises(StoreError, match="was made with contrasts"):
        convert(archives, store, slabs=(2,), contrasts=("fat",), client=threads)
    work = tmp_path / "s.zarr.work"
    work.rename(tmp_path / "kept")
    with pytest.raises(StoreError, match=r"exists, but .*s\.zarr\.work is gone"):
        convert(archives, store, slabs=(2,), client=threads)
    (tmp_path / "kept").rename(work)
    shutil.rmtree(store)
    with pytest.raises(StoreError, match=r"is gone, but .*delete that folder to start anew"):
        convert(archives, store, slabs=(2,), client=threads)


def test_convert__refuses_another_format_version(archives: Path, tmp_path: Path) -> None:
    """A store of the future, and one that isn't ours."""
    root = zarr.create_group(tmp_path / "s.zarr", attributes={"bmx_format": "bmx-slabs", "bmx_format_version": 99})
    with pytest.raises(StoreError, match="has bmx-slabs version 99, expected 1; read it with the bmx that wrote it"):
        convert(archives, tmp_path / "s.zarr")
    root.attrs["bmx_format"] = "photographs"
    with pytest.raises(StoreError, match="is not a bmx-slabs store: its bmx_format is 'photographs'"):
        convert(archives, tmp_path / "s.zarr")


def test_convert__says_where_it_may_not_write(archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, whom no mode stops: the refusal is made up."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StoreError, match=r"cannot write .*Permission denied; choose another place for the store"):
        convert(archives, tmp_path / "s.zarr", workers=1)


def test_convert__any_number_of_participants_per_partition_gives_the_same(
    archives: Path, tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Property: where the borders of partitions lie changes no value; each border is a shard's."""
    trees = []
    for size in (1, 2, 3):
        monkeypatch.setattr(beginning, "choose_size", lambda *_, size=size, **__: size)
        convert(archives, tmp_path / f"{size}.zarr", slabs=(2,), client=threads)
        array = zarr.open_array(tmp_path / f"{size}.zarr/slab_2/fat", mode="r")
        assert (array.shards[0], array.chunks) == (size, (1, 46, 174, 224))
        shards = {path.name for path in (tmp_path / f"{size}.zarr/slab_2/fat").glob("c.*")}
        assert shards == {f"c.{index}.0.0.0" for index in range(-(-3 // size))}
        trees.append(xr.open_datatree(tmp_path / f"{size}.zarr"))
    for other in trees[1:]:
        for path in (
            "slab_2/fat",
            "slab_2/water",
            "slab_2/affine",
            "slab_2/slab_status",
            "series/series_uid",
            "participant",
        ):
            np.testing.assert_array_equal(other[path].to_numpy(), trees[0][path].to_numpy())


@pytest.mark.slow
def test_convert__equals_an_undisturbed_run_after_a_worker_was_killed(tmp_path: Path) -> None:
    """SIGKILL in the middle of a real process's work: the call completes, every byte is as if nothing had happened."""
    folder = tmp_path / "dixon"
    for eid in range(1, 9):
        make_exam(folder, eid, slabs=(2, 5))
    convert(folder, tmp_path / "calm.zarr", slabs=(2, 5), workers=2)
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
        ) as cluster,
        Client(cluster) as client,
    ):
        victim = next(iter(client.run(os.getpid).values()))
        killer = threading.Thread(target=_kill_during_work, args=(victim, tmp_path / "hit.zarr"))
        killer.start()
        report = convert(folder, tmp_path / "hit.zarr", slabs=(2, 5), client=client)
        killer.join()
        assert victim not in client.run(os.getpid).values()
    assert report.done == 8
    assert contents(tmp_path / "hit.zarr") == contents(tmp_path / "calm.zarr")


def _kill_during_work(pid: int, store: Path) -> None:
    """Wait until the first shard is there, then kill."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(store.glob("slab_2/*/c.*")):
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
