"""Elements of DICOM files as bytes, and how to step over sequences whose length isn't stated."""

from __future__ import annotations

import struct
from typing import Final

from pydicom.datadict import dictionary_VR

from bmx.sources.tag_values import Unusual

CHARACTER_SET: Final = 0x00080005
UNDEFINED: Final = 0xFFFFFFFF
"""Length of what ends where a mark says so."""
SHORT = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
"""Kinds of values whose length has two bytes in explicit files."""
LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
"""Kinds whose length has four bytes, after two that are reserved."""
ITEM_BYTES: Final = b"\xfe\xff\x00\xe0"
MOST_ITEMS: Final = 10_000
"""Of sequences in one file; a general reader makes an object of each, and a few megabytes could keep it for an hour."""
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_DEEPEST = 8
"""Sequences within sequences; files of scanners have three at most."""

explicit_element = struct.Struct("<HH2sH").unpack_from
"""Group, element, kind of value, length (0 where a long one follows)."""
implicit_element = struct.Struct("<HHI").unpack_from
"""Group, element, length."""
long_length = struct.Struct("<I").unpack_from


class Cut(Exception):  # noqa: N818 - as `Unusual`
    """The bytes end here."""


def skip_sequence(content: bytes, position: int, tag: int, kind: bytes | None) -> int:
    """Offset after a sequence of undefined length, which is only known by looking at all its parts."""
    if kind is None and not _is_sequence(tag):
        raise Unusual
    if kind is not None and kind != b"SQ":
        raise Unusual
    return _skip_items(content, position, kind is not None, 0)


def _skip_items(content: bytes, position: int, is_explicit: bool, depth: int) -> int:
    if depth > _DEEPEST:
        raise Unusual
    while True:
        if position + 8 > len(content):
            raise Cut
        group, element, length = implicit_element(content, position)
        tag = group << 16 | element
        position += 8
        if tag == _SEQUENCE_END and length == 0:
            return position
        if tag != _ITEM:
            raise Unusual
        position = _skip_item(content, position, length, is_explicit, depth)


def _skip_item(content: bytes, position: int, size: int, is_explicit: bool, depth: int) -> int:
    """Offset after one item, whose elements must be as orderly as those around it."""
    end = None if size == UNDEFINED else position + size
    last = 0
    while position != end:
        if position + 12 > len(content):
            raise Cut
        group, element, length = implicit_element(content, position)
        tag = group << 16 | element
        if end is None and tag == _ITEM_END and length == 0:
            return position + 8
        if tag <= last or tag == CHARACTER_SET or group >= 0x7FE0 or (end is not None and position > end):
            raise Unusual
        last, start = tag, position + 8
        kind: bytes | None = None
        if is_explicit:
            _, _, kind, length = explicit_element(content, position)
            if kind in LONG:
                (length,) = long_length(content, start)
                start += 4
            elif kind not in SHORT:
                raise Unusual
        if length != UNDEFINED:
            position = start + length
        elif kind == b"SQ" or (kind is None and _is_sequence(tag)):
            position = _skip_items(content, start, is_explicit, depth + 1)
        else:
            raise Unusual
    return position


def _is_sequence(tag: int) -> bool:
    """Whether the dictionary knows it as one; an implicit file doesn't say."""
    try:
        return dictionary_VR(tag) == "SQ"
    except KeyError:
        return False
