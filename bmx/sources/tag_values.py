"""Values of DICOM elements that are written plainly, as pydicom would read them; anything else is `Unusual`.

Slices of one series share most of their values, so those that were read already are kept: that saves time, and
the headers of an exam share their texts.
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import isfinite

LARGEST = 1e6
"""Lengths in mm, times in ms and fields in T stay far below; a larger number is damage, and counts as none."""

_LONGEST = 1024
"""Bytes; longer values are damage, and must not stay in the caches below."""

_NUMBER = rb" *[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)? *"
_is_numbers = re.compile(rb"%b(?:\\%b)*" % (_NUMBER, _NUMBER)).fullmatch
_is_whole = re.compile(rb" *[+-]?[0-9]{1,9} *").fullmatch
_is_uid = re.compile(rb"[0-9.]+\0?").fullmatch


class Unusual(Exception):  # noqa: N818 - it is no error, only a hint that pydicom must decide
    """A value, or a file, that is not written plainly."""


@lru_cache(maxsize=4096)
def text(value: bytes | None) -> str:
    """Printable ASCII without its padding; empty if the element is missing.

    Examples
    --------
    >>> text(b"Dixon_BH_17s_F ")
    'Dixon_BH_17s_F'
    """
    if not value:
        return ""
    if len(value) > _LONGEST or not value.isascii() or b"\\" in value:
        raise Unusual
    found = value.rstrip(b"\0").decode("ascii")
    if not found.isprintable():
        raise Unusual
    return found.strip()


@lru_cache(maxsize=4096)
def texts(value: bytes | None) -> tuple[str, ...]:
    r"""Several texts.

    Examples
    --------
    >>> texts(b"DERIVED\\PRIMARY\\FAT ")
    ('DERIVED', 'PRIMARY', 'FAT')
    """
    if value is None:
        return ()
    if not value or len(value) > _LONGEST or not value.isascii():
        raise Unusual
    found = value.decode("ascii")
    if not found.isprintable():
        raise Unusual
    return tuple(found.rstrip(" ").split("\\"))


@lru_cache(maxsize=4096)
def uid(value: bytes | None) -> str:
    """Digits and dots, padded with one zero byte."""
    if value is None or len(value) > _LONGEST or not _is_uid(value):
        raise Unusual
    return value.rstrip(b"\0").decode("ascii")


@lru_cache(maxsize=4096)
def numbers(value: bytes | None, count: int) -> tuple[float, ...]:
    r"""`count` decimal numbers.

    Examples
    --------
    >>> numbers(b"2.232143\\2.232143 ", 2)
    (2.232143, 2.232143)
    """
    if value is None or len(value) > _LONGEST or not _is_numbers(value):
        raise Unusual
    found = tuple([float(part) for part in value.split(b"\\")])
    if len(found) != count or not all(map(isfinite, found)):
        raise Unusual
    return found


def number(value: bytes) -> float:
    """One decimal number that is not absurd."""
    (found,) = numbers(value, 1)
    if abs(found) > LARGEST:
        raise Unusual
    return found


def optional_number(value: bytes | None) -> float | None:
    """One decimal number; None if the element is missing."""
    return None if value is None else number(value)


def whole_number(value: bytes | None) -> int:
    """One integer; -1 if the element is missing."""
    if value is None:
        return -1
    if not _is_whole(value):
        raise Unusual
    return int(value)


def short(value: bytes | None) -> int:
    """One unsigned 16-bit integer."""
    if value is None or len(value) != 2:
        raise Unusual
    return value[0] | value[1] << 8
