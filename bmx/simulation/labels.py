"""Numbers of the structures whose place is known in every slab of a simulated body."""

from __future__ import annotations

from bmx.simulation.anatomy.femur import FEMORAL_REGIONS
from bmx.simulation.anatomy.spine import LEVELS

LABELS: dict[str, int] = {
    **{name: number for number, name in enumerate(LEVELS, start=1)},
    "sacrum": 18,
    **{
        f"{region}_{side}": first + place
        for side, first in (("left", 21), ("right", 31))
        for place, region in enumerate(FEMORAL_REGIONS)
    },
}
"""0 is anything else. Vertebrae are whole bodies with their cortex; femoral regions are the inner marrow that is
measured, on either side."""
