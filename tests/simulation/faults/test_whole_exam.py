"""Each fault of a whole zip, seen in the written files by pydicom alone."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest

from bmx.simulation.exam_zips import write_exam
from bmx.simulation.exams import Exam
from bmx.simulation.faults import foreign, whole_exam, zip_files
from bmx.simulation.faults.base import Fault, FaultKind
from tests.exams import clean_exam, images, make_exam, members, read_with_pydicom_alone

CLEAN = {"5 Dixon_BH_17s_in", "6 Dixon_BH_17s_opp", "7 Dixon_BH_17s_F", "8 Dixon_BH_17s_W"}


@pytest.fixture(scope="module")
def exam() -> Exam:
    """Slab 2 alone, all four images."""
    return clean_exam((2,))


def write(exam: Exam, folder: Path) -> Path:
    path = folder / "1000001_20201_2_0.zip"
    write_exam(path, exam)
    return path


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_shifted_series_numbers__begin_late(exam: Exam, tmp_path: Path) -> None:
    """Whoever computes the slab from the number takes another."""
    changed, label = whole_exam.shifted_series_numbers(exam, rng())
    shift = int(label.value("shift"))
    found = read_with_pydicom_alone(write(changed, tmp_path))
    assert shift > 0
    assert sorted(int(name.split()[0]) for name in found) == [5 + shift, 6 + shift, 7 + shift, 8 + shift]


def test_shared_series_uid__is_told_apart_by_echo_time(exam: Exam, tmp_path: Path) -> None:
    """As the scanner of the real images did: 88 images of two echoes, instance numbers 1 to 88."""
    changed, label = whole_exam.shared_series_uid(exam, rng())
    found = read_with_pydicom_alone(write(changed, tmp_path))
    both = found["5 Dixon_BH_17s_in"] + found["5 Dixon_BH_17s_opp"]
    assert len({image.SeriesInstanceUID for image in both}) == 1
    assert sorted(image.InstanceNumber for image in both) == list(range(1, 89))
    assert {float(image.EchoTime) for image in both} == {2.39, 4.77}
    assert len({image.SOPInstanceUID for image in both}) == 88
    assert len({image.SeriesInstanceUID for series in found.values() for image in series}) == 3
    assert label == Fault("shared_series_uid")


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (whole_exam.missing_manifest, set()),
        (whole_exam.manifest_cvs, {"manifest.cvs"}),
        (whole_exam.doubled_manifest, {"manifest.csv", "manifest.cvs"}),
    ],
)
def test_manifests__are_missing_misspelt_or_doubled(
    exam: Exam, tmp_path: Path, change: object, names: set[str]
) -> None:
    """The images are the same."""
    assert callable(change)
    changed, _ = change(exam, rng())
    content = members(write(changed, tmp_path))
    assert {name for name in content if not name.endswith(".dcm")} == names
    assert sum(name.endswith(".dcm") for name in content) == 4 * 44


def test_wrong_manifest__disagrees_with_the_images(exam: Exam, tmp_path: Path) -> None:
    """A series isn't listed, and each other is described as its neighbour."""
    changed, _ = whole_exam.wrong_manifest(exam, rng())
    content = members(write(changed, tmp_path))
    rows = [row.split(",") for row in content["manifest.csv"].decode().splitlines()[1:]]
    assert len(rows) == 3 * 44
    described = {row[0]: row[-1] for row in rows}
    truly = {
        name: pydicom.dcmread(io.BytesIO(data)).SeriesDescription for name, data in content.items() if name in described
    }
    assert all(described[name] != truly[name] for name in described)


def test_missing_file_meta__leaves_the_bare_data_set(exam: Exam, tmp_path: Path) -> None:
    """No preamble, no group 2; pydicom refuses such a file unless it is forced."""
    changed, _ = whole_exam.missing_file_meta(exam, rng())
    content = members(write(changed, tmp_path))
    name = next(name for name in content if name.endswith(".dcm"))
    with pytest.raises(pydicom.errors.InvalidDicomError):
        pydicom.dcmread(io.BytesIO(content[name]))
    image = pydicom.dcmread(io.BytesIO(content[name]), force=True)
    assert not image.file_meta
    assert len(image.PixelData) == 2 * 174 * 224
    assert image.SOPInstanceUID + ".dcm" == name


def test_wrong_transfer_syntax__claims_to_be_compressed(exam: Exam, tmp_path: Path) -> None:
    """The pixels are plain, whatever the meta information says."""
    changed, _ = whole_exam.wrong_transfer_syntax(exam, rng())
    found = read_with_pydicom_alone(write(changed, tmp_path))
    for z, image in enumerate(found["7 Dixon_BH_17s_F"]):
        assert image.file_meta.TransferSyntaxUID.is_compressed
        np.testing.assert_array_equal(np.frombuffer(image.PixelData, "<u2").reshape(174, 224), images(2)["fat"][z])


def test_shuffled_members__stand_in_another_order(exam: Exam, tmp_path: Path) -> None:
    """The same members with the same content; the manifest is no longer the last."""
    before = members(write(exam, tmp_path))
    changed, _ = whole_exam.shuffled_members(exam, rng())
    after = members(write(changed, tmp_path))
    assert after == before
    assert list(after) != list(before)
    assert list(before)[-1] == "manifest.csv" != list(after)[-1]


def test_foreign_series__is_a_localizer_in_three_planes(exam: Exam, tmp_path: Path) -> None:
    """Nine images of another size under one UID; each plane passes through the middle of the body."""
    changed, label = foreign.foreign_series(exam, rng())
    found = read_with_pydicom_alone(write(changed, tmp_path))
    (name,) = set(found) - CLEAN
    localizer = found[name]
    assert name == f"{label.value('number')} localizer"
    assert len(localizer) == 9
    assert len({image.SeriesInstanceUID for image in localizer}) == 1
    assert len({tuple(image.ImageOrientationPatient) for image in localizer}) == 3
    assert sorted(image.InstanceNumber for image in localizer) == list(range(1, 10))
    assert not {"FAT", "WATER", "IN_PHASE", "OUT_PHASE"} & {token for image in localizer for token in image.ImageType}
    for image in localizer:
        assert image.pixel_array.shape == (128, 128)
        assert image.pixel_array.std() > 50


def test_foreign_report__is_dicom_but_no_image(exam: Exam, tmp_path: Path) -> None:
    """A structured report among the images."""
    changed, _ = foreign.foreign_report(exam, rng())
    before, after = set(members(write(exam, tmp_path))), members(write(changed, tmp_path))
    (name,) = set(after) - before
    report = pydicom.dcmread(io.BytesIO(after[name]))
    assert report.Modality == "SR"
    assert "PixelData" not in report


def test_truncated_zip__cannot_be_opened(tmp_path: Path) -> None:
    """Its directory stood at the end; what is left are the first bytes of what was there."""
    path = make_exam(tmp_path, 1000001)
    whole = path.read_bytes()
    label = zip_files.truncated_zip(path, rng())
    left = path.read_bytes()
    assert whole.startswith(left)
    assert 0.04 < len(left) / len(whole) < 0.96
    assert label.value("bytes") == str(len(left))
    with pytest.raises(Exception, match="not a zip file"):
        members(path)


@pytest.mark.parametrize("kind", ["no_bytes", "no_members"])
def test_empty_zip__holds_nothing(tmp_path: Path, kind: str) -> None:
    """Either the file has no bytes, or it is a zip of nothing."""
    path = make_exam(tmp_path, 1000001)
    seed = next(seed for seed in range(20) if (rng(seed).random() < 0.5) == (kind == "no_bytes"))
    assert zip_files.empty_zip(path, rng(seed)) == Fault("empty_zip", detail=f"kind={kind}")
    if kind == "no_bytes":
        assert path.read_bytes() == b""
    else:
        assert members(path) == {}


@pytest.mark.parametrize("kind", [*whole_exam.KINDS, *foreign.KINDS], ids=lambda kind: kind.name)
def test_kinds__compose_even_with_an_exam_that_holds_nothing(kind: FaultKind, tmp_path: Path) -> None:
    """Its only slab may be missing."""
    changed, label = kind.apply(Exam(1, ()), rng())
    assert label.name == kind.name
    assert label.slab == 0
    write(changed, tmp_path)


def test_faults__compose(tmp_path: Path) -> None:
    """Two faults at once show both, and leave the voxels of the images alone."""
    exam = clean_exam((2,), contrasts=["fat", "water"])
    changed, _ = whole_exam.shifted_series_numbers(exam, rng())
    changed, _ = whole_exam.missing_file_meta(changed, rng())
    content = members(write(changed, tmp_path))
    read = [pydicom.dcmread(io.BytesIO(data), force=True) for name, data in content.items() if name.endswith(".dcm")]
    assert len(read) == 88
    assert min(image.SeriesNumber for image in read) > 5
    assert not any(image.file_meta for image in read)
