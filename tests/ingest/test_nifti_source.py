"""A folder of NIfTI files on its way through `convert`: what is refused is data, the others go on."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from distributed import Client
from pydicom.dataset import Dataset

from bmx.acquisition import CONTRASTS
from bmx.ingest.conversion import convert
from bmx.store.exporting import export
from bmx.store.reading import open_store
from bmx.variables import SLAB_FLAGS, SLAB_STATUS
from tests.exams import affine, edit, images, make_exam
from tests.nifti import write_nifti

PAIR = ("fat", "water")
STATUS = {value: name for name, value in SLAB_STATUS.items()}


def write(folder: Path, eid: int, slab: int, *, at: int | None = None, low: int = 0) -> None:
    """Fat and water of one slab; `at`: with the grid and place of another, `low`: taken off every value."""
    place = slab if at is None else at
    for contrast, volume in images(place, seed=eid, contrasts=PAIR).items():
        values = volume.astype(np.int32) - low
        write_nifti(folder / f"{eid}_20201_2_0_slab_{slab}_{contrast}.nii.gz", values, affine(place), axes="RAS")


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory, threads: Client) -> xr.DataTree:
    """1 is fine, 2 has slab 5 under the name of slab 2, 3 negative values in slab 2, 4 only files of no use."""
    folder = tmp_path_factory.mktemp("nifti")
    for eid in (1, 2, 3):
        write(folder / "in", eid, 5)
    write(folder / "in", 1, 2)
    write(folder / "in", 2, 2, at=5)
    write(folder / "in", 3, 2, low=200)
    (folder / "in" / "4_20201_2_0_slab_2_fat.nii.gz").write_bytes(b"nothing")
    convert(folder / "in", folder / "s.zarr", slabs=(2, 5), contrasts=PAIR, client=threads)
    return open_store(folder / "s.zarr")


def test_convert__takes_what_is_fine(converted: xr.DataTree) -> None:
    """Exact voxels whatever the axes; the other slab of somebody with a bad one, too."""
    assert converted["participant"].to_numpy().tolist() == [1, 2, 3, 4]
    assert [STATUS[value] for value in converted["slab_5/slab_status"].to_numpy()] == ["complete"] * 3 + ["unreadable"]
    for contrast in PAIR:
        for row, eid in enumerate((1, 2, 3)):
            found = converted[f"slab_5/{contrast}"][row].to_numpy()[:72]
            np.testing.assert_array_equal(found, images(5, seed=eid)[contrast])
        np.testing.assert_array_equal(converted[f"slab_2/{contrast}"][0].to_numpy()[:44], images(2, seed=1)[contrast])


def test_convert__refuses_with_the_difference(converted: xr.DataTree) -> None:
    """Status, reason, no voxel and no affine."""
    slab = converted["slab_2"]
    expected = ["complete", "unreadable", "unreadable", "unreadable"]
    assert [STATUS[value] for value in slab["slab_status"].to_numpy()] == expected
    reasons = slab["slab_reason"].to_numpy()
    assert reasons[0] == ""
    assert (
        "its name says slab 2, expected 174 × 224 × 44 voxels with slices every 4.5 mm; found 162 × 224" in reasons[1]
    )
    assert "a magnitude image can't be negative, found -" in reasons[2]
    assert "expected a NIfTI file, found 7 bytes" in reasons[3]
    assert not slab["fat"][1:].any()
    assert np.isnan(slab["affine"][1:]).all()


def test_convert__accounts_for_every_file(converted: xr.DataTree) -> None:
    """Used, refused or damaged: each participant has lines that say what became of the files."""
    series = converted["series"].to_dataset(inherit=False).to_dataframe()
    used = series[series["series_used"]].groupby("series_participant").size()
    assert used.to_dict() == {1: 4, 2: 2, 3: 4}  # values are looked at later than names and grids
    refused = series[series["series_participant"] == 2]["series_reason"]
    assert refused.str.contains("its name says slab 2").sum() >= 1
    assert series[series["series_participant"] == 4]["series_reason"].str.contains("expected a NIfTI file").all()


def test_convert__of_an_incomplete_exam_and_back(tmp_path: Path, threads: Client) -> None:
    """From zips to a store, to NIfTI, to a store: six slabs, four contrasts, one slab with fewer slices."""

    def cut(image: Dataset) -> Dataset | None:
        return None if image.SeriesNumber in (17, 18, 19, 20) and image.InstanceNumber > 70 else image

    edit(make_exam(tmp_path / "dixon", 1000001, slabs=(2, 5), contrasts=tuple(CONTRASTS)), cut)
    stores = []
    for source, store in (("dixon", "first.zarr"), ("nifti", "again.zarr")):
        convert(tmp_path / source, tmp_path / store, slabs=(2, 5), contrasts=tuple(CONTRASTS), client=threads)
        stores.append(open_store(tmp_path / store))
        if source == "dixon":
            export(tmp_path / store, 1000001, tmp_path / "nifti")
    first, again = stores
    assert first["slab_5/slab_reason"].to_numpy().tolist() == ["70 of 72 slices"]
    for slab in ("slab_2", "slab_5"):
        for name in (*CONTRASTS, "native_slices", "slab_status", "slab_reason", "physics_residual"):
            np.testing.assert_array_equal(again[f"{slab}/{name}"], first[f"{slab}/{name}"], err_msg=name)
        np.testing.assert_allclose(again[f"{slab}/affine"], first[f"{slab}/affine"], atol=1e-3)


def test_convert__of_what_is_missing_and_back(
    tmp_path: Path, threads: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """One without a water image, one without a slice of fat: neither is complete after the way through NIfTI."""

    def lose(image: Dataset) -> Dataset | None:
        return None if image.SeriesDescription.endswith("_F") and image.InstanceNumber == 7 else image

    make_exam(tmp_path / "dixon", 1000001, contrasts=["fat"])
    edit(make_exam(tmp_path / "dixon", 1000002), lose)
    first, again = tmp_path / "first.zarr", tmp_path / "again.zarr"
    convert(tmp_path / "dixon", first, slabs=(2,), contrasts=PAIR, client=threads)
    with caplog.at_level(logging.INFO, logger="bmx.store.exporting"):
        written = [path for eid in (1000001, 1000002) for path in export(first, eid, tmp_path / "nifti")]
    assert [Path(path).name[:-7] for path in written] == [
        "1000001_20201_2_0_slab_2_fat", "1000002_20201_2_0_slab_2_fat", "1000002_20201_2_0_slab_2_water",
    ]  # fmt: skip
    assert "participant 1000001 has no water of slab_2, it is 0 throughout: no water image" in caplog.text
    convert(tmp_path / "nifti", again, slabs=(2,), contrasts=PAIR, client=threads)
    before, after = open_store(first)["slab_2"], open_store(again)["slab_2"]
    for name in ("fat", "water", "native_slices", "slab_status"):
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    assert before["slab_reason"].to_numpy().tolist() == ["no water image", "fat lacks 1 of 44 slices"]
    lost, damaged = after["slab_reason"].to_numpy().tolist()
    assert lost == "no water image"
    assert damaged.startswith("fat has 1 of 44 slices that can't be read: 1000002_20201_2_0_slab_2_fat.nii.gz: slice ")
    assert (after["slab_flags"] & SLAB_FLAGS["missing_slices"]).astype(bool).to_numpy().tolist() == [False, True]
