"""Voxels and affines agree with dcm2niix, the reader that most of the field goes by."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLosslessSV1, RLELossless

from bmx.simulation.dicom_files import SeriesFiles, encode_with_pydicom
from bmx.simulation.exams import SeriesImages, plan_exam
from bmx.sources.dicom_folder import FolderExam
from bmx.sources.series import Series, group_series
from bmx.types import Affine
from tests.exams import affine, images

DCM2NIIX = shutil.which("dcm2niix")
REAL = Path(__file__).parents[2] / "../shared/data/abdomen_dual_echo_dicom"
pytestmark = pytest.mark.skipif(DCM2NIIX is None, reason="needs the Debian package dcm2niix: apt-get install dcm2niix")

Volume = npt.NDArray[np.uint16]
Encode = Callable[[SeriesImages, int], bytes]


def by_dcm2niix(folder: Path, out: Path) -> list[tuple[Volume, Affine]]:
    """Volumes (z, y, x) and affines that dcm2niix makes of a folder; axes re-ordered by nibabel, nothing else."""
    out.mkdir()
    command = [str(DCM2NIIX), "-z", "n", "-b", "n", "-f", "%s_%e_%j", "-o", str(out), str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    found = []
    for path in sorted(out.glob("*.nii")):
        image = nib.load(path)
        turn = nib.orientations.ornt_transform(
            nib.orientations.io_orientation(image.affine), nib.orientations.axcodes2ornt("LPS")
        )
        turned = image.as_reoriented(turn)
        found.append((np.asarray(turned.dataobj).transpose(2, 1, 0), turned.affine[:3]))
    return found


def by_bmx(folder: Path) -> list[tuple[Volume, Affine]]:
    """The same by our own reader."""
    with FolderExam(folder) as exam:
        return [(volume_of(series, exam), series.affine) for series in group_series(exam.headers)]


def volume_of(series: Series, exam: FolderExam) -> Volume:
    volume = np.zeros((series.span, series.first.rows, series.first.columns), np.uint16)
    series.volume(exam.pixels, volume)
    return volume


def assert_agree(folder: Path, out: Path, *, count: int, theirs: Path | None = None) -> None:
    """Every volume of one is among those of the other: exact voxels, the affine to a thousandth of a millimetre."""
    ours, others = by_bmx(folder), by_dcm2niix(theirs or folder, out)
    assert len(ours) == len(others) == count
    for volume, place in ours:
        same = [other for found, other in others if found.shape == volume.shape and (found == volume).all()]
        assert len(same) == 1, "no volume of dcm2niix has these voxels, or two have"
        np.testing.assert_allclose(place, same[0], atol=1e-3)


def tilted(*, x: float, y: float, z: float) -> Affine:
    """Slab 2 around the isocentre, turned by so many degrees about each axis of the world.

    dcm2niix takes the distance of two slices in single precision: half a metre away from the isocentre that alone
    makes 0.0015 mm at the far end of an oblique slab.
    """
    turned = affine(2)
    turned[2, 3] = -22 * 4.5
    for axis, degrees in enumerate((x, y, z)):
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        one, other = (index for index in range(3) if index != axis)
        turn = np.eye(3)
        turn[one, one], turn[one, other], turn[other, one], turn[other, other] = c, -s, s, c
        turned = turn @ turned
    return turned


def write(folder: Path, place: Affine, *, slab: int = 2, encode: Encode | None = None) -> Path:
    """Write fat and water of one slab, each slice a file."""
    folder.mkdir()
    exam = plan_exam({slab: images(slab, contrasts=["fat", "water"])}, {slab: place}, seed=7)
    for series in exam.series:
        files = SeriesFiles(series, exam.seed)
        for z in range(len(series.volume)):
            content = encode(series, z) if encode else files.encode(z)
            (folder / files.name(z)).write_bytes(content)
    return folder


@pytest.mark.parametrize("slab", [1, 2, 5, 6])
def test_folder_exam__agrees_on_every_grid(tmp_path: Path, slab: int) -> None:
    """Odd slabs are stored from foot to head, even ones from head to foot."""
    exam = plan_exam({slab: images(slab, contrasts=["fat"])}, {slab: affine(slab)}, seed=7)
    assert exam.series[0].descending == (slab % 2 == 0)
    assert_agree(write(tmp_path / "dicom", affine(slab), slab=slab), tmp_path / "nifti", count=2)


@pytest.mark.parametrize(
    "turn", [{"x": 10, "y": 0, "z": 0}, {"x": 0, "y": -7, "z": 3}, {"x": 12, "y": 5, "z": -8}], ids=str
)
def test_folder_exam__agrees_on_oblique_slices(tmp_path: Path, turn: dict[str, float]) -> None:
    """Turned about one axis, two and three; the origin moves in plane from slice to slice."""
    assert_agree(write(tmp_path / "dicom", tilted(**turn)), tmp_path / "nifti", count=2)


@pytest.mark.parametrize("flip", ["x", "y", "xy"])
def test_folder_exam__agrees_on_rows_that_run_the_other_way(tmp_path: Path, flip: str) -> None:
    """Rows towards Right, columns towards Anterior: re-ordered alike."""
    place = affine(2)
    for axis, name, size in ((0, "x", 224), (1, "y", 174)):
        if name in flip:
            place[:, 3] += (size - 1) * place[:, axis]
            place[:, axis] *= -1
    assert_agree(write(tmp_path / "dicom", place), tmp_path / "nifti", count=2)


def with_syntax(syntax: UID) -> Encode:
    """Encode slices with another transfer syntax."""

    def encode(series: SeriesImages, z: int) -> bytes:
        image = pydicom.dcmread(io.BytesIO(encode_with_pydicom(series, 7, z)))
        if syntax.is_compressed:
            image.compress(syntax, generate_instance_uid=False)
        else:
            image.file_meta.TransferSyntaxUID = syntax
        buffer = io.BytesIO()
        pydicom.dcmwrite(buffer, image, enforce_file_format=True, implicit_vr=syntax.is_implicit_VR, little_endian=True)
        return buffer.getvalue()

    return encode


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless], ids=lambda s: s.name)
def test_folder_exam__agrees_on_transfer_syntaxes(tmp_path: Path, syntax: UID) -> None:
    """How elements and pixels are encoded is no part of the image."""
    folder = write(tmp_path / "dicom", tilted(x=4, y=0, z=0), encode=with_syntax(syntax))
    assert pydicom.dcmread(next(folder.iterdir())).file_meta.TransferSyntaxUID == syntax
    assert_agree(folder, tmp_path / "nifti", count=2)


def test_folder_exam__agrees_without_preamble(tmp_path: Path) -> None:
    """Files that begin with their first element. dcm2niix doesn't take them: it gets the same ones with a preamble."""
    whole = write(tmp_path / "dicom", affine(2))
    bare = tmp_path / "bare"
    bare.mkdir()
    for path in whole.iterdir():
        (bare / path.name).write_bytes(path.read_bytes()[132:])
    assert_agree(bare, tmp_path / "nifti", count=2, theirs=whole)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real images lie beside the repository, not in it")
@pytest.mark.parametrize("folder", ["inphase", "outphase"])
def test_folder_exam__agrees_on_real_images(tmp_path: Path, folder: str) -> None:
    """One echo of a real abdomen, as a real scanner wrote it."""
    assert_agree(REAL / folder, tmp_path / "nifti", count=1)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real images lie beside the repository, not in it")
def test_folder_exam__agrees_on_two_echoes_of_one_series(tmp_path: Path) -> None:
    """Both echoes share a SeriesInstanceUID; both readers tell them apart."""
    assert_agree(REAL, tmp_path / "nifti", count=2)


def test_folder_exam__agrees_on_lossless_jpeg(tmp_path: Path) -> None:
    """Compressed as an archive may have done it; pydicom needs a plugin for it."""
    gdcm = pytest.importorskip("gdcm", reason="needs python-gdcm, which bmx[jpeg] brings")
    folder = write(tmp_path / "dicom", affine(2))
    for path in folder.iterdir():
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(str(path))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(str(path))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
    assert pydicom.dcmread(next(folder.iterdir())).file_meta.TransferSyntaxUID == JPEGLosslessSV1
    assert_agree(folder, tmp_path / "nifti", count=2)
