"""The part of a DICOM file that bmx uses, read tolerantly.

Files of the archive may lack their preamble or meta information, or name a transfer syntax that
they don't use. What the tags *mean* (which contrast, which slab) is decided elsewhere.
"""

from __future__ import annotations

import io
import logging
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue

from bmx.errors import SourceError
from bmx.sources.header import Header
from bmx.types import IntVolume

logger = logging.getLogger(__name__)

PIXEL_DATA_TAG = b"\xe0\x7f\x10\x00"
"""(7FE0,0010) as its bytes stand in a little-endian file; the header ends before it."""

_DAMAGE = (
    ValueError, TypeError, LookupError, AttributeError, ArithmeticError, EOFError, RuntimeError,
    struct.error, BytesLengthException,
)  # fmt: skip
"""What pydicom raises on files that are damaged or encoded in a way that it doesn't know (found by fuzzing)."""

_TAGS = [
    "ImageType", "StudyDate", "AcquisitionDate", "AcquisitionTime", "SeriesTime", "SeriesDescription",
    "ProtocolName", "EchoTime", "MagneticFieldStrength", "ImageComments", "StudyInstanceUID", "SeriesInstanceUID",
    "SeriesNumber", "AcquisitionNumber", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient",
    "Rows", "Columns", "PixelSpacing",
]  # fmt: skip


def read_header(content: bytes, where: str) -> Header | None:
    """Read the header of one file.

    Parameters
    ----------
    content : bytes
        The file, at least up to its pixel data.
    where : str
        Name of the file, kept in the header.

    Returns
    -------
    Header, or None if this is no DICOM image with a place in space (a manifest, a report, a damaged file).
    """
    if not _looks_like_dicom(content):
        return None
    try:
        with disable_value_validation():
            data = pydicom.dcmread(io.BytesIO(content), force=True, stop_before_pixels=True, specific_tags=_TAGS)
            return _header(data, where)
    except _DAMAGE as exc:
        logger.info("%s has a damaged header (%s)", where, exc)
        return None


def read_pixels(content: bytes, header: Header) -> IntVolume:
    """Read the image of one file.

    Returns
    -------
    (y, x) uint16, rows and columns as the file has them, arbitrary scanner units.

    Raises
    ------
    SourceError
        If the pixels are cut short, compressed with something that isn't installed, or negative.
    """
    try:
        with disable_value_validation():
            pixels = _pixels(pydicom.dcmread(io.BytesIO(content), force=True), (header.rows, header.columns))
    except _DAMAGE as exc:
        raise SourceError(f"{header.where}: the image can't be decoded ({exc})") from exc
    if pixels.dtype.kind == "i" and pixels.min() < 0:
        raise SourceError(f"{header.where}: a magnitude image can't be negative, found {pixels.min()}")
    return np.asarray(pixels, dtype=np.uint16)


def _header(data: Dataset, where: str) -> Header | None:
    if any(tag not in data for tag in ("SeriesInstanceUID", "Rows", "Columns")):
        return None
    spacing = _numbers(data, "PixelSpacing", 2)
    position = _numbers(data, "ImagePositionPatient", 3)
    orientation = _numbers(data, "ImageOrientationPatient", 6)
    if spacing is None or position is None or orientation is None:
        return None
    date = _text(data, "AcquisitionDate") or _text(data, "StudyDate")
    time = _text(data, "AcquisitionTime") or _text(data, "SeriesTime")
    return Header(
        where=where,
        series_uid=str(data.SeriesInstanceUID),
        study_uid=_text(data, "StudyInstanceUID"),
        series_number=_integer(data, "SeriesNumber"),
        acquisition_number=_integer(data, "AcquisitionNumber"),
        instance_number=_integer(data, "InstanceNumber"),
        description=_text(data, "SeriesDescription") or _text(data, "ProtocolName"),
        image_type=_texts(data, "ImageType"),
        echo_time_ms=_number(data, "EchoTime"),
        field_strength_t=_number(data, "MagneticFieldStrength"),
        acquired=date + time,
        comments=_text(data, "ImageComments"),
        rows=int(data.Rows),
        columns=int(data.Columns),
        spacing_mm=(spacing[0], spacing[1]),
        position=(position[0], position[1], position[2]),
        row_direction=(orientation[0], orientation[1], orientation[2]),
        column_direction=(orientation[3], orientation[4], orientation[5]),
    )


def _pixels(data: Dataset, shape: tuple[int, int]) -> npt.NDArray[Any]:
    """Integers of this shape; ValueError if there are none."""
    raw = data.get("PixelData", b"")
    # The length tells uncompressed 16 bit, whatever transfer syntax the file claims.
    if len(raw) == 2 * shape[0] * shape[1] and data.get("BitsAllocated", 16) == 16:
        order = "<" if data.original_encoding[1] is not False else ">"
        kind = "i2" if data.get("PixelRepresentation", 0) == 1 else "u2"
        return np.frombuffer(raw, f"{order}{kind}").reshape(shape)
    if "TransferSyntaxUID" not in data.file_meta or not data.file_meta.TransferSyntaxUID.is_compressed:
        expected = shape[0] * shape[1] * data.get("BitsAllocated", 16) // 8
        if len(raw) < expected:
            raise ValueError(f"expected {expected} bytes of pixels, found {len(raw)}")
    pixels: npt.NDArray[Any] = data.pixel_array
    if pixels.shape != shape or pixels.dtype.kind not in "iu":
        raise ValueError(f"expected {shape} integers, found {pixels.shape} {pixels.dtype}")
    return pixels


def _looks_like_dicom(content: bytes) -> bool:
    """Whether there is a preamble, or, without one, an element of group 0002 or 0008 to begin with."""
    return content[128:132] == b"DICM" or content[:2] in (b"\x02\x00", b"\x08\x00", b"\x00\x08")


def _text(data: Dataset, tag: str) -> str:
    value = data.get(tag)
    return "" if value is None else str(value).strip()


def _texts(data: Dataset, tag: str) -> tuple[str, ...]:
    value = data.get(tag)
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, MultiValue) else (str(value),)


def _numbers(data: Dataset, tag: str, count: int) -> list[float] | None:
    """Give `count` finite numbers, or None."""
    try:
        values: Any = data.get(tag)
        numbers = [float(value) for value in values] if values is not None else []
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None


def _number(data: Dataset, tag: str) -> float | None:
    try:
        value: Any = data.get(tag)
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


def _integer(data: Dataset, tag: str) -> int:
    number = _number(data, tag)
    return -1 if number is None else int(number)
