from __future__ import annotations

import logging
from pathlib import Path

import pytest

from bmx.errors import SourceError
from bmx.sources.find import Layout, exam_bytes, find_layout, source_of

ZIP, SLAB, EXAM = "1000001_20201_2_0.zip", "1000001_20201_2_0_slab_2_fat.nii.gz", "1000001_20201_2_0"


def place(folder: Path, *names: str) -> str:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return str(folder)


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        ([ZIP], "zip"),
        ([f"10/{ZIP}", "readme.txt"], "zip"),
        ([f"{EXAM}/{ZIP}"], "zip"),
        ([SLAB], "nifti"),
        ([f"{EXAM}/{SLAB}", f"{EXAM}/{EXAM}_spine.nii.gz"], "nifti"),
        ([f"{EXAM}/1.dcm"], "dicom"),
        ([f"10/{EXAM}/series/1"], "dicom"),
        ([f"10/{EXAM}/{ZIP}x"], "dicom"),
    ],
)
def test_find_layout__goes_by_names(tmp_path: Path, names: list[str], layout: str) -> None:
    """Whatever the depth; a folder of one participant may hold any of the three."""
    assert find_layout(place(tmp_path, *names)) == layout


def test_find_layout__says_what_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whose archive is called otherwise would be missing from the study without a word."""
    with caplog.at_level(logging.WARNING, logger="bmx"):
        find_layout(place(tmp_path, ZIP, "sub/1000002_20201_3_0.ZIP"))
        assert not caplog.records
        find_layout(place(tmp_path, "1000003_20201_2_0 (1).zip", "a/notes.txt", "b.md5", "c.md5"))
    assert caplog.messages == [
        f"4 files below {tmp_path} are left out, their names are not those of EID_20201_I_0.zip files "
        "(1000003_20201_2_0 (1).zip, b.md5, c.md5, …)"
    ]


@pytest.mark.parametrize("layout", ["zip", "nifti", "dicom"])
def test_find_layout__follows_links_to_folders(tmp_path: Path, layout: Layout) -> None:
    """And so does the source: both must see the same."""
    name = {"zip": ZIP, "nifti": SLAB, "dicom": f"{EXAM}/series/1"}[layout]
    place(tmp_path / "elsewhere" / "10", name)
    (tmp_path / "dixon").mkdir()
    (tmp_path / "dixon/disk").symlink_to(tmp_path / "elsewhere")
    assert find_layout(str(tmp_path / "dixon")) == layout
    (where,) = source_of(str(tmp_path / "dixon"), layout=layout, instance=2).list_exams().values()
    assert where.startswith(f"{tmp_path}/dixon/disk/10/{EXAM}")


def test_find_layout__of_a_single_exam(tmp_path: Path) -> None:
    """Somebody tries one participant first."""
    place(tmp_path, ZIP, SLAB, f"{EXAM}/1.dcm")
    assert [find_layout(str(tmp_path / name)) for name in (ZIP, SLAB, EXAM)] == ["zip", "nifti", "dicom"]


def test_find_layout__refuses_two_kinds(tmp_path: Path) -> None:
    """The same participant twice, most likely; the message counts and shows what was found."""
    place(tmp_path, "1_20201_2_0.zip", "2_20201_2_0.zip", "2_20201_2_0/a.dcm")
    with pytest.raises(SourceError) as refused:
        find_layout(str(tmp_path))
    assert "1 EID_20201_I_0 folders of DICOM files (2_20201_2_0)" in str(refused.value)
    assert "2 EID_20201_I_0.zip files (1_20201_2_0.zip, 2_20201_2_0.zip)" in str(refused.value)
    assert str(refused.value).endswith("give the folder that holds one kind")


def test_find_layout__shows_what_is_there_if_it_knows_none_of_it(tmp_path: Path) -> None:
    """The wrong folder: its names tell which one it is."""
    place(tmp_path, "a.txt", "b/c.nii.gz", "1_20201_2_0_spine.nii.gz", "1_20209_2_0.zip")
    with pytest.raises(SourceError, match=r"found none among 4 files \(1_20201_2_0_spine\.nii\.gz, 1_20209_2_0\.zip"):
        find_layout(str(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"expected EID_20201_I_0\.zip files, or .* found none; check the folder"):
        find_layout(str(tmp_path / "empty"))
    with pytest.raises(SourceError, match=r"there is nothing at .*nowhere; expected a folder of EID_20201_I_0\.zip"):
        find_layout(str(tmp_path / "nowhere"))


def test_find_layout__sees_what_was_added_since(tmp_path: Path) -> None:
    """A process that lives long must not go by what it saw first."""
    place(tmp_path, ZIP)
    assert find_layout(str(tmp_path)) == "zip"
    place(tmp_path, SLAB)
    with pytest.raises(SourceError, match="exams of one kind"):
        find_layout(str(tmp_path))


def test_source_of__keeps_to_the_visit() -> None:
    """What the plan of a conversion says is what its tasks read."""
    for layout in ("zip", "nifti", "dicom"):
        assert source_of("somewhere", layout=layout, instance=3).instance == 3  # type: ignore[attr-defined]


def test_exam_bytes__of_each_layout(tmp_path: Path) -> None:
    """What a forecast of a conversion begins with."""
    for name, size in ((f"zip/{ZIP}", 10), (f"dicom/{EXAM}/1/a", 20), (f"dicom/{EXAM}/b", 30), (f"nifti/{SLAB}", 40)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    (tmp_path / "nifti" / SLAB.replace("fat", "water")).write_bytes(bytes(5))
    (tmp_path / "nifti" / SLAB.replace("1000001", "1000002")).write_bytes(bytes(999))
    found = {}
    for layout in ("zip", "dicom", "nifti"):
        (where, *_) = source_of(str(tmp_path / layout), layout=layout, instance=2).list_exams().values()
        found[layout] = exam_bytes(where)
    assert found == {"zip": 10, "dicom": 50, "nifti": 45}
    assert exam_bytes(str(tmp_path / "gone" / EXAM)) == 0
