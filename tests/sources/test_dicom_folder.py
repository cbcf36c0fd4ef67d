from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from bmx.errors import SourceError
from bmx.simulation.dicom_files import SeriesFiles
from bmx.simulation.exams import plan_exam
from bmx.sources.dicom_folder import DicomFolders, FolderExam
from bmx.sources.find import Layout
from bmx.sources.ukb_zip import ZipExam
from bmx.types import Affine
from tests.exams import clean_exam, make_exam, members
from tests.sources.source_tests import Images, SourceTests, seed


class TestDicomFolders(SourceTests):
    layout: ClassVar[Layout] = "dicom"

    def write(self, folder: Path, eid: int, made: Images, affines: dict[int, Affine], *, instance: int) -> None:
        exam = plan_exam(made, affines, seed=seed(eid, instance))
        target = folder / f"{eid}_20201_{instance}_0"
        listed = ["filename"]
        for series in exam.series:
            files = SeriesFiles(series, exam.seed)
            for z in range(len(series.volume)):
                path = target / str(series.number) / files.name(z)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(files.encode(z))
                listed.append(path.name)
        (target / "manifest.cvs").write_text("\n".join(listed))


def unpack(archive: Path, folder: Path, *, subfolders: int = 1) -> Path:
    """Write the files of a zip below a folder."""
    for i, (name, data) in enumerate(members(archive).items()):
        target = folder / str(i % subfolders) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


def test_folder_exam__reads_what_the_zip_of_the_same_files_holds(tmp_path: Path) -> None:
    """Someone unpacked the archive, into subfolders."""
    path = make_exam(tmp_path / "zips", 1000001, contrasts=["fat"])
    with FolderExam(unpack(path, tmp_path / "files", subfolders=3)) as folder, ZipExam(str(path)) as archive:
        unpacked = {Path(header.where).name: header for header in folder.headers}
        assert set(unpacked) == {header.where for header in archive.headers}
        for header in archive.headers[:3]:
            np.testing.assert_array_equal(folder.pixels(unpacked[header.where]), archive.pixels(header))
        assert folder.digest() == FolderExam(tmp_path / "files").digest()
        assert folder.irregularities == archive.irregularities == []


def test_folder_exam__says_what_is_of_no_use(tmp_path: Path) -> None:
    """A report, an empty file and a damaged one lie among the images; a manifest is expected there."""
    folder = unpack(make_exam(tmp_path / "zips", 1000001, contrasts=["fat"]), tmp_path / "files")
    for name, content in (("report.txt", b"all is well"), ("empty.dcm", b""), ("cut.dcm", bytes(128) + b"DICM\x08")):
        (folder / name).write_bytes(content)
    with FolderExam(folder) as exam:
        assert set(exam.rejected) == {"report.txt", "empty.dcm", "cut.dcm"}
        assert all(exam.rejected.values())
        assert len(exam.headers) == 44
        assert exam.irregularities == []
    (folder / "0" / "manifest.csv").unlink()
    assert FolderExam(folder).irregularities == ["manifest_missing"]


def test_folder_exam__reads_a_header_that_is_longer_than_the_first_bytes(tmp_path: Path) -> None:
    """Scanners put private elements of many kilobytes before the pixels."""
    series = clean_exam(contrasts=["fat"]).series[0]
    whole = SeriesFiles(series, 0).encode(0)
    border = whole.index(b"\x28\x00\x02\x00US")
    private = b"\x21\x00\x10\x00LO\x04\x00bmx " + b"\x21\x00\x01\x10OB\x00\x00" + (20_000).to_bytes(4, "little")
    (tmp_path / "long.dcm").write_bytes(whole[:border] + private + bytes(20_000) + whole[border:])
    with FolderExam(tmp_path) as exam:
        np.testing.assert_array_equal(exam.pixels(exam.headers[0]), series.volume[0])


def test_folder_exam__refuses_a_folder_without_images(tmp_path: Path) -> None:
    """The wrong folder."""
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(SourceError, match=r"expected DICOM images below .*, found none among 1 files"):
        FolderExam(tmp_path)


def test_list_exams__looks_at_names_of_folders_only(tmp_path: Path) -> None:
    """At any depth; what lies inside an exam is not another one, and other folders are none."""
    for name in ("10/1000001_20201_2_0/9999999_20201_2_0", "deep/er/1000002_20201_2_0", "1000003_20209_2_0", "notes"):
        (tmp_path / name).mkdir(parents=True)
    found = DicomFolders(str(tmp_path)).list_exams()
    assert found == {
        1000001: f"{tmp_path}/10/1000001_20201_2_0",
        1000002: f"{tmp_path}/deep/er/1000002_20201_2_0",
    }
    assert DicomFolders(found[1000002]).list_exams() == {1000002: found[1000002]}


def test_list_exams__says_what_is_wrong(tmp_path: Path) -> None:
    """A participant twice, and a visit that isn't there."""
    for name in ("a/1000001_20201_2_0", "b/1000001_20201_2_0"):
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(SourceError, match=r"participant 1000001 has two exams of instance 2: .*a/1.* and .*b/1.*keep"):
        DicomFolders(str(tmp_path)).list_exams()
    with pytest.raises(SourceError, match=r"folders of DICOM files called EID_20201_3_0 .* \(2 of other instances\)"):
        DicomFolders(str(tmp_path), instance=3).list_exams()
