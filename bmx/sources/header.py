"""What bmx wants to know of one image of an exam, whatever kind of file it came from."""

from __future__ import annotations

from dataclasses import dataclass

SIMULATED_COMMENT = "bmx simulated anatomy, not a person"
"""What ImageComments says in every file that `bmx.simulation` writes."""


@dataclass(frozen=True, slots=True)
class Header:
    """One slice, as its file describes it."""

    where: str
    """Name of the file or zip member."""
    series_uid: str
    study_uid: str
    series_number: int
    """-1 if missing; numbers shift when an exam is restarted."""
    acquisition_number: int
    instance_number: int
    description: str
    """SeriesDescription, or ProtocolName where that is blank."""
    image_type: tuple[str, ...]
    echo_time_ms: float | None
    field_strength_t: float | None
    acquired: str
    """Date and time as digits; sorts by time, empty if unknown."""
    comments: str
    rows: int
    columns: int
    spacing_mm: tuple[float, float]
    """Between rows, between columns."""
    position: tuple[float, float, float]
    """Centre of the first voxel, LPS millimetres."""
    row_direction: tuple[float, float, float]
    """Unit vector along which the column index grows, LPS."""
    column_direction: tuple[float, float, float]
    """Unit vector along which the row index grows, LPS."""

    @property
    def simulated(self) -> bool:
        """Whether bmx made this image."""
        return self.comments == SIMULATED_COMMENT
