"""Why the paper would have lost a region: the expected column of its Table 3."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from bmx.regions import Region
from bmx.simulation.faults.base import Cause, Fault
from bmx.simulation.faults.registry import FAULTS

if TYPE_CHECKING:
    from bmx.simulation.bodies import SimulatedSlab

_WHOLE: Final = 0.98
"""Share of a region that must lie in its slab for the region to count as inside."""

_FIRST: tuple[Cause, ...] = (
    "data structure", "fully outside", "partially outside", "imaging artefact", "skeletal abnormality",
)  # fmt: skip
"""Which cause is named if there are several: what keeps images from being looked at at all comes first."""


def expected_cause(region: Region, faults: Iterable[Fault], slabs: Mapping[int, SimulatedSlab]) -> Cause:
    """Name the cause by which a region can be lost; empty if there is none.

    A swap counts if it touches the region; a position counts by how much of the region lies in its slab.
    """
    slab = slabs[region.slab]
    causes: set[Cause] = set()
    for fault in faults:
        kind = FAULTS[fault.name]
        touched = kind.stage != "images" or (
            slab.swapped is not None and bool((slab.swapped & slab.masks[region.name]).any())
        )
        if kind.concerns(fault, region) and touched:
            causes.add(kind.cause)
    covered = slab.coverage[region.name]
    if covered < _WHOLE:
        causes.add("partially outside" if covered > 0 else "fully outside")
    return next((cause for cause in _FIRST if cause in causes), "")
