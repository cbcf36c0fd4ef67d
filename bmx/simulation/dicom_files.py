"""The DICOM files of one series, one per slice.

pydicom encodes one header per series; from slice to slice only five of its elements differ, and
encoding these alone takes a twentieth of the time.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGLosslessSV1, MRImageStorage
from pydicom.valuerep import format_number_as_ds

from bmx.acquisition import FIELD_STRENGTH_T, FLIP_ANGLE_DEG, REPETITION_TIME_MS
from bmx.simulation.exams import FileMeta, SeriesImages, make_uid
from bmx.sources.header import SIMULATED_COMMENT
from bmx.types import Affine

_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])
_PREAMBLE = b"\0" * 128 + b"DICM"
_LENGTH_BYTES = 12
"""Size of the element (0002,0000), which says how long the rest of the meta information is."""


class SeriesFiles:
    """Encodes any slice of one series.

    Parameters
    ----------
    series : what the files say and show
    seed : decides the UIDs of the images
    file_meta : what kind of meta information precedes the data set
    """

    def __init__(self, series: SeriesImages, seed: int, file_meta: FileMeta = "right") -> None:
        self._series, self._seed, self._file_meta = series, seed, file_meta
        self._pixels = np.ascontiguousarray(series.volume, dtype="<u2")
        whole = encode_with_pydicom(series, seed, 0)
        (length,) = struct.unpack_from("<I", whole, len(_PREAMBLE) + 8)
        begin = len(_PREAMBLE) + _LENGTH_BYTES
        border = begin + length
        meta = whole[begin:border]
        if file_meta == "wrong_syntax":
            (before, after) = _split(meta, [_syntax(ExplicitVRLittleEndian)])
            meta = before + _syntax(JPEGLosslessSV1) + after
        storage, *elements = self._varying(0)
        self._meta = _split(meta, [storage])
        self._header = _split(whole[border : len(whole) - self._pixels[0].nbytes], elements)

    def name(self, z: int) -> str:
        """Name of the file of slice `z`."""
        return f"{image_uid(self._series, self._seed, z)}.dcm"

    def encode(self, z: int) -> bytes:
        """Content of the file of slice `z`, byte for byte as pydicom would write it."""
        storage, *elements = self._varying(z)
        content: bytes = _join(self._header, elements) + self._pixels[z].tobytes()
        if self._file_meta == "missing":
            return content
        meta = _join(self._meta, [storage])
        return _PREAMBLE + _element(0x0002, 0x0000, b"UL", struct.pack("<I", len(meta))) + meta + content

    def _varying(self, z: int) -> list[bytes]:
        """Elements that differ between slices: one of the meta information, three of the data set."""
        uid = image_uid(self._series, self._seed, z).encode()
        return [
            _element(0x0002, 0x0003, b"UI", uid),
            _element(0x0008, 0x0018, b"UI", uid),
            _element(0x0020, 0x0013, b"IS", str(_instance(self._series, z)).encode()),
            _element(0x0020, 0x0032, b"DS", "\\".join(_position(self._series, z)).encode()),
        ]


def image_uid(series: SeriesImages, seed: int, z: int) -> str:
    """SOPInstanceUID of one slice."""
    return make_uid(seed, "image", series.key, z)


def encode_with_pydicom(series: SeriesImages, seed: int, z: int) -> bytes:
    """Content of the file of slice `z`, encoded whole."""
    uid = UID(image_uid(series, seed, z))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(make_uid(seed, "implementation"))
    header = FileDataset("", {}, preamble=b"\0" * 128, file_meta=meta)
    header.ImageType = list(series.image_type)
    header.SOPClassUID = MRImageStorage
    header.SOPInstanceUID = uid
    header.StudyDate = header.SeriesDate = header.AcquisitionDate = f"{series.acquired:%Y%m%d}"
    header.StudyTime = f"{series.study.begun:%H%M%S.%f}"
    header.SeriesTime = header.AcquisitionTime = f"{series.acquired:%H%M%S.%f}"
    header.Modality = "MR"
    header.Manufacturer = "SIEMENS"
    header.ManufacturerModelName = "Aera"
    header.SeriesDescription = series.description
    header.ProtocolName = series.protocol
    header.PatientName = header.PatientID = series.study.patient
    header.PatientPosition = "HFS"
    header.ImageComments = SIMULATED_COMMENT
    header.RepetitionTime = REPETITION_TIME_MS
    header.EchoTime = series.echo_time_ms
    header.FlipAngle = FLIP_ANGLE_DEG
    header.MagneticFieldStrength = FIELD_STRENGTH_T
    header.StudyInstanceUID = UID(series.study.uid)
    header.SeriesInstanceUID = UID(series.uid)
    header.FrameOfReferenceUID = UID(series.frame_uid)
    header.SeriesNumber = series.number
    header.AcquisitionNumber = 1
    header.InstanceNumber = _instance(series, z)
    lps = _lps(series)
    step_x, step_y, step_z = np.linalg.norm(lps[:, :3], axis=0)
    header.PixelSpacing = _decimal(step_y, step_x)
    header.SliceThickness = _decimal(step_z)[0]
    header.ImageOrientationPatient = _decimal(*lps[:, 0] / step_x, *lps[:, 1] / step_y)
    header.ImagePositionPatient = _position(series, z)
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    _, header.Rows, header.Columns = series.volume.shape
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit = 15
    header.PixelRepresentation = 0
    header.PixelData = np.ascontiguousarray(series.volume[z], dtype="<u2").tobytes()
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, header, enforce_file_format=True)
    return buffer.getvalue()


def _split(content: bytes, elements: Sequence[bytes]) -> list[bytes]:
    """What stands before, between and after these elements."""
    parts = []
    for element in elements:
        assert content.count(element) == 1, "an element is encoded otherwise than pydicom does"
        before, content = content.split(element)
        parts.append(before)
    return [*parts, content]


def _join(parts: Sequence[bytes], elements: Sequence[bytes]) -> bytes:
    joined = [parts[0]]
    for element, part in zip(elements, parts[1:], strict=True):
        joined += [element, part]
    return b"".join(joined)


def _element(group: int, number: int, kind: bytes, value: bytes) -> bytes:
    """One element in explicit little-endian encoding, padded to an even length."""
    if len(value) % 2:
        value += b"\0" if kind == b"UI" else b" "
    return struct.pack("<HH2sH", group, number, kind, len(value)) + value


def _syntax(uid: UID) -> bytes:
    return _element(0x0002, 0x0010, b"UI", uid.encode())


def _instance(series: SeriesImages, z: int) -> int:
    return series.first_instance + (len(series.volume) - 1 - z if series.descending else z)


def _lps(series: SeriesImages) -> Affine:
    return np.asarray(series.affine * _RAS_TO_LPS[:, None], np.float64)


def _position(series: SeriesImages, z: int) -> list[str]:
    """Centre of the first voxel of slice `z`, LPS millimetres."""
    lps = _lps(series)
    return _decimal(*(lps[:, 3] + z * lps[:, 2]))


def _decimal(*values: float) -> list[str]:
    """Decimal strings of at most 16 characters, as the standard wants them."""
    # Adding zero turns -0.0 into 0.0.
    return [format_number_as_ds(float(value) + 0.0) for value in values]
