from __future__ import annotations

from pathlib import Path

import pytest
from distributed import Client

from bmx.acquisition import CONTRASTS
from bmx.errors import SourceError
from bmx.ingest.conversion import convert
from bmx.ingest.inspection import inspect
from tests.exams import edit, make_exam, members, write_members

REAL = Path(__file__).parents[2] / "../shared/data/abdomen_dual_echo_dicom"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real images lie beside the repository, not in it")
def test_inspect__tells_two_echoes_of_a_real_series_apart() -> None:
    """Both echoes share one SeriesInstanceUID, the description is blank, the image type names no contrast."""
    table = inspect(REAL)
    assert table["uid"].nunique() == 1
    assert table.set_index("echo_time")["contrast"].to_dict() == {2.302: "opposed_phase", 4.635: "in_phase"}
    assert table["slices"].tolist() == [35, 35]
    assert table["spacing"].tolist() == [5.5, 5.5]
    assert not table["used"].any()
    assert table["reason"][0].startswith("no slab of the protocol has 256 × 256 × 35 voxels")


@pytest.mark.skipif(not REAL.is_dir(), reason="the real images lie beside the repository, not in it")
@pytest.mark.parametrize(("folder", "contrast"), [("inphase", "in_phase"), ("outphase", "opposed_phase")])
def test_inspect__agrees_with_who_sorted_the_real_images(folder: str, contrast: str) -> None:
    """The makers of the data put each echo into a folder that says what it is."""
    assert inspect(REAL / folder)["contrast"].tolist() == [contrast]


def test_inspect__shows_a_zip_and_a_folder_alike(tmp_path: Path) -> None:
    """Unpacked or not, the same series."""
    path = make_exam(tmp_path / "zips", 1000001, slabs=(2, 5), contrasts=tuple(CONTRASTS))
    folder = tmp_path / "files"
    folder.mkdir()
    for name, data in members(path).items():
        (folder / name).write_bytes(data)
    table = inspect(path)
    assert table.equals(inspect(folder))
    assert table["slab"].tolist() == [2] * 4 + [5] * 4
    assert table["contrast"].tolist() == list(CONTRASTS) * 2
    assert table["image_type"][2] == "DERIVED\\PRIMARY\\DIXON\\FAT"
    assert table["used"].all()
    assert (table["z_high"] - table["z_low"]).tolist() == pytest.approx([43 * 4.5] * 4 + [71 * 3.5] * 4, abs=0.11)


def test_inspect__shows_one_participant_of_a_store(tmp_path: Path, threads: Client) -> None:
    """The provenance that convert kept."""
    for eid in (1, 2):
        make_exam(tmp_path / "dixon", eid, contrasts=["fat"])
    store = tmp_path / "s.zarr"
    convert(tmp_path / "dixon", store, slabs=(2,), contrasts=("fat",), client=threads)
    assert inspect(store)["participant"].tolist() == [1, 2]
    (row,) = inspect(store, eid=2).to_dict("records")
    assert (row["participant"], row["slab"], row["contrast"], row["used"]) == (2, 2, "fat", True)
    with pytest.raises(SourceError, match="participant 3 is not in"):
        inspect(store, eid=3)


def test_inspect__says_what_is_wrong(tmp_path: Path) -> None:
    """Three wrong places."""
    with pytest.raises(SourceError, match=r"nothing at .*; expected a zip, a folder of DICOM files, or a store"):
        inspect(tmp_path / "nowhere")
    (tmp_path / "a.zip").write_bytes(b"not a zip")
    with pytest.raises(SourceError, match="expected a zip archive, found 9 bytes"):
        inspect(tmp_path / "a.zip")
    with pytest.raises(SourceError, match="expected DICOM images below"):
        inspect(tmp_path)


def test_inspect__accounts_for_files_that_are_no_images(tmp_path: Path) -> None:
    """A row for each kind of reason, and no series of the exam is lost."""
    path = make_exam(tmp_path, 1, contrasts=["fat"])
    content = members(path)
    write_members(path, {**content, "a.dcm": b"", "b.dcm": b"", "notes.txt": b"he moved"})
    table = inspect(path)
    rows = table[table["slices"] == 0]
    assert table["used"].sum() == 1
    assert (rows["slab"] == 0).all()
    assert not rows["used"].any()
    assert any(reason.startswith("2 files are no images, such as a.dcm: ") for reason in rows["reason"])
    assert any(reason.startswith("notes.txt is no image: ") for reason in rows["reason"])


def test_inspect__says_what_each_slab_amounts_to(tmp_path: Path, threads: Client) -> None:
    """Of a zip by its four images, of a store by those that it keeps."""
    path = make_exam(tmp_path / "dixon", 1, slabs=(5,), contrasts=["fat", "water"])
    edit(path, lambda image: None if image.InstanceNumber == 7 else image)
    assert inspect(path).attrs["slabs"][5] == (
        "incomplete, missing_slices: no in_phase and no opposed_phase image; fat lacks 1 of 72 slices; "
        "water lacks 1 of 72 slices"
    )
    assert inspect(path).attrs["slabs"][6] == "absent"
    convert(tmp_path / "dixon", tmp_path / "s.zarr", slabs=(5,), client=threads)
    assert inspect(tmp_path / "s.zarr", eid=1).attrs["slabs"] == {
        5: "incomplete, missing_slices, manifest_mismatch: fat lacks 1 of 72 slices; water lacks 1 of 72 slices"
    }
