from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import FileMetaDataset
from pydicom.uid import JPEGLosslessSV1, RLELossless

from bmx.errors import SourceError
from bmx.sources import dicom_tags
from bmx.sources.dicom_tags import header_or_reason, read_header, read_pixels
from tests.exams import images, make_exam, members
from tests.hostile_files import written_as_is


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """One DICOM file."""
    path = make_exam(tmp_path_factory.mktemp("exam"), 1000001, contrasts=["fat"])
    return next(data for name, data in sorted(members(path).items()) if name.endswith(".dcm"))


def changed(content: bytes, **tags: object) -> bytes:
    data = pydicom.dcmread(io.BytesIO(content))
    for name, value in tags.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data)
    return buffer.getvalue()


def test_read_header__reads_what_was_written(content: bytes) -> None:
    """Spot checks; geometry is checked as a whole in the tests of series."""
    header = read_header(content, "a.dcm")
    assert header is not None
    assert (header.where, header.rows, header.columns, header.series_number) == ("a.dcm", 174, 224, 5)
    assert header.spacing_mm == (2.232143, 2.232143)
    assert header.image_type == ("DERIVED", "PRIMARY", "DIXON", "FAT")
    assert header.field_strength_t == 1.5
    assert header.acquired.endswith("090100.000000")
    assert header.simulated


def test_read_header__survives_a_file_without_meta_information(content: bytes) -> None:
    """Seen in archives: the data set begins at the first byte."""
    data = pydicom.dcmread(io.BytesIO(content))
    del data.preamble
    data.file_meta = FileMetaDataset()
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data, implicit_vr=False, little_endian=True, enforce_file_format=False)
    bare = buffer.getvalue()
    header = read_header(bare, "a.dcm")
    assert bare[128:132] != b"DICM"
    assert header is not None
    assert header == read_header(content, "a.dcm")
    np.testing.assert_array_equal(read_pixels(bare, header), read_pixels(content, header))


def test_read_pixels__believes_the_length_not_the_transfer_syntax(content: bytes) -> None:
    """Some files say JPEG and hold plain pixels."""
    lying = content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.", 1)
    header = read_header(content, "a.dcm")
    assert header is not None
    assert lying != content
    np.testing.assert_array_equal(read_pixels(lying, header), read_pixels(content, header))


def test_read_header__is_none_without_a_place_in_space(content: bytes) -> None:
    """Reports, manifests and empty members aren't images of a slab."""
    for other in (b"", b"filename,patientid\n", b"\0" * 200, changed(content, ImagePositionPatient=None)):
        assert read_header(other, "a") is None


@pytest.mark.parametrize("tags", [{"EchoTime": None}, {"SeriesNumber": None, "SeriesDescription": None}])
def test_read_header__does_without_what_may_be_missing(content: bytes, tags: dict[str, None]) -> None:
    """Only geometry is needed; the rest are hints."""
    header = read_header(changed(content, **tags), "a.dcm")
    assert header is not None
    if "SeriesNumber" in tags:
        assert header.series_number == -1
        assert header.description == "Dixon_BH_17s"  # the protocol's name stands in


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # pydicom says which guesses it made; that's its job here
@settings(max_examples=150)
@given(position=st.integers(132, 1500), noise=st.binary(min_size=1, max_size=8), cut=st.integers(0, 1500))
def test_read_header__never_raises_on_garbage(content: bytes, position: int, noise: bytes, cut: int) -> None:
    """One damaged file must not stop a cohort."""
    garbled = content[:position] + noise + content[position + len(noise) :]
    for data in (garbled, content[:cut]):
        header = read_header(data, "a.dcm")
        if header is not None:
            with contextlib.suppress(SourceError):
                read_pixels(data, header)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"PixelData": b"\0" * 100}, "image can't be decoded .expected 77952 bytes of pixels, found 100"),
        ({"PixelRepresentation": 1, "PixelData": b"\xff" * 77952}, "can't be negative, found -1"),
    ],
)
def test_read_pixels__says_what_is_wrong(content: bytes, tags: dict[str, object], message: str) -> None:
    """Half an image or a signed one would otherwise become wrong voxels."""
    header = read_header(content, "a.dcm")
    assert header is not None
    with pytest.raises(SourceError, match=message):
        read_pixels(changed(content, **tags), header)


def test_read_pixels__reads_8_bit(content: bytes, tmp_path: Path) -> None:
    """Unusual, but unambiguous."""
    small = images(2, seed=1000001)["fat"][0].astype(np.uint8)
    eight = changed(content, BitsAllocated=8, BitsStored=8, HighBit=7, PixelData=small.tobytes())
    header = read_header(eight, "a.dcm")
    assert header is not None
    np.testing.assert_array_equal(read_pixels(eight, header), small)


def test_read_pixels__undoes_run_length_encoding(content: bytes) -> None:
    """pydicom brings what this needs."""
    data = pydicom.dcmread(io.BytesIO(content))
    data.compress(RLELossless, encoding_plugin="pydicom")
    packed = written_as_is(data)
    header = read_header(packed, "a.dcm")
    assert header == read_header(content, "a.dcm")
    assert header is not None
    assert len(packed) < len(content)
    np.testing.assert_array_equal(read_pixels(packed, header), read_pixels(content, header))


def test_read_pixels__undoes_lossless_jpeg_where_a_plugin_is_installed(content: bytes, tmp_path: Path) -> None:
    """Packed by another program; every voxel must come back."""
    gdcm = pytest.importorskip("gdcm", reason="python-gdcm is not installed")
    plain, packed = tmp_path / "plain.dcm", tmp_path / "packed.dcm"
    plain.write_bytes(content)
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(plain))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFileName(str(packed))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    header = read_header(packed.read_bytes(), "a.dcm")
    assert header == read_header(content, "a.dcm")
    assert header is not None
    assert pydicom.dcmread(packed).file_meta.TransferSyntaxUID == JPEGLosslessSV1
    np.testing.assert_array_equal(read_pixels(packed.read_bytes(), header), read_pixels(content, header))


def test_read_pixels__names_what_it_can_not_undo(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gets such archives must know what to install."""
    monkeypatch.setattr(dicom_tags, "_has_decoder", lambda syntax: False)
    data = pydicom.dcmread(io.BytesIO(content))
    data.compress(RLELossless, encoding_plugin="pydicom")
    header = read_header(content, "a.dcm")
    assert header is not None
    with pytest.raises(SourceError, match=r"compressed as RLE Lossless, which needs python-gdcm: .*'bmx\[jpeg\]'"):
        read_pixels(written_as_is(data), header)


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"Rows": 0}, "an image can't have 0 × 224 pixels"),
        ({"ImagePositionPatient": None}, "a DICOM image without a place in space: ImagePositionPatient missing"),
        ({"SeriesInstanceUID": None}, "a DICOM file without SeriesInstanceUID"),
        ({"PixelSpacing": [0, 1]}, "pixels can't be 0 × 1 mm apart"),
    ],
)
def test_header_or_reason__says_what_is_wrong(content: bytes, tags: dict[str, object], reason: str) -> None:
    """Every file of an archive is accounted for."""
    assert reason in str(header_or_reason(changed(content, **tags), "a.dcm"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"PK\x03\x04and so on", "a zip within, which is not opened"),
        (b"a,b\n1,2\n", "not a DICOM file"),
        (b"\0" * 128 + b"DICM" + b"1.2.840.10008.1.2.1.99", "a deflated data set may inflate to anything"),
        (b"\0" * 128 + b"DICM" + b"\xfe\xff\x00\xe0" * 10_001, "at most 10000 items of sequences, found 10001"),
    ],
    ids=["empty", "zip", "text", "deflated", "items"],
)
def test_header_or_reason__says_what_is_no_image(content: bytes, reason: str) -> None:
    """Nothing of these is given to a reader that would do whatever they ask."""
    assert reason in str(header_or_reason(content, "a"))


@pytest.mark.parametrize(
    "tags", [{"SeriesNumber": 10**12}, {"SeriesNumber": -(10**12)}, {"EchoTime": 1e300}, {"MagneticFieldStrength": 1e7}]
)
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # it warns of what the test is about
def test_read_header__takes_absurd_numbers_as_missing(content: bytes, tags: dict[str, float]) -> None:
    """A series number of thirteen digits would end the conversion: the store's column has 32 bits."""
    header = read_header(changed(content, **tags), "a.dcm")
    assert header is not None
    assert (header.series_number, header.echo_time_ms, header.field_strength_t) in {
        (-1, 2.39, 1.5),
        (5, None, 1.5),
        (5, 2.39, None),
    }
