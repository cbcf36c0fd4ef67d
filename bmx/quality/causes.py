"""What was wrong with a value, in the columns of the paper's Table 3: from flags and from where the body lies.

What the paper's authors found by looking at every image is inferred here, in this order:

1. withdrawn: there is nothing to explain;
2. data structure: series, headers or files of the region's slab weren't those of a clean exam, or four images
   aren't what they are called;
3. partially or fully outside: the other regions of the femur tell how high the body lies, and with it which share
   of the lost region its slab can show; a mask that is small or displaced and touches an end of its slab is cut. One
   that isn't found, and whose place nothing tells, is taken to lie outside;
4. imaging artefact: a swap of fat and water, or a fat fraction that no marrow has;
5. skeletal abnormality: the marrow is lost everywhere; or all of the femur has a fat fraction that no marrow has and
   no swap explains; or the spine alone is lost, which always lies inside its slab;
6. no obvious defect.

The order is the simulator's (`bmx.simulation.faults.causes`): what keeps images from being looked at comes first.

A value that is ok has a cause, too, where something was wrong that cost the paper's authors a value and was repaired:
irregular series, a swap, or a region that was found in the slab beside its own, whose place is known by that.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import xarray as xr

from bmx.quality.limits import base_region
from bmx.variables import QC_CAUSE, QC_FLAGS, QC_OUTCOME

HALF_HEIGHT_MM: Final = {"femoral_head": 16.0, "total_hip": 31.0, "femoral_diaphysis": 22.0}
"""From the middle to either end, world z: masks in simulated people of 60-69 years."""

_WHOLE, _HALF, _NOTHING = 0.9, 0.5, 0.05
"""Share of a region inside its slab from which on it counts as inside, and up to which as outside; half, where the
region wasn't found."""


def find_causes(
    outcome: xr.DataArray,
    flags: xr.DataArray,
    centre: xr.DataArray,
    mean: xr.DataArray,
    told: xr.Dataset,
    *,
    withdrawn: xr.DataArray,
    unasked: xr.DataArray,
    lost_sight: xr.DataArray,
    unlike_swap: xr.DataArray,
) -> xr.DataArray:
    """A number of `QC_CAUSE` for every value that was asked for and isn't ok, or is ok after a repair. Lazy.

    Parameters
    ----------
    outcome, flags : (participant, region), numbers of `QC_OUTCOME` and bits of `QC_FLAGS`
    centre : (participant, region) world z of the centre of mass, mm; NaN where there is none
    mean : (region) or (participant, region) where it lies on average, mm
    told : as `bmx.quality.evidence.gather` gives it
    withdrawn, unasked, lost_sight : (participant, region) bool; `unasked` where nobody drew a mask, which is no
        failure, `lost_sight` where the network is so unsure that its mask is of something else, `unlike_swap` where
        BMFF is implausible with fat and water exchanged, too
    """
    lost = outcome != QC_OUTCOME["ok"]
    share = expected_share(outcome, flags, centre, mean, told)
    regions = [str(name) for name in outcome.indexes["region"]]
    # Not where all that is wrong is the place: then the body lies elsewhere.
    unusual = lost & ~outcome.isin([QC_OUTCOME["not_attempted"], QC_OUTCOME["outlier"]])
    spine = xr.DataArray([base_region(name) == "spine" for name in regions], dims="region")
    depleted = lost & _has(flags, "implausible_bmff") & ~_has(flags, "swap_suspected") & ~lost_sight
    systemic = _everywhere(unusual, regions) | _in_all_of_the_femur(depleted, unlike_swap, spine)
    # What isn't in the slab isn't drawn, or something else is: with little confidence, far from its place or not fatty.
    strange = _has(flags, "centroid_outlier") | _has(flags, "implausible_bmff")
    gone = (outcome == QC_OUTCOME["empty"]) | (strange & _has(flags, "low_confidence")) | lost_sight
    elsewhere = _has(flags, "adjacent_slab_used")
    gone &= ~elsewhere
    cut = _has(flags, "touches_slab_edge") & ~gone
    # What reaches from the slab beside it to that slab's end goes on in its own.
    hidden = (~(share >= _HALF) & told["top"].notnull()).where(gone, (share <= _NOTHING) & ~(elsewhere & cut))
    repaired = elsewhere | _has(flags, "irregular_source") | _has(flags, "swap_corrected")
    cases = [
        (unasked | (~lost & ~repaired), "none"),
        (withdrawn, "withdrawn"),
        (_has(flags, "irregular_source") | _has(flags, "physics_violated"), "data_structure"),
        # An edge that a value survived was no obstacle.
        (~lost & ~elsewhere, "imaging_artefact"),
        (systemic, "skeletal_abnormality"),
        (~spine & hidden, "fully_outside"),
        (elsewhere | (~spine & ((share < _WHOLE) | cut)), "partially_outside"),
        (_has(flags, "swap_suspected") | _has(flags, "swap_corrected") | _has(flags, "implausible_bmff"),
         "imaging_artefact"),
        (spine, "skeletal_abnormality"),
    ]  # fmt: skip
    cause = xr.full_like(outcome, QC_CAUSE["no_obvious_defect"])
    for where, name in reversed(cases):
        cause = cause.where(~where, QC_CAUSE[name])
    return cause.transpose(*outcome.dims).astype(np.uint8)


def expected_share(
    outcome: xr.DataArray, flags: xr.DataArray, centre: xr.DataArray, mean: xr.DataArray, told: xr.Dataset
) -> xr.DataArray:
    """Which share of each femoral region its slab can be expected to show, 0-1; NaN where nothing tells. Lazy.

    A body that lies too low or too high does so with all of its femur: how far the other regions lie from where they
    lie in others says where this one must be. Of one that is cut by the end of its slab, the other end tells; and of
    one that was found in the slab beside its own, or whole in its own, where it lies is known.
    """
    known = [HALF_HEIGHT_MM.get(base_region(str(name)), np.nan) for name in outcome.indexes["region"]]
    half = xr.DataArray(known, dims="region")
    cut = _has(flags, "touches_slab_edge")
    displaced = outcome == QC_OUTCOME["outlier"]
    sure = centre.notnull() & half.notnull() & ~_has(flags, "low_confidence")
    above = told["top"] - centre < centre - told["bottom"]
    whole = (2 * centre - told["top"] + half).where(above, 2 * centre - told["bottom"] - half)
    shift = xr.full_like(centre, np.nan)
    for place, trusted in (
        (centre, sure & ~cut & (outcome == QC_OUTCOME["ok"])),
        (whole, sure & cut & ~displaced),
        # Where all that can tell are outliers, all of the body may be.
        (centre, sure & displaced),
    ):
        moved = (place - mean).where(trusted)
        others = moved.sum("region") - moved.fillna(0)
        count = moved.count("region") - moved.notnull()
        shift = shift.fillna((others / count.where(count > 0)).fillna(moved))
    middle = (mean + shift).where(~_has(flags, "adjacent_slab_used"), centre)
    upper, lower = middle + half, middle - half
    upper = upper.where(upper < told["top"], told["top"])
    lower = lower.where(lower > told["bottom"], told["bottom"])
    share: xr.DataArray = ((upper - lower) / (2 * half)).clip(0, 1).where(middle.notnull())
    return share.where((outcome != QC_OUTCOME["ok"]) | cut | _has(flags, "adjacent_slab_used"), 1.0)


def _everywhere(lost: xr.DataArray, regions: list[str]) -> xr.DataArray:
    """Whether spine and femur, of either side, are lost alike, at least three regions and no region isn't."""
    if len(regions) < 3 or "spine" not in regions:
        return xr.zeros_like(lost)
    return lost.all("region") & lost


def _in_all_of_the_femur(depleted: xr.DataArray, unlike_swap: xr.DataArray, spine: xr.DataArray) -> xr.DataArray:
    """Depleted regions of a femur of which at least three are and none isn't; in one of them no swap explains it."""
    if int((~spine).sum()) < 3:
        return xr.zeros_like(depleted)
    alike = (depleted | spine).all("region") & (unlike_swap & ~spine).any("region")
    return depleted & alike


def _has(flags: xr.DataArray, name: str) -> xr.DataArray:
    return (flags & QC_FLAGS[name]) > 0
