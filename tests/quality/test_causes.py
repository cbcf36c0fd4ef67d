from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from bmx.quality.causes import find_causes
from bmx.quality.flagging import flag
from bmx.variables import QC_CAUSE, QC_OUTCOME
from tests.quality.made import BMFF, cohort, edit

ENDS = {"spine": (202.0, 400.0), "femoral_head": (-120.0, 78.0), "total_hip": (-120.0, 78.0),
        "femoral_diaphysis": (-335.0, -83.0)}  # fmt: skip
"""Lower and upper end of each region's slab, mm."""

CUT, UNSURE, ELSEWHERE = ["touches_slab_edge"], 0.85, ["adjacent_slab_used"]


def causes(*edits: tuple[str, dict[str, Any]]) -> dict[str, str]:
    """Cause of each region of one participant among sixty, whose slabs are sound."""
    results, rng = cohort(60), np.random.default_rng(1)
    results["centroid"][:, 1:, 2] += rng.normal(0, 35, 60)[:, None]  # people lie higher or lower
    results["centroid"][0, :, 2] = [300, 0, -25, -230]
    results["confidence"] = (("participant", "region"), rng.normal(0.95, 0.002, (60, 4)).astype(np.float32))
    for region, values in edits:
        changed = dict(values)
        if "z" in changed:
            results["centroid"][0, list(BMFF).index(region), 2] = changed.pop("z")
        if "x" in changed:
            results["centroid"][0, list(BMFF).index(region), 0] = changed.pop("x")
        edit(results, 0, region, **changed)
    judged = flag(results)
    bottom, top = (
        xr.DataArray([ENDS[name][side] for name in BMFF], {"region": list(BMFF)}, "region") for side in (0, 1)
    )
    told = xr.Dataset({"bottom": bottom, "top": top})
    nobody = xr.zeros_like(judged["qc_outcome"], dtype=bool)
    found = find_causes(
        judged["qc_outcome"], judged["qc_flags"], judged["centroid"].isel(world_axis=2),
        judged["qc_reference_centroid_mean"].isel(world_axis=2, qc_group=0), told, withdrawn=nobody, unasked=nobody,
        lost_sight=judged["confidence"] < 0.8, unlike_swap=(judged["bmff"] > 26) & (judged["bmff"] < 60),
    )  # fmt: skip
    names = {number: name for name, number in QC_CAUSE.items()}
    return {region: names[int(found[0, place])] for place, region in enumerate(BMFF)}


EMPTY = {"empty": True}
NO_HIP = [("total_hip", EMPTY)]


@pytest.mark.parametrize(
    ("edits", "region", "cause"),
    [
        # The shaft says that the body lies 95 mm too high: the head would begin at 79 mm, and the slab ends at 78.
        ([("femoral_head", EMPTY), *NO_HIP, ("femoral_diaphysis", {"z": -135})], "femoral_head", "fully_outside"),
        # What is left of the hip has its middle at 54 mm: it goes on from 30 to 92, and the head from 70 to 102 mm.
        (
            [("femoral_head", EMPTY), ("total_hip", {"z": 54, "flags": CUT}), ("femoral_diaphysis", EMPTY)],
            "femoral_head", "fully_outside",
        ),
        ([("femoral_head", EMPTY), *NO_HIP, ("femoral_diaphysis", {"z": -160})], "femoral_head", "partially_outside"),
        # Something else was drawn, far away and with little confidence; nothing tells where the body lies.
        (
            [("femoral_head", {"x": 200, "confidence": UNSURE}),
             ("total_hip", {"z": 60, "flags": CUT, "confidence": UNSURE}), ("femoral_diaphysis", EMPTY)],
            "femoral_head", "fully_outside",
        ),
        # A few voxels at the end of the slab, of which the network doesn't believe anything.
        ([("femoral_diaphysis", {"z": -86, "volume": 5, "flags": CUT, "confidence": 0.6})], "femoral_diaphysis",
         "no_obvious_defect"),
        ([("femoral_diaphysis", {"z": -86, "volume": 5, "flags": CUT, "confidence": 0.6}), ("femoral_head", EMPTY),
          ("total_hip", {"z": 60, "flags": CUT, "confidence": UNSURE})], "femoral_diaphysis", "fully_outside"),
        ([("femoral_head", {"bmff": 20, "confidence": UNSURE}), ("total_hip", {"z": 70}),
          ("femoral_diaphysis", {"z": -135})], "femoral_head", "fully_outside"),
        # All others are where they should be.
        ([("femoral_head", EMPTY)], "femoral_head", "no_obvious_defect"),
        ([("femoral_head", {"volume": 5, "flags": CUT})], "femoral_head", "partially_outside"),
        ([("femoral_head", {"bmff": 20})], "femoral_head", "imaging_artefact"),
    ],
    ids=["shaft", "cut hip", "partly", "nothing tells", "unbelieved in place", "unbelieved", "no marrow",
         "in place", "cut", "swap"],
)  # fmt: skip
def test_find_causes__knows_where_a_lost_region_must_lie(
    edits: list[tuple[str, dict[str, Any]]], region: str, cause: str
) -> None:
    """From where the other regions of the same femur lie, as somebody who looks at the slab would."""
    assert causes(*edits)[region] == cause


@pytest.mark.parametrize(
    ("edits", "cause"),
    [
        # The head begins 6 mm above its slab's end; 14 mm below it; and goes on where the slab beside it ends.
        ([("femoral_head", {"z": 100, "flags": ELSEWHERE})], "fully_outside"),
        ([("femoral_head", {"z": 80, "flags": ELSEWHERE})], "partially_outside"),
        ([("femoral_head", {"z": 100, "flags": [*ELSEWHERE, *CUT]})], "partially_outside"),
        # Fat and water were exchanged; the head is whole, although the hip and the shaft lie 70 mm too high.
        (
            [("femoral_head", {"flags": ["swap_corrected"]}), ("total_hip", {"z": 45}),
             ("femoral_diaphysis", {"z": -160})],
            "imaging_artefact",
        ),
        ([("femoral_head", {"flags": ["swap_corrected", *CUT]})], "imaging_artefact"),
        ([("femoral_head", {"flags": ["irregular_source"]})], "data_structure"),
        ([("total_hip", {"flags": ["swap_corrected"]})], "none"),
    ],
    ids=["above", "partly above", "at the end", "swap", "swap at the end", "numbers that go on", "another region"],
)  # fmt: skip
def test_find_causes__tells_what_was_repaired(edits: list[tuple[str, dict[str, Any]]], cause: str) -> None:
    """Of a value that is ok, what would have cost it; the paper's authors lost it."""
    assert causes(*edits)["femoral_head"] == cause


def test_find_causes__takes_nobody_who_lies_too_low_for_one_with_an_unusual_skeleton() -> None:
    """All four regions are lost where a body lies 150 mm too high, and the spine only because it does."""
    found = causes(
        ("spine", {"z": 450}), ("femoral_head", {"x": 200, "confidence": UNSURE}),
        ("total_hip", {"bmff": 4, "x": 50}), ("femoral_diaphysis", {"volume": 0.3, "confidence": 0.6}),
    )  # fmt: skip
    assert "skeletal_abnormality" not in {found[name] for name in found if name != "spine"}


@pytest.mark.parametrize(("bmff", "cause"), [(31, "skeletal_abnormality"), (8, "imaging_artefact")])
def test_flag__tells_depleted_marrow_from_a_swap(bmff: float, cause: str) -> None:
    """All of the femur has 31 % fat: with fat and water exchanged that is no marrow of the head, either."""
    results = cohort(60)
    for name in ("femoral_head", "total_hip", "femoral_diaphysis"):
        edit(results, 0, name, bmff=bmff)
    found = flag(results)["qc_cause"][0]
    assert [int(value) for value in found] == [QC_CAUSE["none"], *[QC_CAUSE[cause]] * 3]


def test_flag__knows_where_slabs_end_from_the_results() -> None:
    """The head was found above its slab, which ends 90 mm below; nothing but the results is asked."""
    results = cohort(60)
    edit(results, 0, "femoral_head", flags=ELSEWHERE)
    assert int(flag(results)["qc_cause"].sel(region="femoral_head")[0]) == QC_CAUSE["partially_outside"]
    known = results.assign(
        slab_bottom=xr.full_like(results["volume"], -300), slab_top=xr.full_like(results["volume"], -90)
    )
    assert int(flag(known)["qc_cause"].sel(region="femoral_head")[0]) == QC_CAUSE["fully_outside"]


def test_flag__doubts_images_that_dont_fit_each_other() -> None:
    """By the residual that the results carry."""
    results = cohort(60)
    residual = xr.full_like(results["volume"], 0.01)
    residual[3, 1] = 0.9
    judged = flag(results.assign(slab_residual=residual))
    assert np.argwhere((judged["qc_outcome"] == QC_OUTCOME["doubtful"]).to_numpy()).tolist() == [[3, 1]]
    assert "in = W + F" in str(judged["qc_reason"][3, 1].item())


def test_find_causes__says_nothing_of_slabs_it_doesnt_know() -> None:
    """Where nobody said where a slab ends."""
    results = cohort(60)
    edit(results, 0, "femoral_head", empty=True)
    assert int(flag(results)["qc_cause"].sel(region="femoral_head")[0]) == QC_CAUSE["no_obvious_defect"]


@pytest.mark.parametrize("chunk", [None, 7])
def test_flag__notices_who_is_less_sure_than_others(chunk: int | None, max_computes: Callable) -> None:
    """Of each region by itself, and only where enough participants tell."""
    results = cohort(60)
    confidence = np.random.default_rng(1).normal([0.97, 0.95, 0.97, 0.9], [0.002, 0.002, 0.001, 0.02], (60, 4))
    confidence[0], confidence[1, 1] = [0.93, 0.949, 0.97, 0.85], np.nan
    results["confidence"] = (("participant", "region"), confidence.astype(np.float32))
    edit(results, 2, "spine", empty=True, confidence=0.0)
    some = results if chunk is None else results.chunk(participant=chunk)
    with max_computes(0):
        judged = flag(some)
    low = (judged["qc_flags"] & 512).to_numpy() > 0
    assert np.argwhere(low).tolist() == [[0, 0]]
    few = flag(some.isel(participant=slice(19)))
    assert not (few["qc_flags"] & 512).any()


@pytest.mark.parametrize(("confidence", "cause"), [(0.94, "partially_outside"), (0.6, "no_obvious_defect")])
def test_flag__doesnt_take_for_cut_what_the_network_doesnt_believe(confidence: float, cause: str) -> None:
    """A few voxels at the end of the slab are a piece of the bone, or something else."""
    results = cohort(60)
    drawn = np.random.default_rng(1).normal(0.95, 0.002, (60, 4)).astype(np.float32)
    results["confidence"] = (("participant", "region"), drawn)
    edit(results, 0, "femoral_diaphysis", volume=5, flags=CUT, confidence=confidence)
    assert int(flag(results)["qc_cause"].sel(region="femoral_diaphysis")[0]) == QC_CAUSE[cause]
