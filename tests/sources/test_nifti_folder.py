from __future__ import annotations

import gzip
from pathlib import Path
from typing import ClassVar

import nibabel as nib
import numpy as np
import pytest

from bmx.acquisition import ContrastName
from bmx.errors import SourceError
from bmx.ingest.identify import identify
from bmx.sources.base import why_refused
from bmx.sources.find import Layout
from bmx.sources.nifti_folder import NiftiExam, NiftiFolder
from bmx.types import Affine
from tests.exams import affine, images
from tests.nifti import write_nifti
from tests.sources.source_tests import Images, SourceTests

STEM = "1000001_20201_2_0"


class TestNiftiFolder(SourceTests):
    layout: ClassVar[Layout] = "nifti"

    def write(self, folder: Path, eid: int, made: Images, affines: dict[int, Affine], *, instance: int) -> None:
        for slab, contrasts in made.items():
            for contrast, volume in contrasts.items():
                write_nifti(folder / f"{eid}_20201_{instance}_0_slab_{slab}_{contrast}.nii.gz", volume, affines[slab])


def write_slab(
    folder: Path, slab: int = 2, contrast: ContrastName = "fat", *, at: int | None = None, name: str = "", **how: object
) -> Path:
    """Write one file of the slab; `at`: where another slab lies and with its grid."""
    place = slab if at is None else at
    return write_nifti(
        folder / f"{STEM}_slab_{slab}_{name or contrast}.nii.gz",
        images(place, contrasts=[contrast])[contrast],
        affine(place),
        **how,  # type: ignore[arg-type]  # passed on
    )


def open_exam(folder: Path) -> NiftiExam:
    return NiftiExam(str(folder / STEM))


@pytest.mark.parametrize("axes", ["RAS", "LAS", "PSR", "SLA", "LPS", "IRP"])
def test_nifti_exam__reorders_any_axes(tmp_path: Path, axes: str) -> None:
    """Programs write their own favourite order; the voxels come back as the scanner had them."""
    write_slab(tmp_path, axes=axes)
    with open_exam(tmp_path) as exam:
        (slab,) = identify(exam.headers, contrasts=["fat"]).slabs.values()
        found = np.zeros((44, 174, 224), np.uint16)
        slab.station.channels["fat"].volume(exam.pixels, found)
        np.testing.assert_array_equal(found, images(2)["fat"])
        np.testing.assert_allclose(slab.station.affine, affine(2), atol=1e-3)
        assert (slab.problem, slab.flags) == ("", ("unexpected_position",))  # alone it could be slab 3


def test_nifti_exam__keeps_an_oblique_affine(tmp_path: Path) -> None:
    """Turned by 10 degrees about the Left-Right axis: slices move in plane from one to the next."""
    angle = np.deg2rad(10)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    write_nifti(tmp_path / f"{STEM}_slab_2_fat.nii.gz", images(2)["fat"], oblique := turn @ affine(2), axes="RAS")
    with open_exam(tmp_path) as exam:
        (slab,) = identify(exam.headers, contrasts=["fat"]).slabs.values()
        np.testing.assert_allclose(slab.station.affine, oblique, atol=1e-3)


@pytest.mark.parametrize(
    ("file", "contrast"),
    [("F", "fat"), ("W", "water"), ("in", "in_phase"), ("opp", "opposed_phase"), ("in_phase", "in_phase")],
)
def test_nifti_exam__knows_both_kinds_of_names(tmp_path: Path, file: str, contrast: ContrastName) -> None:
    """Our own words, and the endings of the series descriptions."""
    write_slab(tmp_path, contrast=contrast, name=file)
    with open_exam(tmp_path) as exam:
        assert [line.contrast for line in identify(exam.headers, contrasts=[contrast]).lines] == [contrast]


@pytest.mark.parametrize("slab", [2, 3, 4])
def test_nifti_exam__believes_the_name_of_a_lone_look_alike(tmp_path: Path, slab: int) -> None:
    """Slabs 2, 3 and 4 have one size; alone, only the name can tell."""
    write_slab(tmp_path, slab)
    with open_exam(tmp_path) as exam:
        assert list(identify(exam.headers, contrasts=["fat"]).slabs) == [slab]


def test_nifti_exam__refuses_the_grid_of_another_slab(tmp_path: Path) -> None:
    """The difference is the reason, and the other slab of the exam is used."""
    write_slab(tmp_path, 2, at=5)
    write_slab(tmp_path, 4)
    with open_exam(tmp_path) as exam:
        assert why_refused(exam, 2) == (
            f"{STEM}_slab_2_fat.nii.gz: its name says slab 2, expected 174 × 224 × 44 voxels with slices every 4.5 mm; "
            "found 162 × 224 × 72 voxels with slices every 3.500 mm, the grid of slab 5"
        )
        assert list(exam.rejected) == [f"{STEM}_slab_2_fat.nii.gz"]
        assert why_refused(exam, 4) == ""
        assert list(identify(exam.headers, contrasts=["fat"]).slabs) == [4]


def test_nifti_exam__refuses_a_resampled_grid(tmp_path: Path) -> None:
    """Isotropic voxels are no slab's."""
    write_nifti(tmp_path / f"{STEM}_slab_2_fat.nii.gz", np.ones((99, 194, 250), np.uint16), np.eye(3, 4) * 2)
    with open_exam(tmp_path) as exam:
        assert "found 194 × 250 × 99 voxels with slices every 2.000 mm" in exam.refused[2]
        assert exam.headers == []


def test_nifti_exam__refuses_slices_that_are_not_axial(tmp_path: Path) -> None:
    """A coronal stack has its rows elsewhere, whatever its size."""
    tilted = affine(2)[[0, 2, 1]]
    write_nifti(tmp_path / f"{STEM}_slab_2_fat.nii.gz", images(2)["fat"][:, :, ::-1], tilted, axes="RAS")
    with open_exam(tmp_path) as exam:
        assert "its name says slab 2, expected 174 × 224 × 44" in exam.refused[2]


def test_nifti_exam__refuses_a_name_that_the_others_contradict(tmp_path: Path) -> None:
    """Named slab 2, but lying where slab 3 belongs: the grid can't tell, the other slabs can."""
    for slab in (1, 4, 5):
        write_slab(tmp_path, slab)
    write_slab(tmp_path, 2, at=3)
    with open_exam(tmp_path) as exam:
        assert list(exam.refused) == [2]
        assert "its name says slab 2, but by the names of slab 1, 4, 5 it lies 161 mm too low" in exam.refused[2]
        assert set(identify(exam.headers, contrasts=["fat"]).slabs) == {1, 4, 5}


def test_nifti_exam__refuses_both_where_names_are_exchanged(tmp_path: Path) -> None:
    """Slabs 2 and 3 alone, exchanged: one of them must be wrong, and nothing says which."""
    write_slab(tmp_path, 2, at=3)
    write_slab(tmp_path, 3, at=2)
    with open_exam(tmp_path) as exam:
        assert set(exam.refused) == {2, 3}
        assert exam.headers == []
        assert "322 mm too low, expected within 60 mm; are slabs exchanged" in exam.refused[2]


def test_nifti_exam__refuses_a_contrast_twice(tmp_path: Path) -> None:
    """Which one is meant is not ours to guess."""
    write_slab(tmp_path)
    write_slab(tmp_path, name="F")
    with open_exam(tmp_path) as exam:
        assert "slab 2 has two fat files" in exam.refused[2]
        assert exam.headers == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.astype(np.int16) - 200, r"a magnitude image can't be negative, found -100"),
        (lambda v: v.astype(np.float32) + 0.5, r"expected whole numbers, found \d+ that aren't, such as 100\.5; give"),
        (lambda v: np.where(v == v[0, 0, 0], np.nan, v).astype(np.float32), r"found \d+ that are not finite"),
        (lambda v: v.astype(np.int32) * 1000, r"expected at most 65535, found \d+"),
    ],
    ids=["negative", "fractions", "nan", "too large"],
)
def test_pixels__refuses_values_that_no_scanner_made(tmp_path: Path, change: object, message: str) -> None:
    """The headers are read without looking at voxels; the refusal comes with the first of them."""
    write_nifti(tmp_path / f"{STEM}_slab_2_fat.nii.gz", change(images(2)["fat"]), affine(2))
    with open_exam(tmp_path) as exam:
        assert len(exam.headers) == 44
        for header in exam.headers[:2]:
            with pytest.raises(SourceError, match=message):
                exam.pixels(header)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64, ">u2"])
def test_pixels__takes_any_type_that_holds_whole_numbers(tmp_path: Path, dtype: str) -> None:
    """Programs save what they work with."""
    write_nifti(tmp_path / f"{STEM}_slab_2_fat.nii.gz", images(2)["fat"].astype(dtype), affine(2))
    with open_exam(tmp_path) as exam:
        np.testing.assert_array_equal(exam.pixels(exam.headers[9]), images(2)["fat"][9])


def test_pixels__applies_the_scaling_of_the_header(tmp_path: Path) -> None:
    """A slope of 2 is part of the values: as stored, they are half of them."""
    path = write_slab(tmp_path, slope=2.0)
    assert nib.load(path).dataobj.slope == 2.0
    with open_exam(tmp_path) as exam:
        np.testing.assert_array_equal(exam.pixels(exam.headers[9]), 2 * images(2)["fat"][9])


def test_nifti_exam__reads_nifti_2_and_plain_files(tmp_path: Path) -> None:
    """Without compression, and with the longer header."""
    for contrast, kind in (("fat", nib.Nifti2Image), ("water", nib.Nifti1Image)):
        file = tmp_path / f"{STEM}_slab_2_{contrast}.nii"
        write_nifti(file, images(2)[contrast], affine(2), kind=kind)
    with open_exam(tmp_path) as exam:
        assert len(exam.headers) == 88
        for header in (exam.headers[3], exam.headers[50]):
            contrast = "fat" if "_fat" in header.where else "water"
            np.testing.assert_array_equal(exam.pixels(header), images(2)[contrast][header.instance_number - 1])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"", "expected a NIfTI file, found 0 bytes that don't begin like one"),
        (lambda data: b"this is no NIfTI file", "found 21 bytes that don't begin like one"),
        (lambda data: data[:10] + b"\xff" * 20, "damaged gzip data"),
        (lambda data: gzip.compress(gzip.decompress(data)[:300]), "found 300 bytes that don't begin like one"),
    ],
    ids=["empty", "text", "gzip", "short"],
)
def test_nifti_exam__refuses_a_damaged_file(tmp_path: Path, damage: object, message: str) -> None:
    """The slab has a reason; the participant's other slabs go on."""
    path = write_slab(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    write_slab(tmp_path, 5)
    with open_exam(tmp_path) as exam:
        assert message in exam.refused[2]
        assert list(identify(exam.headers, contrasts=["fat"]).slabs) == [5]


def test_pixels__refuses_a_file_that_is_cut_short(tmp_path: Path) -> None:
    """A download that broke off, compressed or not."""
    path = write_slab(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-2000])
    with open_exam(tmp_path) as exam, pytest.raises(SourceError, match="the gzip data are damaged"):
        exam.pixels(exam.headers[0])
    path.write_bytes(gzip.compress(gzip.decompress(whole)[:-2000]))
    with open_exam(tmp_path) as exam, pytest.raises(SourceError, match=r"expected \d+ bytes, found \d+: it is cut"):
        exam.pixels(exam.headers[0])


def test_nifti_exam__refuses_a_file_without_a_place(tmp_path: Path) -> None:
    """Without sform and qform nibabel makes up an affine; a body doesn't lie there."""
    path = tmp_path / f"{STEM}_slab_2_fat.nii.gz"
    image = nib.Nifti1Image(np.ones((224, 174, 44), np.uint16), None)
    image.to_filename(path)
    with open_exam(tmp_path) as exam:
        assert "sform_code and qform_code are both 0" in exam.refused[2]


def test_nifti_exam__refuses_a_series_in_time(tmp_path: Path) -> None:
    """Four axes are no slab; a fourth of length one is."""
    path = tmp_path / f"{STEM}_slab_2_fat.nii.gz"
    square = np.vstack([affine(2), [0, 0, 0, 1]])
    nib.Nifti1Image(images(2)["fat"].transpose(2, 1, 0)[..., None].repeat(2, axis=3), square).to_filename(path)
    with open_exam(tmp_path) as exam:
        assert "expected one volume of three axes, found 224 × 174 × 44 × 2" in exam.refused[2]
    nib.Nifti1Image(images(2)["fat"].transpose(2, 1, 0)[..., None], square).to_filename(path)
    with open_exam(tmp_path) as exam:
        np.testing.assert_array_equal(exam.pixels(exam.headers[4]), images(2)["fat"][4])


def test_nifti_exam__names_what_a_name_should_have_said(tmp_path: Path) -> None:
    """A slip in a name must not make a file vanish."""
    write_slab(tmp_path)
    write_slab(tmp_path, name="watr")
    (tmp_path / f"{STEM}_slab_7_fat.nii.gz").touch()
    with open_exam(tmp_path) as exam:
        assert "its name says watr" in exam.rejected[f"{STEM}_slab_2_watr.nii.gz"]
        assert "did you mean water?" in exam.rejected[f"{STEM}_slab_2_watr.nii.gz"]
        assert "its name says 7; expected one of 1, 2, 3, 4, 5, 6" in exam.rejected[f"{STEM}_slab_7_fat.nii.gz"]
        assert len(exam.headers) == 44


def test_list_exams__gathers_files_from_several_folders(tmp_path: Path) -> None:
    """A folder for each contrast is a common way to keep them."""
    for contrast in ("fat", "water"):
        write_slab(tmp_path / contrast, contrast=contrast)
    source = NiftiFolder(str(tmp_path))
    (where,) = source.list_exams().values()
    assert where == f"{tmp_path}/**/{STEM}"
    with source.open_exam(where) as exam:
        assert len(exam.headers) == 88


def test_list_exams__of_a_single_file(tmp_path: Path) -> None:
    """Give a file, get its participant."""
    path = write_slab(tmp_path)
    assert NiftiFolder(str(path)).list_exams() == {1000001: f"{tmp_path}/{STEM}"}


def test_list_exams__says_what_is_wrong(tmp_path: Path) -> None:
    """Another visit is there, this one isn't."""
    (tmp_path / "1000001_20201_3_0_slab_2_fat.nii").touch()
    with pytest.raises(SourceError, match=r"expected NIfTI files called EID_20201_2_0.* found none \(1 of other inst"):
        NiftiFolder(str(tmp_path)).list_exams()


def test_open_exam__whose_files_are_gone(tmp_path: Path) -> None:
    """Moved since the plan was made: a reason for this participant, not the end of the conversion."""
    with pytest.raises(SourceError, match=f"expected NIfTI files called {STEM}_slab_N_CONTRAST, found none"):
        open_exam(tmp_path)


def test_nifti_exam__counts_a_slice_of_zeros_as_missing(tmp_path: Path) -> None:
    """A file has all slices; where the store lacked one, the exported file has zeros."""
    write_nifti(tmp_path / f"{STEM}_slab_2_fat.nii.gz", np.zeros((44, 174, 224), np.uint16), affine(2))
    with pytest.raises(SourceError, match=r"fat\.nii\.gz: slice \d+ is 0 throughout, so it counts as missing"):
        open_exam(tmp_path).pixels(open_exam(tmp_path).headers[6])
