from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest

from bmx.acquisition import CONTRASTS
from bmx.simulation.dicom_files import SeriesFiles, encode_with_pydicom
from bmx.simulation.exam_zips import write_exam
from bmx.simulation.exams import append_exam, plan_exam
from tests.exams import affine, clean_exam, images, make_exam, members, read_with_pydicom_alone


def test_write_exam__gives_back_voxels_and_geometry(tmp_path: Path) -> None:
    """Read by pydicom alone, the files say what was put in."""
    path = make_exam(tmp_path, 1000001, slabs=(2, 5), contrasts=tuple(CONTRASTS))
    found = read_with_pydicom_alone(path)
    assert sorted(found, key=lambda name: int(name.split()[0])) == [
        "5 Dixon_BH_17s_in", "6 Dixon_BH_17s_opp", "7 Dixon_BH_17s_F", "8 Dixon_BH_17s_W",
        "17 Dixon_noBH_in", "18 Dixon_noBH_opp", "19 Dixon_noBH_F", "20 Dixon_noBH_W",
    ]  # fmt: skip
    for slab, key in ((2, "7 Dixon_BH_17s_F"), (5, "19 Dixon_noBH_F")):
        volume = np.stack([image.pixel_array for image in found[key]])
        np.testing.assert_array_equal(volume, images(slab, seed=1000001)["fat"])
        low, high = found[key][0], found[key][-1]
        row, column = np.reshape(np.array(low.ImageOrientationPatient, float), (2, 3))
        step = np.subtract(high.ImagePositionPatient, low.ImagePositionPatient) / (len(volume) - 1)
        lps = np.column_stack(
            [row * low.PixelSpacing[1], column * low.PixelSpacing[0], step, np.array(low.ImagePositionPatient, float)]
        )
        np.testing.assert_allclose(lps * [[-1], [-1], [1]], affine(slab), atol=1e-6)
        assert low.SliceThickness == pytest.approx(affine(slab)[2, 2])


def test_write_exam__says_what_a_scanner_says(tmp_path: Path) -> None:
    """The tags that readers of the archive rely on, and the one that says it isn't real."""
    found = read_with_pydicom_alone(make_exam(tmp_path, 1000001, contrasts=tuple(CONTRASTS)))
    opposed, fat = found["6 Dixon_BH_17s_opp"][0], found["7 Dixon_BH_17s_F"][0]
    assert (opposed.EchoTime, opposed.RepetitionTime, opposed.FlipAngle) == (2.39, 6.69, 10)
    assert (opposed.MagneticFieldStrength, opposed.Manufacturer, opposed.ManufacturerModelName) == (
        1.5,
        "SIEMENS",
        "Aera",
    )
    assert "OUT_PHASE" in opposed.ImageType
    assert "FAT" in fat.ImageType
    assert fat.StudyInstanceUID == opposed.StudyInstanceUID
    assert fat.SeriesInstanceUID != opposed.SeriesInstanceUID
    assert fat.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert fat.ImageComments == "bmx simulated anatomy, not a person"


def test_write_exam__hides_who_it_is_and_in_what_order(tmp_path: Path) -> None:
    """As in the archive: the EID is in the file name alone, and names of files are no order."""
    path = make_exam(tmp_path, 1000001)
    assert not any(b"1000001" in data for data in members(path).values())
    names = [name for name in members(path) if name.endswith(".dcm")]
    heights = [float(pydicom.dcmread(io.BytesIO(members(path)[name])).ImagePositionPatient[2]) for name in names[:30]]
    assert heights != sorted(heights)
    assert heights != sorted(heights, reverse=True)


def test_write_exam__stores_both_directions(tmp_path: Path) -> None:
    """Instance numbers grow towards the head in some series and towards the feet in others."""
    found = read_with_pydicom_alone(make_exam(tmp_path, 1000001, slabs=(2, 5), contrasts=["fat"]))
    assert [image.InstanceNumber for image in found["5 Dixon_BH_17s_F"]] == list(range(44, 0, -1))
    assert [image.InstanceNumber for image in found["17 Dixon_noBH_F"]] == list(range(1, 73))


def test_write_exam__has_a_manifest_with_unquoted_dates(tmp_path: Path) -> None:
    """The comma in the date shifts all columns after it, which a reader must survive."""
    header, first, *rest = members(make_exam(tmp_path, 1000001))["manifest.csv"].decode().splitlines()
    assert header == "filename,patientid,date,seriesid,series discription"
    assert len(first.split(",")) == 6
    assert len(rest) == 87
    assert "manifest.csv" not in members(make_exam(tmp_path, 1000002, manifest=False))


def test_write_exam__gives_the_same_bytes_for_the_same_seed(tmp_path: Path) -> None:
    """A simulated cohort can be made again anywhere and compared by its digest."""
    one = make_exam(tmp_path / "a", 1000001, seed=7).read_bytes()
    assert make_exam(tmp_path / "b", 1000001, seed=7).read_bytes() == one
    assert make_exam(tmp_path / "c", 1000001, seed=8).read_bytes() != one
    with zipfile.ZipFile(io.BytesIO(one)) as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {1980}


def test_write_exam__writes_each_file_as_pydicom_would(tmp_path: Path) -> None:
    """Oracle: only one header per series is encoded by pydicom; all others must not differ from what it writes."""
    exam = clean_exam((2, 5), contrasts=["in_phase", "fat"], seed=3)
    for series in exam.series:
        files = SeriesFiles(series, exam.seed)
        for z in range(len(series.volume)):
            assert files.encode(z) == encode_with_pydicom(series, exam.seed, z)


def test_write_exam__refuses_what_would_mislead(tmp_path: Path) -> None:
    """A zip whose name says nobody, or voxels that would wrap."""
    with pytest.raises(ValueError, match=r"must be called EID_20201_I_0\.zip, found 'exam\.zip'"):
        write_exam(tmp_path / "exam.zip", clean_exam())
    with pytest.raises(ValueError, match="uint16, found 3 dims of float64"):
        plan_exam({2: {"fat": np.zeros((44, 174, 224))}}, {2: affine(2)}, seed=0)  # type: ignore[dict-item]
    assert not list(tmp_path.glob("*.zip"))


def test_append_exam__goes_on_with_the_numbers(tmp_path: Path) -> None:
    """As when a scan is begun again: one study, series of the attempt before, the whole exam after it, later."""
    earlier = plan_exam({2: images(2)}, {2: affine(2)}, seed=9, attempt=1)
    exam = append_exam(earlier, clean_exam((2, 5), seed=9))
    assert [(one.slab, one.number) for one in exam.series] == [
        (2, 1), (2, 2), (2, 3), (2, 4), (2, 9), (2, 10), (2, 11), (2, 12), (5, 21), (5, 22), (5, 23), (5, 24),
    ]  # fmt: skip
    assert len({one.study.uid for one in exam.series}) == 1
    assert len({one.uid for one in exam.series}) == 12
    assert len({one.frame_uid for one in exam.series}) == 2
    assert max(one.acquired for one in exam.series[:4]) < min(one.acquired for one in exam.series[4:])
    path = tmp_path / "7_20201_2_0.zip"
    write_exam(path, exam)
    assert sum(name.endswith(".dcm") for name in members(path)) == 4 * (44 + 44 + 72)


def test_append_exam__as_a_study_of_its_own_repeats_the_numbers() -> None:
    """Two studies in one zip: only UID and time tell their series apart."""
    earlier = plan_exam({2: images(2)}, {2: affine(2)}, seed=9, attempt=1)
    exam = append_exam(earlier, clean_exam((2,), seed=9), own_study=True)
    assert [one.number for one in exam.series] == [5, 6, 7, 8] * 2
    assert len({one.study.uid for one in exam.series}) == 2
    assert exam.series[0].study.begun < exam.series[4].study.begun
