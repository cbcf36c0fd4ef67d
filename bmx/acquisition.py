"""The UK Biobank neck-to-knee Dixon protocol (field 20201): slabs, contrasts, expected geometry.

Numbers are those of a clean exam. The archive departs from them in many ways; what a reader
tolerates is decided in `bmx.ingest.identify`, not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

UKB_FIELD = 20201
"""UK Biobank field that holds the Dixon archives."""

PIXEL_MM = 2.232143
"""In-plane spacing of every slab, rows and columns."""

OVERLAP_MM = 37.0
"""How far neighbouring slabs overlap along z."""

REPETITION_TIME_MS = 6.69
FLIP_ANGLE_DEG = 10.0
FIELD_STRENGTH_T = 1.5

ContrastName = Literal["in_phase", "opposed_phase", "fat", "water"]


@dataclass(frozen=True, slots=True)
class Contrast:
    """One of the four images that a Dixon acquisition gives."""

    name: ContrastName
    suffix: str
    """How SeriesDescription ends."""
    image_types: tuple[str, ...]
    """Tokens of ImageType that mean this contrast; the first is the usual one."""
    echo_time_ms: float | None
    """None for fat and water, which are computed from both echoes."""


CONTRASTS: dict[ContrastName, Contrast] = {
    contrast.name: contrast
    for contrast in (
        Contrast("in_phase", "in", ("IN_PHASE", "INPHASE"), 4.77),
        Contrast("opposed_phase", "opp", ("OUT_PHASE", "OUT_OF_PHASE", "OPP_PHASE", "OPPOSED"), 2.39),
        Contrast("fat", "F", ("FAT",), None),
        Contrast("water", "W", ("WATER",), None),
    )
}
"""In the order in which a clean exam stores its series."""

assert set(CONTRASTS) == set(get_args(ContrastName))


@dataclass(frozen=True, slots=True)
class Slab:
    """One of the six axial stations from neck to knee, as the protocol prescribes it."""

    number: int
    rows: int
    columns: int
    slices: int
    slice_mm: float
    stored_slices: int
    """Length of the store's z axis: the protocol's plus a margin, so that nothing is cropped."""
    contents: str

    @property
    def name(self) -> str:
        """Name of the child in the store, `slab_2`."""
        return f"slab_{self.number}"

    @property
    def extent_mm(self) -> float:
        """Length along z."""
        return self.slices * self.slice_mm

    @property
    def stored_shape(self) -> tuple[int, int, int]:
        """(z, y, x) of one stored volume."""
        return (self.stored_slices, self.rows, self.columns)


SLABS: dict[int, Slab] = {
    slab.number: slab
    for slab in (
        Slab(1, 168, 224, 64, 3.0, 64, "neck, shoulders"),
        Slab(2, 174, 224, 44, 4.5, 46, "lower thorax, abdomen"),
        Slab(3, 174, 224, 44, 4.5, 46, "abdomen"),
        Slab(4, 174, 224, 44, 4.5, 46, "pelvis"),
        Slab(5, 162, 224, 72, 3.5, 74, "upper legs"),
        Slab(6, 156, 224, 64, 4.0, 66, "knees"),
    )
}


def slab_top_mm(number: int) -> float:
    """Distance from the top of slab 1 down to the top of slab `number`, in a clean exam.

    Examples
    --------
    >>> slab_top_mm(1), slab_top_mm(2)
    (0.0, 155.0)
    """
    return sum((SLABS[above].extent_mm - OVERLAP_MM for above in range(1, number)), start=0.0)


def slab_number(name: str) -> int:
    """Give 2 for `slab_2`."""
    return int(name.removeprefix("slab_"))
