"""A reader for the headers of ordinary DICOM files, for the speed (`benchmarks/ingest.py`).

It reads little-endian files, explicit or implicit, with or without preamble and meta information, whose
elements stand in order and whose values are written plainly. It never guesses: at anything else it gives
up, and pydicom decides (`bmx.sources.dicom_tags`). Where it succeeds it gives what pydicom would give.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from bmx.sources.header import Header
from bmx.sources.tag_sequences import (
    CHARACTER_SET,
    ITEM_BYTES,
    LONG,
    MOST_ITEMS,
    SHORT,
    UNDEFINED,
    Cut,
    explicit_element,
    implicit_element,
    long_length,
    skip_sequence,
)
from bmx.sources.tag_values import Unusual, numbers, optional_number, short, text, texts, uid, whole_number

Place = tuple[int, int, int]
"""A tag, and where its value begins and ends."""


class GaveUp(Enum):
    """Why there is no header."""

    CUT = "the bytes end before the pixels begin"
    UNUSUAL = "something here is for a general reader to judge"


@dataclass(frozen=True, slots=True)
class Scan:
    """The header of one file, and where its pixels lie."""

    header: Header
    pixel_start: int
    """Offset of the first pixel, bytes."""
    pixel_bytes: int
    is_plain: bool
    """Whether the pixels are unsigned 16-bit integers, as many as the image has, with nothing encapsulated."""
    varying: tuple[Place, ...]
    """Values that may differ between slices of one series; `bmx.sources.tag_template` uses them."""


SERIES_UID: Final = 0x0020000E
ROWS: Final = 0x00280010
COLUMNS: Final = 0x00280011
BITS_ALLOCATED: Final = 0x00280100
PIXEL_REPRESENTATION: Final = 0x00280103
PIXEL_DATA: Final = 0x7FE00010
INSTANCE_NUMBER: Final = 0x00200013
POSITION: Final = 0x00200032
_IMAGE_UID: Final = 0x00020003
_SYNTAX: Final = 0x00020010

_WANTED: Final = {
    CHARACTER_SET: b"CS", 0x00080008: b"CS", 0x00080020: b"DA", 0x00080022: b"DA", 0x00080031: b"TM",
    0x00080032: b"TM", 0x0008103E: b"LO", 0x00180081: b"DS", 0x00180087: b"DS", 0x00181030: b"LO",
    0x0020000D: b"UI", SERIES_UID: b"UI", 0x00200011: b"IS", 0x00200012: b"IS", INSTANCE_NUMBER: b"IS",
    POSITION: b"DS", 0x00200037: b"DS", 0x00204000: b"LT", ROWS: b"US", COLUMNS: b"US", 0x00280030: b"DS",
    BITS_ALLOCATED: b"US", PIXEL_REPRESENTATION: b"US",
}  # fmt: skip
"""Tags that are read, and how the standard says that they are written."""

_VARYING = frozenset(
    [INSTANCE_NUMBER, POSITION, 0x00080012, 0x00080013, 0x00080018, 0x00080023, 0x00080033, 0x00201041,
     0x00280106, 0x00280107, 0x00281050, 0x00281051]
)  # fmt: skip
"""Tags that differ between slices of one series: names and times of images, places, ranges of their values."""
_META = frozenset(b"AE OB SH UI UL".split())
"""Kinds that occur in meta information."""
_PLAIN_CHARACTERS = {b"", b"ISO_IR 6", b"ISO_IR 100", b"ISO_IR 192"}
"""Character sets in which ASCII means ASCII."""
_IMPLICIT = b"1.2.840.10008.1.2"
_EXPLICIT = b"1.2.840.10008.1.2.1"
_COMPRESSED = (b"1.2.840.10008.1.2.4.", b"1.2.840.10008.1.2.5")
"""Explicit little-endian headers, whatever the pixels are."""


def scan(content: bytes, where: str) -> Scan | GaveUp:
    """Read the header of one file.

    Parameters
    ----------
    content : bytes
        The file, or as much of its beginning as there is: at least to the first bytes of the pixels.
    where : str
        Name of the file, kept in the header.

    Returns
    -------
    Scan
        Or `GaveUp.CUT` if more bytes may help, `GaveUp.UNUSUAL` if they won't. It never raises.
    """
    try:
        varying: list[Place] = []
        begin, syntax = _skip_meta(content, varying)
        is_explicit = _is_explicit(content, begin, syntax)
        values, start, size = _elements(content, begin, is_explicit, varying)
        return _scan(values, start, size, where, tuple(varying))
    except Cut:
        return GaveUp.CUT
    except Unusual:
        return GaveUp.UNUSUAL


def _skip_meta(content: bytes, varying: list[Place]) -> tuple[int, bytes | None]:
    """Offset of the data set, and the transfer syntax that the meta information names; None without any."""
    position = 132 if content[128:132] == b"DICM" else 0
    syntax: bytes | None = None
    last = 0
    while True:
        if position + 12 > len(content):
            raise Cut
        group, element, kind, length = explicit_element(content, position)
        if group != 2:
            if last and syntax is None:
                raise Unusual
            return position, syntax
        tag = group << 16 | element
        start = position + 8
        if kind == b"OB":
            (length,) = long_length(content, start)
            start += 4
        if kind not in _META or tag <= last or length == UNDEFINED:
            raise Unusual
        if (kind == b"UL") != (element == 0) or (element == 0 and length != 4):
            raise Unusual
        if tag == _SYNTAX:
            if kind != b"UI":
                raise Unusual
            if start + length > len(content):
                raise Cut
            syntax = content[start : start + length].rstrip(b"\0")
        last, position = tag, start + length
        if tag == _IMAGE_UID:
            varying.append((tag, start, position))


def _is_explicit(content: bytes, begin: int, syntax: bytes | None) -> bool:
    """Whether elements carry the kind of their values; Unusual if the file says otherwise than it does."""
    group, _, kind, _ = explicit_element(content, begin)
    if group < 8:  # commands come before 0008, and what comes later is no beginning
        raise Unusual
    explicit: bool = kind in SHORT or kind in LONG
    if syntax is None and group == 8:
        named = explicit
    elif syntax == _IMPLICIT:
        named = False
    elif syntax == _EXPLICIT or (syntax is not None and syntax.startswith(_COMPRESSED)):
        named = True
    else:
        raise Unusual
    if named != explicit or (not explicit and kind.isalpha() and kind.isupper()):
        raise Unusual
    return explicit


def _elements(
    content: bytes, position: int, is_explicit: bool, varying: list[Place]
) -> tuple[dict[int, bytes], int, int]:
    """Values of the wanted tags, offset and number of bytes of the pixels."""
    values: dict[int, bytes] = {}
    kind: bytes | None
    end, last, undefined = len(content) - 12, 0, False
    while True:
        if position > end:
            raise Cut
        if is_explicit:
            tag, kind, is_long, is_wanted, varies = _explicit_tag(content[position : position + 6])
        else:
            tag, kind, is_long, is_wanted, varies = _implicit_tag(content[position : position + 4])
        if is_long:
            start = position + (12 if is_explicit else 8)
            (length,) = long_length(content, start - 4)
        else:
            start = position + 8
            length = content[position + 6] | content[position + 7] << 8
        if tag <= last:
            raise Unusual
        last = tag
        if tag >= 0x7FE00000:
            break
        if length == UNDEFINED:
            position, undefined = skip_sequence(content, start, tag, kind), True
            continue
        position = start + length
        if is_wanted:
            values[tag] = content[start:position]
        if varies:
            varying.append((tag, start, position))
    if undefined and content.count(ITEM_BYTES, 0, start) > MOST_ITEMS:
        raise Unusual
    if tag != PIXEL_DATA or length == UNDEFINED or kind not in (None, b"OW", b"OB"):
        raise Unusual
    return values, start, length


@lru_cache(maxsize=4096)
def _explicit_tag(begin: bytes) -> tuple[int, bytes, bool, bool, bool]:
    """What the first six bytes of an element say: tag, kind, and whether its length is long, it is wanted, it varies.

    A file has fifty elements, an exam the same fifty a thousand times.
    """
    group, element, kind, _ = explicit_element(begin + b"\0\0")
    tag = group << 16 | element
    wanted = _WANTED.get(tag)
    if kind not in SHORT and kind not in LONG:
        raise Unusual
    if wanted is not None and kind != wanted:
        raise Unusual
    return tag, kind, kind in LONG, wanted is not None, _varies(tag)


@lru_cache(maxsize=4096)
def _implicit_tag(begin: bytes) -> tuple[int, None, bool, bool, bool]:
    """The same for the first four bytes of an element that doesn't say what kind of value it has."""
    group, element, _ = implicit_element(begin + b"\0\0\0\0")
    tag = group << 16 | element
    return tag, None, True, tag in _WANTED, _varies(tag)


def _varies(tag: int) -> bool:
    """Whether slices of one series may differ in it; private elements may."""
    return tag in _VARYING or tag >> 16 & 1 == 1


def _scan(values: dict[int, bytes], start: int, size: int, where: str, varying: tuple[Place, ...]) -> Scan:
    if values.get(CHARACTER_SET, b"").rstrip(b" ") not in _PLAIN_CHARACTERS:
        raise Unusual
    get = values.get
    between_rows, between_columns = numbers(get(0x00280030), 2)
    x, y, z = numbers(get(POSITION), 3)
    row_x, row_y, row_z, column_x, column_y, column_z = numbers(get(0x00200037), 6)
    date = text(get(0x00080022)) or text(get(0x00080020))
    time = text(get(0x00080032)) or text(get(0x00080031))
    header = Header(
        where=where,
        series_uid=uid(get(SERIES_UID)),
        study_uid=text(get(0x0020000D)),
        series_number=whole_number(get(0x00200011)),
        acquisition_number=whole_number(get(0x00200012)),
        instance_number=whole_number(get(INSTANCE_NUMBER)),
        description=text(get(0x0008103E)) or text(get(0x00181030)),
        image_type=texts(get(0x00080008)),
        echo_time_ms=optional_number(get(0x00180081)),
        field_strength_t=optional_number(get(0x00180087)),
        acquired=date + time,
        comments=text(get(0x00204000)),
        rows=short(get(ROWS)),
        columns=short(get(COLUMNS)),
        spacing_mm=(between_rows, between_columns),
        position=(x, y, z),
        row_direction=(row_x, row_y, row_z),
        column_direction=(column_x, column_y, column_z),
    )
    is_plain = (
        size == 2 * header.rows * header.columns > 0
        and get(BITS_ALLOCATED) == b"\x10\0"
        and get(PIXEL_REPRESENTATION) == b"\0\0"
    )
    return Scan(header, start, size, is_plain, varying)
