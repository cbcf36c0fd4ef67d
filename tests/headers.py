"""Headers of clean exams, without files: identification reads nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from bmx.acquisition import CONTRASTS, PIXEL_MM, SLABS, ContrastName, slab_top_mm
from bmx.sources.header import Header

ALL = tuple(CONTRASTS)


def header(
    slab: int = 2, contrast: ContrastName = "fat", index: int = 0, *, top: float = 900.0, run: int = 0
) -> Header:
    """One slice of a clean exam; `run` counts how often the exam was begun."""
    grid, kind = SLABS[slab], CONTRASTS[contrast]
    z = top - slab_top_mm(slab) - grid.extent_mm + index * grid.slice_mm
    number = 24 * run + 4 * (slab - 1) + 1 + ALL.index(contrast)
    return Header(
        where=f"{number}-{index}", series_uid=f"{run}.{slab}.{number}", study_uid="1", series_number=number,
        acquisition_number=1, instance_number=index, description=f"Dixon_noBH_{kind.suffix}",
        image_type=("DERIVED", kind.image_types[0]), echo_time_ms=2.39, field_strength_t=1.5,
        acquired=f"20200101{9 + run:02d}{slab:02d}00", comments="", rows=grid.rows, columns=grid.columns,
        spacing_mm=(PIXEL_MM, PIXEL_MM), position=(-250.0, -grid.rows * PIXEL_MM / 2, z),
        row_direction=(1.0, 0.0, 0.0), column_direction=(0.0, 1.0, 0.0),
    )  # fmt: skip


def exam(
    slabs: Iterable[int] = SLABS, contrasts: Iterable[ContrastName] = ALL, *, top: float = 900.0, run: int = 0
) -> list[Header]:
    """All headers of an exam."""
    kept = tuple(contrasts)
    return [
        header(slab, contrast, index, top=top, run=run)
        for slab in slabs
        for contrast in kept
        for index in range(SLABS[slab].slices)
    ]
