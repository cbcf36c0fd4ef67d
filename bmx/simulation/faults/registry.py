"""All faults by name, in the order in which they are applied."""

from __future__ import annotations

from bmx.errors import SourceError, did_you_mean
from bmx.simulation.faults import bodies, foreign, people, placement, slab_series, swaps, whole_exam, zip_files
from bmx.simulation.faults.base import STAGES, FaultKind

# Within the stage of exams, what needs a whole slab comes before what takes images away.
_KINDS = (
    *people.KINDS, *bodies.KINDS, *placement.KINDS, *swaps.KINDS, *slab_series.KINDS, *foreign.KINDS,
    *whole_exam.KINDS, *zip_files.KINDS,
)  # fmt: skip

FAULTS: dict[str, FaultKind] = {kind.name: kind for kind in sorted(_KINDS, key=lambda kind: STAGES.index(kind.stage))}
assert len(FAULTS) == len(_KINDS), "two faults have one name"


def get_fault(name: str) -> FaultKind:
    """Give the fault called `name`, or say which there are.

    Examples
    --------
    >>> get_fault("swap_leg").stage
    'images'
    """
    if name in FAULTS:
        return FAULTS[name]
    raise SourceError(f"no fault is called {name!r}; {did_you_mean(name, FAULTS)}")
