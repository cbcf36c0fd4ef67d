"""Everything in an archive accounted for: the `series` group of the store.

A row for every DICOM series; for files that are no images, one per kind of reason; for an archive that
can't be read, one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bmx.ingest.identify import SeriesLine
from bmx.ingest.reasons import by_class
from bmx.ingest.slab_rows import Opened
from bmx.variables import variables_of

SERIES = "series"
"""Name of the group, and of its dimension."""

Row = Mapping[str, Any]


def series_rows(one: Opened) -> list[Row]:
    """Account for everything in one archive; the participant is told by `series_columns`."""
    if one.status == "withdrawn":
        return []
    if one.exam is None:
        return [_no_image(f"the archive can't be read: {one.problem}")]
    lines = one.found.lines if one.found is not None else ()
    rows = [*map(_values, lines), *map(_no_image, describe_rejected(one.exam.rejected))]
    return rows or [_no_image(one.problem)]


def series_columns(eids: Sequence[int], rows: Sequence[Sequence[Row]]) -> dict[str, npt.NDArray[Any]]:
    """Columns of the `series` group for these participants, as `series/<variable>`; text as NumPy `U`."""
    whole = [{"series_participant": eid, **row} for eid, mine in zip(eids, rows, strict=True) for row in mine]
    return {
        f"{SERIES}/{variable.name}": np.array(
            [row[variable.name] for row in whole], np.str_ if variable.dtype == "string" else variable.dtype
        )
        for variable in variables_of("series")
    }


def describe_rejected(rejected: Mapping[str, str]) -> list[str]:
    """Sum up files that are no images, a line for each kind of reason.

    Examples
    --------
    >>> describe_rejected({"a.txt": "not DICOM", "b.dcm": "Rows is 0", "c.dcm": "Rows is -1"})
    ['a.txt is no image: not DICOM', '2 files are no images, such as b.dcm: Rows is 0']
    """
    return [
        f"{files[0][0]} is no image: {files[0][1]}"
        if len(files) == 1
        else f"{len(files)} files are no images, such as {files[0][0]}: {files[0][1]}"
        for files in by_class(rejected.items()).values()
    ]


def _values(line: SeriesLine) -> Row:
    first = line.series.first
    return {
        "series_uid": first.series_uid,
        "series_number": first.series_number,
        "series_description": first.description,
        "series_slab": line.slab,
        "series_contrast": line.contrast or "",
        "series_slices": len(line.series.headers),
        "series_used": line.used,
        "series_reason": line.reason,
    }


def _no_image(reason: str) -> Row:
    return {
        "series_uid": "",
        "series_number": -1,
        "series_description": "",
        "series_slab": 0,
        "series_contrast": "",
        "series_slices": 0,
        "series_used": False,
        "series_reason": reason,
    }
