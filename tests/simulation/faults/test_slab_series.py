"""Each fault of one slab's series, seen in the written files by pydicom alone."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest

from bmx.acquisition import CONTRASTS, SLABS
from bmx.simulation.exam_zips import write_exam
from bmx.simulation.exams import Exam
from bmx.simulation.faults import slab_series
from bmx.simulation.faults.base import Fault
from tests.exams import affine, clean_exam, images, read_with_pydicom_alone

Read = dict[str, list[pydicom.Dataset]]
CLEAN = ("5 Dixon_BH_17s_in", "6 Dixon_BH_17s_opp", "7 Dixon_BH_17s_F", "8 Dixon_BH_17s_W")


@pytest.fixture(scope="module")
def exam() -> Exam:
    """Slab 2 alone, all four images."""
    return clean_exam((2,))


def write(exam: Exam, folder: Path) -> Path:
    path = folder / "1000001_20201_2_0.zip"
    write_exam(path, exam)
    return path


def volume(found: list[pydicom.Dataset]) -> np.ndarray:
    return np.stack([image.pixel_array for image in found])


def z(found: list[pydicom.Dataset]) -> list[float]:
    return [float(image.ImagePositionPatient[2]) for image in found]


def test_water_in_fat_slot__gives_water_the_number_of_fat(exam: Exam, tmp_path: Path) -> None:
    """The third series of the slab is water, and says so to everyone who asks."""
    changed, label = slab_series.water_in_fat_slot(exam, np.random.default_rng(0))
    found = read_with_pydicom_alone(write(changed, tmp_path))
    assert set(found) == {*CLEAN[:2], "7 Dixon_BH_17s_W", "8 Dixon_BH_17s_F"}
    np.testing.assert_array_equal(volume(found["7 Dixon_BH_17s_W"]), images(2)["water"])
    assert "WATER" in found["7 Dixon_BH_17s_W"][0].ImageType
    assert label == Fault("water_in_fat_slot", 2)


def test_exchanged_descriptions__contradict_the_image_type(exam: Exam, tmp_path: Path) -> None:
    """What calls itself fat is water, and only ImageType knows."""
    changed, label = slab_series.exchanged_descriptions(exam, np.random.default_rng(0))
    found = read_with_pydicom_alone(write(changed, tmp_path))
    called_fat = found["8 Dixon_BH_17s_F"]
    np.testing.assert_array_equal(volume(called_fat), images(2)["water"])
    assert "WATER" in called_fat[0].ImageType
    assert label == Fault("exchanged_descriptions", 2)


@pytest.mark.parametrize("seed", range(6))
def test_different_sizes__keeps_every_voxel_where_it_was(exam: Exam, tmp_path: Path, seed: int) -> None:
    """Fat or water is cut down at one end or all round; what is left has the same place."""
    changed, label = slab_series.different_sizes(exam, np.random.default_rng(seed))
    found = read_with_pydicom_alone(write(changed, tmp_path))
    sizes = {name: volume(found[name]).shape for name in CLEAN}
    assert len(set(sizes.values())) == 2
    contrast = label.value("contrast")
    name = CLEAN[2] if contrast == "fat" else CLEAN[3]
    assert "x".join(map(str, sizes[name][::-1])) == label.value("size")
    image = found[name][0]
    lps = np.array(image.ImagePositionPatient, float)
    column, row, slice_ = np.rint(np.linalg.solve(affine(2)[:, :3], lps * [-1, -1, 1] - affine(2)[:, 3])).astype(int)
    expected = images(2)["fat" if contrast == "fat" else "water"]
    np.testing.assert_array_equal(image.pixel_array, expected[slice_, row:, column:][: image.Rows, : image.Columns])


@pytest.mark.parametrize("seed", range(4))
def test_wrong_origin__moves_one_image_of_the_slab(exam: Exam, tmp_path: Path, seed: int) -> None:
    """All of its slices claim another place; their voxels and the other three images are as before."""
    changed, label = slab_series.wrong_origin(exam, np.random.default_rng(seed))
    before = read_with_pydicom_alone(write(exam, tmp_path))
    found = read_with_pydicom_alone(write(changed, tmp_path))
    moves = {
        name: np.subtract(found[name][0].ImagePositionPatient, before[name][0].ImagePositionPatient) for name in CLEAN
    }
    (moved,) = (name for name, move in moves.items() if np.abs(move).max() > 0)
    assert moved == CLEAN[list(CONTRASTS).index(label.value("contrast"))]  # type: ignore[arg-type]
    assert 15 <= np.abs(moves[moved]).max() <= 80
    assert np.count_nonzero(moves[moved]) == 1
    np.testing.assert_array_equal(volume(found[moved]), volume(before[moved]))


def test_missing_slice__leaves_a_gap(exam: Exam, tmp_path: Path) -> None:
    """One image lacks up to three neighbouring slices, not at its ends."""
    changed, label = slab_series.missing_slice(exam, np.random.default_rng(1))
    found = read_with_pydicom_alone(write(changed, tmp_path))
    name = CLEAN[list(CONTRASTS).index(label.value("contrast"))]  # type: ignore[arg-type]
    lost = list(map(int, label.value("slices").split(",")))
    assert {one: len(found[one]) for one in CLEAN} == {one: 44 - len(lost) * (one == name) for one in CLEAN}
    assert np.diff(z(found[name])).max() == pytest.approx(4.5 * (len(lost) + 1))
    np.testing.assert_array_equal(
        volume(found[name]),
        np.delete(images(2)[label.value("contrast")], lost, axis=0),  # type: ignore[index]
    )


def test_corrupt_member__cannot_be_inflated(exam: Exam, tmp_path: Path) -> None:
    """One file of the zip is damaged behind its header; all others are whole."""
    changed, label = slab_series.corrupt_member(exam, np.random.default_rng(2))
    path = write(changed, tmp_path)
    broken, heights = [], {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            try:
                archive.read(info)
            except (zipfile.BadZipFile, zlib.error):
                broken.append(info)
        with archive.open(broken[0]) as member:
            header = pydicom.dcmread(io.BytesIO(member.read(2048)), stop_before_pixels=True)
            heights[header.SeriesNumber] = float(header.ImagePositionPatient[2])
    (number,) = heights
    assert len(broken) == 1
    assert number == 5 + list(CONTRASTS).index(label.value("contrast"))  # type: ignore[arg-type]
    assert heights[number] == pytest.approx(affine(2)[2, 3] + 4.5 * int(label.value("slices")))


def test_missing_series__leaves_three_images(exam: Exam, tmp_path: Path) -> None:
    """One of the four is not there, and the manifest doesn't list it."""
    changed, label = slab_series.missing_series(exam, np.random.default_rng(3))
    path = write(changed, tmp_path)
    lost = CLEAN[list(CONTRASTS).index(label.value("contrast"))]  # type: ignore[arg-type]
    assert set(read_with_pydicom_alone(path)) == set(CLEAN) - {lost}
    with zipfile.ZipFile(path) as archive:
        assert len(archive.read("manifest.csv").splitlines()) == 1 + 3 * 44


@pytest.mark.parametrize("numbers", ["closed", "kept"])
def test_missing_slab__is_not_there(tmp_path: Path, numbers: str) -> None:
    """No image has its rows; the numbers of later series close the gap or don't."""
    exam = clean_exam((2, 5, 6), contrasts=["fat", "water"])
    drawn = (slab_series.missing_slab(exam, np.random.default_rng(seed)) for seed in range(100))
    changed, _ = next(one for one in drawn if one[1] == Fault("missing_slab", 5, f"numbers={numbers}"))
    found = read_with_pydicom_alone(write(changed, tmp_path))
    assert {image.Rows for series in found.values() for image in series} == {SLABS[2].rows, SLABS[6].rows}
    first = 19 if numbers == "closed" else 21
    assert set(found) == {
        "5 Dixon_BH_17s_F", "6 Dixon_BH_17s_W", f"{first} Dixon_noBH_F", f"{first + 1} Dixon_noBH_W"
    }  # fmt: skip


@pytest.mark.parametrize("kind", slab_series.KINDS, ids=lambda kind: kind.name)
def test_kinds__touch_any_slab_and_leave_what_they_were_given(kind: slab_series.FaultKind) -> None:
    """Property: no slab is safe, the exam that was given is unchanged, the same generator draws the same."""
    exam = clean_exam((2, 4, 5))
    before = list(exam.series)
    labels = [kind.apply(exam, np.random.default_rng(seed))[1] for seed in range(40)]
    assert {label.slab for label in labels} == {2, 4, 5}
    assert {label.name for label in labels} == {kind.name}
    assert list(exam.series) == before
    assert labels == [kind.apply(exam, np.random.default_rng(seed))[1] for seed in range(40)]
