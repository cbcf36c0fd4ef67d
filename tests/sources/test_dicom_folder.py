from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bmx.errors import SourceError
from bmx.sources.dicom_folder import FolderExam
from bmx.sources.ukb_zip import ZipExam
from tests.exams import make_exam, members


def test_folder_exam__reads_what_the_zip_of_the_same_files_holds(tmp_path: Path) -> None:
    """Someone unpacked the archive, into subfolders."""
    path = make_exam(tmp_path / "zips", 1000001, contrasts=["fat"])
    for i, (name, data) in enumerate(members(path).items()):
        target = tmp_path / "files" / str(i % 3) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    with FolderExam(tmp_path / "files") as folder, ZipExam(str(path)) as archive:
        unpacked = {Path(header.where).name: header for header in folder.headers}
        assert set(unpacked) == {header.where for header in archive.headers}
        for header in archive.headers[:3]:
            np.testing.assert_array_equal(folder.pixels(unpacked[header.where]), archive.pixels(header))
        assert len(folder.digest()) == 32


def test_folder_exam__says_that_there_is_nothing_to_read(tmp_path: Path) -> None:
    """A folder of notes, or the wrong folder."""
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(SourceError, match=r"expected DICOM images below .*, found none among 1 files"):
        FolderExam(tmp_path)
