"""Whether a NIfTI file is the slab that its name says, and its headers, slice by slice."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bmx.acquisition import CONTRASTS, SLABS, ContrastName, Slab, slab_top_mm
from bmx.sources.header import Header
from bmx.sources.nifti_image import NiftiImage
from bmx.sources.series import Series

_SPACING_TOLERANCE = 0.02
"""As for DICOM: slices further apart than the protocol's by more than this are another grid's."""
_REACH_MM = 60.0
"""How far a slab may lie from its place in the chain, as for DICOM; slabs of one size are 161 mm apart."""
_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])


def nifti_headers(image: NiftiImage, file: str, slab: int, contrast: ContrastName, *, study: str) -> tuple[Header, ...]:
    """Describe each slice of a file as a DICOM file would, from foot to head.

    The name of the file stands for the series UID. The description names the contrast, and the series number
    is that of a clean exam: identification needs both, and by the number alone tells a lone slab 3 from 2 and 4.
    """
    lps = image.affine * _RAS_TO_LPS[:, None] + 0.0
    columns, rows, slices = image.shape
    between_columns, between_rows = np.linalg.norm(lps[:, :2], axis=0)
    row, column = lps[:, 0] / between_columns, lps[:, 1] / between_rows
    number = len(CONTRASTS) * (slab - 1) + 1 + list(CONTRASTS).index(contrast)
    positions = lps[:, 3] + np.arange(slices)[:, None] * lps[:, 2]
    return tuple(
        Header(
            where=f"{file}[{z}]", series_uid=file, study_uid=study, series_number=number, acquisition_number=1,
            instance_number=z + 1, description=f"Dixon_{CONTRASTS[contrast].suffix}", image_type=(),
            echo_time_ms=None, field_strength_t=None, acquired="", comments=image.description,
            rows=rows, columns=columns, spacing_mm=(float(between_rows), float(between_columns)),
            position=_triple(positions[z]), row_direction=_triple(row), column_direction=_triple(column),
        )
        for z in range(slices)
    )  # fmt: skip


def why_no_slab(series: Series, number: int) -> str:
    """Why these slices can't be slab `number`; empty if they can. A slab may lack slices, as in an archive."""
    slab, first = SLABS[number], series.first
    if not series.is_axial:
        return f"expected axial slices, found rows along {_numbers(first.row_direction)} (LPS)"
    step = series.step_mm
    rows_fit = (first.rows, first.columns) == (slab.rows, slab.columns)
    if len(series.headers) > 1 and rows_fit and series.span <= slab.stored_slices and _near(step, slab.slice_mm):
        return ""
    found = f"{first.rows} × {first.columns} × {len(series.headers)} voxels with slices every {step:.3f} mm"
    fitting = [
        other.number
        for other in SLABS.values()
        if (first.rows, first.columns) == (other.rows, other.columns) and _near(step, other.slice_mm)
    ]
    hint = f", the grid of slab {' or '.join(map(str, fitting))}" if fitting else ""
    return f"its name says slab {number}, expected {_grid(slab)}; found {found}{hint}"


def misplaced(slabs: Mapping[int, Mapping[ContrastName, Series]]) -> dict[int, str]:
    """Slabs whose names can't be true beside the others', and why.

    Each slab says where slab 1 would begin if its name were true. The beginning that most slabs agree with is
    taken for the truth, and the others are refused; where no beginning wins, all are.
    """
    begins = {
        number: float(np.median([_top_mm(series) for series in contrasts.values()])) + slab_top_mm(number)
        for number, contrasts in slabs.items()
        if contrasts
    }
    agreeing = {
        number: frozenset(other for other, begin in begins.items() if abs(begin - begins[number]) <= _REACH_MM)
        for number in begins
    }
    most = max(map(len, agreeing.values()), default=0)
    best = {group for group in agreeing.values() if len(group) == most}
    contradict = not best or not frozenset.intersection(*best)
    believed: frozenset[int] = frozenset() if contradict else frozenset.union(*best)
    return {number: _where_else(number, begins, believed) for number in begins if number not in believed}


def _where_else(number: int, begins: Mapping[int, float], believed: frozenset[int]) -> str:
    others = {other: begin for other, begin in begins.items() if other != number}
    nearest = {other: begins[other] for other in believed} or others
    away = begins[number] - float(np.median(list(nearest.values())))
    return (
        f"its name says slab {number}, but by the names of slab {', '.join(map(str, nearest))} it lies "
        f"{abs(away):.0f} mm too {'high' if away > 0 else 'low'}, expected within {_REACH_MM:.0f} mm; "
        "are slabs exchanged, or files of two exams mixed?"
    )


def _top_mm(series: Series) -> float:
    return float(series.heights[-1]) + series.step_mm


def _near(step: float, expected: float) -> bool:
    return bool(np.isclose(step, expected, rtol=_SPACING_TOLERANCE))


def _grid(slab: Slab) -> str:
    return f"{slab.rows} × {slab.columns} × {slab.slices} voxels with slices every {slab.slice_mm} mm"


def _triple(vector: np.ndarray) -> tuple[float, float, float]:
    x, y, z = map(float, vector)
    return x, y, z


def _numbers(vector: tuple[float, float, float]) -> str:
    return ", ".join(f"{value:.2f}" for value in vector)
