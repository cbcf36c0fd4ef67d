from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import fsspec
import numpy as np
import pytest

from bmx.errors import SourceError
from bmx.sources.ukb_zip import UkbZips, ZipExam
from tests.exams import images, make_exam, members, write_members


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_exam(tmp_path_factory.mktemp("archive"), 1000001, contrasts=["fat"])


def copy(archive: Path, to: Path) -> Path:
    to.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(archive, to))


def test_list_exams__finds_participants_by_file_name_in_subfolders(tmp_path: Path) -> None:
    """The Research Analysis Platform has a folder for each two digits, and spaces in its paths."""
    for name in (
        "10/1000002_20201_2_0.zip",
        "10/1000001_20201_2_0.zip",
        "99/9900003_20201_3_0.zip",
        "1000009_20209_2_0.zip",
    ):
        path = tmp_path / "Whole Body MRI" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    first = UkbZips(str(tmp_path), instance=2).list_exams()
    assert list(first) == [1000001, 1000002]
    assert first[1000001] == str(tmp_path / "Whole Body MRI/10/1000001_20201_2_0.zip")
    assert list(UkbZips(str(tmp_path), instance=3).list_exams()) == [9900003]
    assert list(UkbZips(first[1000002]).list_exams()) == [1000002]


def test_list_exams__says_what_is_wrong(tmp_path: Path) -> None:
    """What people do on their first day."""
    with pytest.raises(SourceError, match=r"there is nothing at .*nowhere; expected a folder of EID_20201_I_0\.zip"):
        UkbZips(str(tmp_path / "nowhere")).list_exams()
    with pytest.raises(SourceError, match=r"expected zips called EID_20201_2_0\.zip below .*, found none; check"):
        UkbZips(str(tmp_path)).list_exams()
    (tmp_path / "1000001_20201_3_0.zip").touch()
    with pytest.raises(SourceError, match=r"found none \(1 of other instances\)"):
        UkbZips(str(tmp_path), instance=2).list_exams()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SourceError, match=r"notes\.txt is a file that isn't called EID_20201_I_0\.zip"):
        UkbZips(str(tmp_path / "notes.txt")).list_exams()


def test_list_exams__takes_an_ending_in_capitals(tmp_path: Path) -> None:
    """Some programs and disks write names so."""
    for name in ("1000001_20201_2_0.ZIP", "1000002_20201_2_0.Zip"):
        (tmp_path / name).touch()
    assert list(UkbZips(str(tmp_path)).list_exams()) == [1000001, 1000002]


def test_list_exams__refuses_a_participant_twice(tmp_path: Path) -> None:
    """Which one is meant is not ours to guess."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1000001_20201_2_0.zip").touch()
    with pytest.raises(SourceError, match=r"participant 1000001 has two exams of instance 2: .*a/.* and .*b/"):
        UkbZips(str(tmp_path)).list_exams()


def test_zip_exam__reads_every_image(archive: Path) -> None:
    """All headers, all pixels, nothing else."""
    with ZipExam(str(archive)) as exam:
        assert len(exam.headers) == 44
        assert exam.irregularities == []
        lowest = min(exam.headers, key=lambda header: header.position[2])
        np.testing.assert_array_equal(exam.pixels(lowest), images(2, seed=1000001)["fat"][0])


def test_zip_exam__reads_through_a_url(archive: Path) -> None:
    """The same archive in an object store."""
    url = "memory://bucket/1000001_20201_2_0.zip"
    fsspec.filesystem("memory").pipe_file(url, archive.read_bytes())
    assert UkbZips("memory://bucket").list_exams() == {1000001: "memory:///bucket/1000001_20201_2_0.zip"}
    with ZipExam(url) as remote, ZipExam(str(archive)) as local:
        assert remote.headers == local.headers
        assert remote.digest() == local.digest()


@pytest.mark.parametrize("content", [b"", b"this is no zip", b"PK\x03\x04 cut short"])
def test_zip_exam__says_that_a_file_is_no_zip(tmp_path: Path, content: bytes) -> None:
    """Downloads break; the participant gets this as the reason."""
    path = tmp_path / "1000001_20201_2_0.zip"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=f"expected a zip archive, found {len(content)} bytes that aren't one"):
        ZipExam(str(path))


def test_zip_exam__counts_a_truncated_archive_as_no_zip(archive: Path, tmp_path: Path) -> None:
    """The list of members is at the end of a zip; without it nothing can be trusted."""
    path = tmp_path / archive.name
    path.write_bytes(archive.read_bytes()[:-1000])
    with pytest.raises(SourceError, match="aren't one"):
        ZipExam(str(path))


def test_zip_exam__skips_a_damaged_member(archive: Path, tmp_path: Path) -> None:
    """A broken header is a missing slice; broken pixels are an error where they are read."""
    path = copy(archive, tmp_path / archive.name)
    with zipfile.ZipFile(path) as zipped:
        info = next(one for one in zipped.infolist() if one.filename.endswith(".dcm"))
    data = bytearray(path.read_bytes())
    start = info.header_offset + 30 + len(info.filename)
    data[start : start + 8] = b"\xff" * 8
    end = start + info.compress_size
    path.write_bytes(data)
    with ZipExam(str(path)) as exam:
        assert len(exam.headers) == 43
        assert exam.irregularities == ["manifest_mismatch"]
        assert list(exam.rejected) == [info.filename]
        assert "in the archive is damaged" in exam.rejected[info.filename]

    data = bytearray(archive.read_bytes())
    data[end - 40 : end - 20] = bytes(20)
    path.write_bytes(data)
    with ZipExam(str(path)) as exam:
        broken = next(header for header in exam.headers if header.where == info.filename)
        with pytest.raises(SourceError, match=r"\.dcm in the archive is damaged"):
            exam.pixels(broken)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda content: content.pop("manifest.csv"), ["manifest_missing"]),
        (lambda content: content.update({"manifest.cvs": content.pop("manifest.csv")}), []),
        (lambda content: content.update({"manifest.cvs": content["manifest.csv"]}), []),
        (lambda content: content.update({"manifest.csv": b"filename\nother.dcm\n"}), ["manifest_mismatch"]),
    ],
    ids=["missing", "misspelt", "doubled", "wrong"],
)
def test_zip_exam__reports_the_manifest_but_needs_none(
    archive: Path, tmp_path: Path, change: object, expected: list[str]
) -> None:
    """The manifest may be missing, doubled, misspelt or wrong; the headers say it all."""
    content = members(archive)
    change(content)
    path = tmp_path / archive.name
    write_members(path, content)
    with ZipExam(str(path)) as exam:
        assert exam.irregularities == expected
        assert len(exam.headers) == 44


def test_digest__tells_archives_apart(archive: Path, tmp_path: Path) -> None:
    """Who finds a value odd must be able to say which bytes it came from."""
    other = make_exam(tmp_path, 1000002, contrasts=["fat"])
    with ZipExam(str(archive)) as one, ZipExam(str(other)) as two:
        assert one.digest() != two.digest()
        assert len(one.digest()) == 64
