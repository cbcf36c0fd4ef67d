"""What a fault can cost: the expected column of Table 3."""

from __future__ import annotations

import numpy as np
import pytest

from bmx.core.dixon_signal import Separated
from bmx.regions import REGIONS
from bmx.simulation.bodies import SimulatedSlab
from bmx.simulation.faults.base import Fault
from bmx.simulation.faults.causes import expected_cause
from bmx.types import Mask

HEAD, SHAFT, SPINE = REGIONS["femoral_head"], REGIONS["femoral_diaphysis"], REGIONS["spine"]


def slabs(coverage: float = 1.0, swapped: Mask | None = None) -> dict[int, SimulatedSlab]:
    body = np.ones((2, 4, 4), np.float32)
    mask = np.zeros((2, 4, 4), bool)
    mask[:, 0, 0] = True
    return {
        region.slab: SimulatedSlab(
            {}, np.eye(3, 4), dict.fromkeys(REGIONS, mask), Separated(body, body), np.zeros((2, 4, 4), np.uint8),
            dict.fromkeys(REGIONS, coverage), swapped,
        )
        for region in REGIONS.values()
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "head", "shaft", "spine"),
    [
        (Fault("missing_slab", 4), "data structure", "", ""),
        (Fault("missing_slab", 6), "", "", ""),
        (Fault("appended_repeat"), "data structure", "data structure", "data structure"),
        (Fault("truncated_zip"), "data structure", "data structure", "data structure"),
        (Fault("missing_manifest"), "", "", ""),
        (Fault("dark_lines", 4, "side=left lines=3"), "imaging artefact", "", ""),
        (Fault("dark_lines", 4, "side=right lines=3"), "", "", ""),
        (Fault("severe_scoliosis", 0, "tilt_deg=30.0"), "", "", "skeletal abnormality"),
        (Fault("mild_scoliosis"), "", "", ""),
        (Fault("begun_too_high"), "", "", ""),
    ],
)
def test_expected_cause__is_that_of_a_fault_that_touches_the_region(
    fault: Fault, head: str, shaft: str, spine: str
) -> None:
    """Its slab, its side, its bones."""
    found = [expected_cause(region, [fault], slabs()) for region in (HEAD, SHAFT, SPINE)]
    assert found == [head, shaft, spine]


def test_expected_cause__of_a_swap_needs_a_voxel_of_the_region() -> None:
    """A blob elsewhere in the slab harms nobody."""
    here, elsewhere = np.zeros((2, 4, 4), bool), np.zeros((2, 4, 4), bool)
    here[:, 0, :2], elsewhere[:, 3] = True, True
    fault = Fault("swap_blob", 5)
    assert expected_cause(SHAFT, [fault], slabs(swapped=here)) == "imaging artefact"
    assert expected_cause(SHAFT, [fault], slabs(swapped=elsewhere)) == ""
    assert expected_cause(HEAD, [fault], slabs(swapped=here)) == ""


@pytest.mark.parametrize(
    ("coverage", "cause"),
    [
        (1.0, ""),
        (0.98, ""),
        (0.97, "partially outside"),
        (0.01, "partially outside"),
        (0.0, "fully outside"),
        (np.nan, ""),
    ],
)
def test_expected_cause__follows_from_how_much_is_inside(coverage: float, cause: str) -> None:
    """NaN: the region isn't in the body at all."""
    assert expected_cause(HEAD, [], slabs(coverage)) == cause


def test_expected_cause__names_what_comes_first() -> None:
    """Images that aren't there have no artefact."""
    everything = [Fault("dark_lines", 4, "side=left"), Fault("marrow_depletion"), Fault("missing_series", 4)]
    assert expected_cause(HEAD, everything, slabs(0.5)) == "data structure"
    assert expected_cause(HEAD, everything[:2], slabs(0.5)) == "partially outside"
    assert expected_cause(HEAD, everything[:2], slabs()) == "imaging artefact"
