from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zarr
from distributed import Client

from bmx.errors import SourceError
from bmx.ingest.conversion import convert
from bmx.ingest.masks import read_masks
from bmx.store.exporting import export
from bmx.store.reading import open_store
from tests.exams import affine, images, make_exam, members
from tests.nifti import write_nifti
from tests.s3 import files, objects, serve_s3, upload

EIDS = (1000001, 1000002, 1000003)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Archives of three participants in a bucket, `dixon/`."""
    folder = tmp_path_factory.mktemp("s3")
    for eid in EIDS:
        make_exam(folder, eid, contrasts=["fat"])
    with serve_s3() as url:
        upload(folder, f"{url}/dixon")
        yield url


@pytest.fixture(scope="module")
def store(bucket: str, threads: Client) -> str:
    """The three of them, converted from the bucket into the bucket."""
    to_store(f"{bucket}/dixon", f"{bucket}/slabs.zarr", threads)
    return f"{bucket}/slabs.zarr"


def to_store(source: str, store: str, client: Client) -> int:
    return convert(source, store, slabs=(2,), contrasts=("fat",), client=client).done


def without_history(store: str) -> dict[str, bytes]:
    history = str(zarr.open_group(store, mode="r").attrs["history"]).encode()
    return {name: content.replace(history, b"") for name, content in objects(store).items()}


def assert_images(store: str) -> None:
    fat = open_store(store)["slab_2/fat"]
    for eid in EIDS:
        np.testing.assert_array_equal(fat.sel(participant=eid).to_numpy()[:44], images(2, seed=eid)["fat"])


def test_convert__from_bucket_to_bucket(store: str) -> None:
    """No option of bmx says where the server is or who we are: the environment does."""
    slabs = open_store(store)
    assert slabs["participant"].to_numpy().tolist() == list(EIDS)
    assert slabs["slab_2/slab_status"].to_numpy().tolist() == [1, 1, 1]
    np.testing.assert_allclose(slabs["slab_2/affine"][0], affine(2), atol=1e-6)
    assert_images(store)


def test_convert__equals_a_store_on_disk(store: str, tmp_path: Path, threads: Client) -> None:
    """Object by file, byte by byte: a store may be copied from one to the other."""
    for eid in EIDS:
        make_exam(tmp_path / "dixon", eid, contrasts=["fat"])
    to_store(str(tmp_path / "dixon"), str(tmp_path / "slabs.zarr"), threads)
    history = str(zarr.open_group(tmp_path / "slabs.zarr", mode="r").attrs["history"]).encode()
    local = {
        str(path.relative_to(tmp_path / "slabs.zarr")): path.read_bytes().replace(history, b"")
        for path in (tmp_path / "slabs.zarr").rglob("*")
        if path.is_file()
    }
    assert without_history(store) == local


def test_convert__a_second_call_does_nothing(bucket: str, store: str, threads: Client) -> None:
    """Not a single object is written again."""
    before = objects(store) | objects(f"{store}.work")
    assert to_store(f"{bucket}/dixon", store, threads) == 0
    assert objects(store) | objects(f"{store}.work") == before


@pytest.mark.parametrize("lost", [0, 2])
def test_convert__redoes_a_partition_that_was_lost(bucket: str, store: str, threads: Client, lost: int) -> None:
    """Its marker and its shard are gone; afterwards all is as before."""
    before = without_history(store)
    files().rm(f"{store}.work/done/00000{lost}")
    files().rm(f"{store}/slab_2/fat/c.{lost}.0.0.0")
    assert to_store(f"{bucket}/dixon", store, threads) == 1
    assert without_history(store) == before


def test_convert__grows(bucket: str, threads: Client, tmp_path: Path) -> None:
    """An archive that arrives later goes to the end."""
    source, store = f"{bucket}/growing/dixon", f"{bucket}/growing/slabs.zarr"
    upload(make_exam(tmp_path / "first", EIDS[1], contrasts=["fat"]).parent, source)
    assert to_store(source, store, threads) == 1
    upload(make_exam(tmp_path / "then", EIDS[0], contrasts=["fat"]).parent, source)
    assert to_store(source, store, threads) == 1
    slabs = open_store(store)
    assert slabs["participant"].to_numpy().tolist() == [EIDS[1], EIDS[0]]
    np.testing.assert_array_equal(slabs["slab_2/fat"][1].to_numpy()[:44], images(2, seed=EIDS[0])["fat"])


def test_convert__of_dicom_folders_in_a_bucket(bucket: str, threads: Client, tmp_path: Path) -> None:
    """Unpacked archives; the same images as from the zips."""
    for eid in EIDS:
        folder = tmp_path / "unpacked" / f"{eid}_20201_2_0"
        folder.mkdir(parents=True)
        for name, content in members(make_exam(tmp_path / "zips", eid, contrasts=["fat"])).items():
            (folder / name).write_bytes(content)
    upload(tmp_path / "unpacked", f"{bucket}/unpacked")
    assert to_store(f"{bucket}/unpacked", f"{bucket}/from_dicom.zarr", threads) == 3
    assert_images(f"{bucket}/from_dicom.zarr")


def test_convert__of_what_export_wrote_gives_the_same_store(bucket: str, store: str, threads: Client) -> None:
    """From a store to NIfTI in the bucket and back: voxels exactly, affines as precisely as NIfTI holds them."""
    for eid in EIDS:
        export(store, eid, f"{bucket}/nifti/{eid}")
    assert to_store(f"{bucket}/nifti", f"{bucket}/from_nifti.zarr", threads) == 3
    found, expected = open_store(f"{bucket}/from_nifti.zarr"), open_store(store)
    assert found.attrs["simulated"] is True
    for name in ("fat", "native_slices", "slab_status", "slab_flags", "slab_reason"):
        np.testing.assert_array_equal(found[f"slab_2/{name}"], expected[f"slab_2/{name}"], err_msg=name)
    np.testing.assert_allclose(found["slab_2/affine"], expected["slab_2/affine"], atol=1e-3)


def test_read_masks__from_a_bucket(bucket: str, store: str, tmp_path: Path) -> None:
    """Masks may lie beside the store."""
    mask = np.zeros((44, 174, 224), np.uint8)
    mask[10:20, 60:90, 100:130] = 1
    write_nifti(tmp_path / "drawn" / f"{EIDS[1]}_20201_2_0_spine.nii.gz", mask, affine(2), axes="RAS")
    upload(tmp_path / "drawn", f"{bucket}/drawn")
    found = read_masks(f"{bucket}/drawn", open_store(store))["slab_2/mask"]
    np.testing.assert_array_equal(found.sel(participant=EIDS[1], region="spine").to_numpy()[:44], mask)


def test_convert__says_that_a_place_is_empty(bucket: str, threads: Client) -> None:
    """A slip in the name of a bucket or folder."""
    for url in (f"{bucket}/dixson", "s3://nobodys/dixon"):
        with pytest.raises(SourceError, match=f"there is nothing at {url}; expected a folder of"):
            to_store(url, f"{bucket}/nothing.zarr", threads)


@pytest.mark.slow
def test_convert__goes_on_after_it_was_killed(bucket: str, threads: Client, tmp_path: Path) -> None:
    """kill -9 for the process and all its workers half way; the second call finishes, as if nothing had happened."""
    source, calm, hit = f"{bucket}/many", f"{bucket}/calm.zarr", f"{bucket}/hit.zarr"
    for eid in range(1, 13):
        make_exam(tmp_path / "many", eid, contrasts=["fat"])
    upload(tmp_path / "many", source)
    assert to_store(source, calm, threads) == 12
    script = f"""
from bmx.ingest.conversion import convert
if __name__ == "__main__":
    print(convert({source!r}, {hit!r}, slabs=(2,), contrasts=("fat",), workers=2).done)
"""
    path = tmp_path / "script.py"
    path.write_text(script)
    victim = subprocess.Popen([sys.executable, path], start_new_session=True, cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not markers(hit):
        time.sleep(0.02)
    os.killpg(victim.pid, signal.SIGKILL)
    victim.wait()
    done = len(markers(hit))
    assert 0 < done < 12
    again = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, check=True, timeout=300, cwd=Path(__file__).parents[2]
    )
    assert int(again.stdout) == 12 - done
    assert without_history(hit) == without_history(calm)


def markers(store: str) -> list[str]:
    files().invalidate_cache()
    found: list[str] = files().find(f"{store}.work/done")
    return found
