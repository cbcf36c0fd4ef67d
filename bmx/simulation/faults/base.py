"""What a fault is: a function that changes one thing, and a label that says so.

A fault belongs to a stage of simulation, and the stage says what its function takes and gives:

| stage | changes | signature |
|---|---|---|
| person | who is imaged | `(person, rng) -> (person, Fault)` |
| body | their anatomy | `(anatomy, rng) -> (anatomy, Fault)` |
| placement | how they lie in the scanner | `(Positioning, rng) -> (Positioning, Fault)` |
| images | what the reconstruction makes of it | `(slabs, rng) -> (slabs, Fault)` |
| exam | series, headers, manifest | `(Exam, rng) -> (Exam, Fault)` |
| file | the zip, in place | `(path, rng) -> Fault` |

Nothing that is given is changed in place, but for files; so faults compose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from bmx.regions import REGIONS, Region

Stage = Literal["person", "body", "placement", "images", "exam", "file"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
"""In the order in which they are applied."""

Cause = Literal["", "data structure", "imaging artefact", "partially outside", "fully outside", "skeletal abnormality"]
"""Columns 4 to 8 of the paper's Table 3; empty if a region fails by none of them."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The label of one fault of one participant."""

    name: str
    slab: int = 0
    """0 if it concerns the whole exam."""
    detail: str = ""
    """`key=value` of everything that was drawn, separated by blanks; side=both, left or right."""

    def value(self, key: str) -> str:
        """What `detail` says of `key`; empty if nothing.

        Examples
        --------
        >>> Fault("swap_leg", 5, "side=left voxels=1200").value("side")
        'left'
        """
        return dict(part.split("=", 1) for part in self.detail.split()).get(key, "")


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One sort of fault."""

    name: str
    stage: Stage
    meaning: str
    """One sentence for the user."""
    apply: Callable[..., Any]
    """Its signature follows from the stage."""
    cause: Cause = ""
    """Why the paper would have lost a region by it; that of a placement follows from the region's coverage."""
    regions: tuple[str, ...] = tuple(REGIONS)
    """Regions that it can spoil, if its slab and side are theirs."""
    slabs: tuple[int, ...] = ()
    """It needs one of these slabs in the exam; empty if any will do."""
    diagnoses: tuple[str, ...] = ()
    """ICD-10 codes that a person with it has, without the dot."""

    def concerns(self, fault: Fault, region: Region) -> bool:
        """Whether a fault of this kind can have spoilt a region."""
        return (
            region.name in self.regions
            and fault.slab in (0, region.slab)
            and (region.side == "both" or fault.value("side") in ("", "both", region.side))
        )
