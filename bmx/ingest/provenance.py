"""One line for every DICOM series: the `series` group of the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bmx.ingest.identify import Identified, SeriesLine
from bmx.variables import variables_of

SERIES = "series"
"""Name of the group, and of its dimension."""


def series_columns(eids: Sequence[int], exams: Sequence[Identified | None]) -> dict[str, npt.NDArray[Any]]:
    """Columns of the `series` group for these participants, as `series/<variable>`; text as NumPy `U`."""
    lines = [
        _values(eid, line) for eid, exam in zip(eids, exams, strict=True) if exam is not None for line in exam.lines
    ]
    return {
        f"{SERIES}/{variable.name}": np.array(
            [line[variable.name] for line in lines], np.str_ if variable.dtype == "string" else variable.dtype
        )
        for variable in variables_of("series")
    }


def _values(eid: int, line: SeriesLine) -> dict[str, Any]:
    first = line.series.first
    return {
        "series_participant": eid,
        "series_uid": first.series_uid,
        "series_number": first.series_number,
        "series_description": first.description,
        "series_slab": line.slab,
        "series_contrast": line.contrast or "",
        "series_slices": len(line.series.headers),
        "series_used": line.used,
        "series_reason": line.reason,
    }
