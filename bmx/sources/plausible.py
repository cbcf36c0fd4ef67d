"""Whether what a header says can be true of an image of a person.

Damage leaves headers that read well and mean nothing: images without rows, slices a light-year away. They are
told here, before anything is allocated or computed from them.
"""

from __future__ import annotations

from math import hypot

from bmx.sources.header import Header

_MOST_PIXELS = 2048
"""Rows or columns; images of the archive have at most 224."""
_SPACING_MM = (0.01, 100.0)
_FARTHEST_MM = 10_000.0
"""From the centre of the magnet, along each axis."""
_UNIT = 1e-3
"""How far lengths and angles of directions may be off; files round their cosines to six digits at least."""
_LONGEST = 256
"""Characters of a text; the standard allows 64 for those that are kept for each series."""


def implausible(header: Header) -> str:
    """Say what can't be true of this header; empty if all can."""
    return _size(header) or _place(header) or _directions(header) or _texts(header)


def _size(header: Header) -> str:
    if not (0 < header.rows <= _MOST_PIXELS and 0 < header.columns <= _MOST_PIXELS):
        return f"an image can't have {header.rows} × {header.columns} pixels; expected 1 to {_MOST_PIXELS} each"
    low, high = _SPACING_MM
    between_rows, between_columns = header.spacing_mm
    if not (low <= between_rows <= high and low <= between_columns <= high):
        return f"pixels can't be {between_rows:g} × {between_columns:g} mm apart; expected {low:g} to {high:g}"
    return ""


def _place(header: Header) -> str:
    # Written so that NaN fails too.
    if not all(abs(coordinate) <= _FARTHEST_MM for coordinate in header.position):
        place = ", ".join(f"{coordinate:g}" for coordinate in header.position)
        return f"a slice can't lie at ({place}) mm; expected at most {_FARTHEST_MM:g} along each axis"
    return ""


def _directions(header: Header) -> str:
    row, column = header.row_direction, header.column_direction
    lengths = hypot(*row), hypot(*column)
    if not all(abs(length - 1) <= _UNIT for length in lengths):
        return f"directions of rows and columns have lengths {lengths[0]:.4g} and {lengths[1]:.4g}; expected 1"
    cosine = row[0] * column[0] + row[1] * column[1] + row[2] * column[2]
    if not abs(cosine) <= _UNIT:
        return f"rows and columns aren't perpendicular (cosine {cosine:.4g}); expected 0"
    return ""


def _texts(header: Header) -> str:
    texts = {
        "the description": header.description,
        "the series UID": header.series_uid,
        "the study UID": header.study_uid,
        "date and time": header.acquired,
        "the image type": "\\".join(header.image_type),
    }
    for name, value in texts.items():
        if len(value) > _LONGEST:
            return f"{name} can't have {len(value)} characters; expected at most {_LONGEST}"
    return ""
