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
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from bmx.errors import SourceError
from bmx.sources.header import Header
from bmx.sources.plausible import implausible
from bmx.sources.tag_reader import Scan, scan
from bmx.sources.tag_sequences import ITEM_BYTES, MOST_ITEMS
from bmx.sources.tag_values import LARGEST
from bmx.types import IntVolume

logger = logging.getLogger(__name__)

_DAMAGE = (
    ValueError, TypeError, LookupError, AttributeError, ArithmeticError, EOFError, OSError, RuntimeError,
    struct.error, BytesLengthException,
)  # fmt: skip
"""What pydicom raises on files that are damaged or encoded in a way that it doesn't know (found by fuzzing)."""

_DEFLATED = b"1.2.840.10008.1.2.1.99"

_TAGS = [
    "ImageType", "StudyDate", "AcquisitionDate", "AcquisitionTime", "SeriesTime", "SeriesDescription",
    "ProtocolName", "EchoTime", "MagneticFieldStrength", "ImageComments", "StudyInstanceUID", "SeriesInstanceUID",
    "SeriesNumber", "AcquisitionNumber", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient",
    "Rows", "Columns", "PixelSpacing",
]  # fmt: skip


def read_header(content: bytes, where: str) -> Header | None:
    """Read the header of one file; None if it is of no use (`header_or_reason` says why)."""
    found = header_or_reason(content, where)
    return found if isinstance(found, Header) else None


def header_or_reason(content: bytes, where: str) -> Header | str:
    """Read the header of one file.

    Parameters
    ----------
    content : bytes
        The whole file; of a plain one, at least up to the first bytes of its pixels.
    where : str
        Name of the file, kept in the header.

    Returns
    -------
    Header, or what is wrong if this is no image with a place in space (a manifest, a report, a damaged file).
    """
    found = scan(content, where)
    header = found.header if isinstance(found, Scan) else header_by_pydicom(content, where)
    return header if isinstance(header, str) else implausible(header) or header


def header_by_pydicom(content: bytes, where: str) -> Header | str:
    """Read the header of one file that is unusual; what `scan` gives must be the same."""
    if not content:
        return "the file is empty"
    if not looks_like_dicom(content):
        return "a zip within, which is not opened" if content[:4] == b"PK\x03\x04" else "not a DICOM file"
    try:
        with disable_value_validation():
            return _header(_read(content, stop_before_pixels=True, specific_tags=_TAGS), where)
    except _DAMAGE as exc:
        return f"a DICOM file with a damaged header ({exc})"


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
            pixels = _pixels(_read(content), (header.rows, header.columns))
    except _DAMAGE as exc:
        raise SourceError(f"{header.where}: the image can't be decoded ({exc})") from exc
    if pixels.dtype.kind == "i" and pixels.min() < 0:
        raise SourceError(f"{header.where}: a magnitude image can't be negative, found {pixels.min()}")
    return np.asarray(pixels, dtype=np.uint16)


def _read(content: bytes, **options: Any) -> FileDataset:
    """Read a file that isn't made to exhaust who reads it."""
    if _DEFLATED in content:
        raise ValueError("a deflated data set may inflate to anything and is not read")
    if (count := content.count(ITEM_BYTES)) > MOST_ITEMS:
        raise ValueError(f"expected at most {MOST_ITEMS} items of sequences, found {count}")
    return pydicom.dcmread(io.BytesIO(content), force=True, **options)


def _header(data: Dataset, where: str) -> Header | str:
    if absent := [tag for tag in ("SeriesInstanceUID", "Rows", "Columns") if tag not in data]:
        return f"a DICOM file without {' and '.join(absent)}"
    spacing = _numbers(data, "PixelSpacing", 2)
    position = _numbers(data, "ImagePositionPatient", 3)
    orientation = _numbers(data, "ImageOrientationPatient", 6)
    if spacing is None or position is None or orientation is None:
        lacking = {"PixelSpacing": spacing, "ImagePositionPatient": position, "ImageOrientationPatient": orientation}
        bad = ", ".join(f"{tag} {_shown(data, tag)}" for tag, value in lacking.items() if value is None)
        return f"a DICOM image without a place in space: {bad}"
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
    bits = data.get("BitsAllocated", 16)
    # The length tells uncompressed 16 bit, whatever transfer syntax the file claims.
    if len(raw) == 2 * shape[0] * shape[1] and bits == 16:
        order = "<" if data.original_encoding[1] is not False else ">"
        kind = "i2" if data.get("PixelRepresentation", 0) == 1 else "u2"
        return np.frombuffer(raw, f"{order}{kind}").reshape(shape)
    # Decoders allocate what a file asks for.
    asked = [data.get(tag, 1) or 1 for tag in ("NumberOfFrames", "SamplesPerPixel", "Rows", "Columns")]
    if asked != [1, 1, *shape] or bits not in (8, 16):
        described = f"{' × '.join(map(str, asked))} pixels of {bits} bits"
        raise ValueError(f"expected 1 × 1 × {shape[0]} × {shape[1]} pixels of 8 or 16 bits, found {described}")
    syntax = data.file_meta.get("TransferSyntaxUID")
    if syntax is None or not syntax.is_compressed:
        expected = shape[0] * shape[1] * bits // 8
        if len(raw) < expected:
            raise ValueError(f"expected {expected} bytes of pixels, found {len(raw)}")
    elif not _has_decoder(syntax):
        raise ValueError(f"it is compressed as {syntax.name}, which needs python-gdcm: pip install 'bmx[jpeg]'")
    pixels: npt.NDArray[Any] = data.pixel_array
    if pixels.shape != shape or pixels.dtype.kind not in "iu":
        raise ValueError(f"expected {shape} integers, found {pixels.shape} {pixels.dtype}")
    return pixels


def _has_decoder(syntax: UID) -> bool:
    """Whether some installed library undoes this compression; unknown ones are for pydicom to name."""
    try:
        return bool(get_decoder(syntax).is_available)
    except NotImplementedError:
        return True


def looks_like_dicom(content: bytes) -> bool:
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
    """One number; None if it is missing, no number, or absurd."""
    number = _any_number(data, tag)
    return number if number is not None and abs(number) <= LARGEST else None


def _integer(data: Dataset, tag: str) -> int:
    """One number that the store can hold; -1 if it is missing or no such number."""
    number = _any_number(data, tag)
    return -1 if number is None or not abs(number) < 2**31 else int(number)


def _any_number(data: Dataset, tag: str) -> float | None:
    try:
        value: Any = data.get(tag)
        return None if value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _shown(data: Dataset, tag: str) -> str:
    """A value as a message shows it."""
    value = data.get(tag)
    return "missing" if value is None else f"{value}"[:60]
