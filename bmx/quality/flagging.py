"""Which measurements can be used, judged from the whole cohort (paper 2.6, 3.2 and Table 3)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bmx.errors import SchemaError
from bmx.quality.causes import find_causes
from bmx.quality.evidence import gather
from bmx.quality.limits import Limits, base_region
from bmx.quality.reasons import write_reasons
from bmx.quality.reference import By, Reference, find_reference, for_participants
from bmx.schema import conform, plain_attrs, validate
from bmx.variables import MEASUREMENT_STATUS, QC_FLAGS, QC_OUTCOME, RESULT_FLAGS, variables_of

_CARRIED = ("touches_slab_edge", "swap_corrected", "swap_suspected", "adjacent_slab_used")
"""Flags of the measurement that quality control passes on under the same name."""

_DEFAULT = Limits()

_SOMETHING_ELSE = 22.0
"""Robust SDs below the cohort's confidence, from which on a mask is of something else: of what is cut by the end of its
slab networks are less unsure than of what isn't there at all, and is drawn all the same. Our choice, on simulation."""

_TELLING, _STEADY = 20, 0.001
"""Participants from which on the spread of a network's confidence is known, and the least that it can be."""


def flag(
    results: xr.Dataset,
    *,
    reference: Reference = None,
    by: By = None,
    limits: Limits = _DEFAULT,
) -> xr.Dataset:
    """Judge every measurement: can it be used, and if not, why. Lazy.

    The paper's rules: volumes and centres of mass are compared with their mean and SD (ddof 1) over all participants
    with a non-empty mask, the small ones included:

    - *empty*: the mask has no voxel;
    - *small*: volume below the mean - 2.5 SD;
    - *outlier*: centre of mass more than 3 SD from the mean along at least one world axis. The paper doesn't say
      how it measures the distance; each axis by itself is our reading. What is both is called small.

    Ours: head-foot, where the body lies is taken off first if two or more other regions tell
    (`limits.body_position`); *not_attempted* and *failed*, as the measurement says; and *doubtful*, what the paper
    would use but has one of the flags `limits.doubtful`. Among n values none lies further than (n - 1)/√n SD from their
    mean: with fewer than 9 participants (of a sex) nobody can be small, and with fewer than 11 nobody an outlier,
    unless a `reference` is given.

    Parameters
    ----------
    results : Dataset
        As `measure` or `open_results` gives it; `confidence` and what is known of the slabs are used if they are there.
    reference : "cohort", Dataset, or mapping from region to model, optional
        Mean and SD to judge by. By default the cohort's own; or any Dataset with the variables `qc_reference_*`, for
        example what this function gave for another cohort; or what `bmx.load_models` gave: the volumes, and if the
        cards have them the centres, of the training data. `attrs["qc_reference"]` says which.
    by : "sex", optional
        Judge women among women, men among men, and who has no sex among all. Needs the variable `sex`: join first.
    limits : Limits
        The numbers that decide.

    Returns
    -------
    Dataset
        The results, with `qc_outcome`, `qc_flags`, `qc_cause`, `qc_reason` and the `qc_reference_*` that were used;
        attributes `qc_*` say by which limits. What an earlier call added is gone. `qc_cause` is that of a failure, or
        of what was repaired where the outcome is ok: irregular series, a swap, a region that was found in the slab
        beside its own.

    Raises
    ------
    SchemaError
        If a variable of results or reference is missing or wrong, or `reference` or `by` is none of these.
    """
    results = _unjudged(validate(results, "bmff", "voxels", "volume", "centroid", "status", "flags", "reason"))
    used = find_reference(results, reference, by)
    mine = for_participants(used, results, by)
    # Without the coordinates along region: xarray would compute them to see whether they agree.
    judged = results.reset_coords(drop=True).chunk(world_axis=-1) if results.chunks else results.reset_coords(drop=True)
    told = gather(judged)
    smallest = mine["qc_reference_volume_mean"] - limits.small_sd * mine["qc_reference_volume_sd"]
    away = _away(judged, mine, limits)
    furthest = limits.outlier_sd * mine["qc_reference_centroid_sd"]

    flags = _flags(judged, told, smallest, away, furthest, limits)
    outcome = _outcome(judged, flags, limits)
    # Of those who have withdrawn nothing was attempted, although their slab isn't absent and nobody left them out.
    why = RESULT_FLAGS["slab_absent"] | RESULT_FLAGS["no_mask"]
    withdrawn = (outcome == QC_OUTCOME["not_attempted"]) & ((judged["flags"] & why) == 0)
    cause = find_causes(
        outcome, flags, judged["centroid"].isel(world_axis=2),
        mine["qc_reference_centroid_mean"].isel(world_axis=2), told, withdrawn=withdrawn,
        unasked=(judged["flags"] & RESULT_FLAGS["no_mask"]) > 0, lost_sight=_lost_sight(judged),
        unlike_swap=_implausible(judged, 100 - judged["bmff"], limits),
    )  # fmt: skip
    reason = write_reasons(judged, outcome, flags, smallest, away, furthest, told, limits)
    added = xr.Dataset(
        {"qc_outcome": outcome, "qc_flags": flags, "qc_cause": cause, "qc_reason": reason, **used.data_vars},
    ).assign_coords(qc_group=used["qc_group"])
    said = plain_attrs({**limits.attrs, "qc_reference": used.attrs["qc_reference"], "qc_by": by or "nothing"})
    conformed = _in_chunks_of(results, conform(added))
    return results.assign_coords(qc_group=conformed["qc_group"]).assign(conformed.data_vars).assign_attrs(said)


def passed(results: xr.Dataset) -> xr.DataArray:
    """True where a value can be used in an analysis (outcome ok). Lazy.

    Parameters
    ----------
    results : Dataset
        With the `qc_outcome` that `bmx.qc.flag` adds.
    """
    return (flagged(results)["qc_outcome"] == QC_OUTCOME["ok"]).rename("passed")


def flagged(results: xr.Dataset) -> xr.Dataset:
    """Give results back if they have been judged."""
    if "qc_outcome" not in results:
        raise SchemaError("the results have no qc_outcome yet; call bmx.qc.flag(results) first")
    return validate(results, "qc_outcome")


def _unjudged(results: xr.Dataset) -> xr.Dataset:
    """Results without what an earlier call added: the groups of another reference have other sizes."""
    earlier = [variable.name for variable in variables_of("qc") if variable.name in results.variables]
    plain = results.drop_vars(earlier)
    plain.attrs = {name: value for name, value in results.attrs.items() if not str(name).startswith("qc_")}
    return plain


def _in_chunks_of(results: xr.Dataset, added: xr.Dataset) -> xr.Dataset:
    """Chunks that agree with those of the results: xarray refuses to work in blocks on a Dataset where they don't."""
    sizes = results.chunksizes
    return added.assign(
        {
            name: values.chunk({dim: sizes[dim] for dim in values.dims if dim in sizes})
            for name, values in added.data_vars.items()
            if values.chunks
        }
    )


def _away(judged: xr.Dataset, mine: xr.Dataset, limits: Limits) -> xr.DataArray:
    """How far each centre of mass lies from the mean, (participant, region, world_axis) mm; NaN where there is none."""
    moved = judged["centroid"] - mine["qc_reference_centroid_mean"]
    away = abs(moved)
    if not limits.body_position:
        return away
    z = moved.isel(world_axis=2)
    regions = [str(name) for name in judged.indexes["region"]]
    # From the middle of the others: one mask that is really displaced must not move the body.
    lies = xr.concat(
        [_middle(z.isel(region=[k for k in range(len(regions)) if k != place])) for place in range(len(regions))],
        "region",
    ).assign_coords(region=judged.indexes["region"])
    relative = abs(z - lies)
    nearer = relative.where(relative < abs(z), abs(z))
    upright = xr.DataArray([False, False, True], dims="world_axis")
    return away.where(~upright | away.isnull(), nearer).transpose(*moved.dims)


def _middle(z: xr.DataArray) -> xr.DataArray:
    """Median over the regions of a participant, NaN for fewer than two."""
    if z.sizes["region"] < 2 or not z.size:  # of an empty block NumPy takes no median
        return xr.full_like(z.sum("region"), np.nan)
    several = z.count("region") >= 2
    known = z.where(several, 0.0)  # of nothing NumPy warns
    middle: xr.DataArray = (known.chunk(region=-1) if known.chunks else known).median("region")
    return middle.where(several)


def _flags(
    judged: xr.Dataset,
    told: xr.Dataset,
    smallest: xr.DataArray,
    away: xr.DataArray,
    furthest: xr.DataArray,
    limits: Limits,
) -> xr.DataArray:
    """Bits of `QC_FLAGS`, (participant, region)."""
    drawn = judged["voxels"] > 0
    regions = [str(name) for name in judged.indexes["region"]]
    noticed = {
        "small_volume": drawn & (judged["volume"] < smallest),
        "centroid_outlier": drawn & (away > furthest).any("world_axis"),
        "empty_mask": judged["status"] == MEASUREMENT_STATUS["empty"],
        "irregular_source": told["irregular"],
        "physics_violated": told["residual"] > limits.physics,
        "implausible_bmff": _implausible(judged, judged["bmff"], limits),
        "sides_disagree": _sides_disagree(judged, regions, limits),
        **{name: (judged["flags"] & RESULT_FLAGS[name]) > 0 for name in _CARRIED},
    }
    if "confidence" in judged:
        confidence = judged["confidence"].where(drawn)
        noticed["low_confidence"] = (confidence < limits.confidence) | _unsure(confidence, limits.confidence_spread)
    bits = [where.astype(np.uint16) * np.uint16(QC_FLAGS[name]) for name, where in noticed.items()]
    return sum(bits[1:], start=bits[0]).transpose("participant", "region")


def _implausible(judged: xr.Dataset, bmff: xr.DataArray, limits: Limits) -> xr.DataArray:
    """Where a fat fraction lies outside what marrow of the region has; not where there is none."""
    regions = [str(name) for name in judged.indexes["region"]]
    low, high = (_of_regions(regions, {name: ends[side] for name, ends in limits.bmff.items()}) for side in (0, 1))
    found: xr.DataArray = (bmff < low) | (bmff > high)
    return found


def _lost_sight(judged: xr.Dataset) -> xr.DataArray:
    """Where a network is so unsure that what it drew is something else."""
    if "confidence" not in judged:
        return xr.zeros_like(judged["voxels"], np.bool_)
    return _unsure(judged["confidence"].where(judged["voxels"] > 0), _SOMETHING_ELSE)


def _unsure(confidence: xr.DataArray, spreads: float) -> xr.DataArray:
    """Where a network is so many robust SDs less sure than it was of the same region in others."""
    if confidence.sizes["participant"] < _TELLING:
        return xr.zeros_like(confidence, np.bool_)
    whole = confidence.chunk(participant=-1) if confidence.chunks else confidence
    enough = whole.count("participant") >= _TELLING
    # Of nothing at all NumPy warns.
    middle = whole.where(enough, 0).median("participant")
    spread = 1.4826 * abs(whole.where(enough, 0) - middle).median("participant")
    lowest = (middle - spreads * spread.where(spread > _STEADY, _STEADY)).where(enough)
    return confidence < lowest


def _outcome(judged: xr.Dataset, flags: xr.DataArray, limits: Limits) -> xr.DataArray:
    """Numbers of `QC_OUTCOME`; the first that holds, from the gravest on."""
    doubtful = xr.zeros_like(flags, dtype=np.bool_)
    for name in limits.doubtful:
        doubtful |= (flags & QC_FLAGS[name]) > 0
    cases = [
        (judged["status"] == MEASUREMENT_STATUS["not_attempted"], "not_attempted"),
        (judged["status"] == MEASUREMENT_STATUS["failed"], "failed"),
        (judged["voxels"] == 0, "empty"),
        ((flags & QC_FLAGS["small_volume"]) > 0, "small"),
        ((flags & QC_FLAGS["centroid_outlier"]) > 0, "outlier"),
        (doubtful, "doubtful"),
    ]
    outcome = xr.full_like(flags, QC_OUTCOME["ok"], dtype=np.uint8)
    for where, name in reversed(cases):
        outcome = outcome.where(~where, QC_OUTCOME[name])
    return outcome.transpose("participant", "region").astype(np.uint8)


def _sides_disagree(judged: xr.Dataset, regions: list[str], limits: Limits) -> xr.DataArray:
    """Where left and right of one person were both measured and lie too far apart; both get the flag."""
    other = {name: f"{name}_right" if base_region(name) == name else base_region(name) for name in regions}
    columns = []
    for name in regions:
        here = judged[["bmff", "volume", "voxels"]].sel(region=name, drop=True)
        if other[name] not in regions:
            columns.append(xr.zeros_like(here["bmff"], dtype=np.bool_))
            continue
        there = judged[["bmff", "volume", "voxels"]].sel(region=other[name], drop=True)
        apart = abs(here["bmff"] - there["bmff"]) > limits.sides_bmff.get(base_region(name), np.inf)
        both = (here["voxels"] > 0) & (there["voxels"] > 0)
        larger, smaller = np.maximum(here["volume"], there["volume"]), np.minimum(here["volume"], there["volume"])
        columns.append(apart | (both & (larger > limits.sides_volume * smaller)))
    return xr.concat(columns, dim="region").assign_coords(region=judged.indexes["region"])


def _of_regions(regions: list[str], values: dict[str, float]) -> xr.DataArray:
    """One value for each region, that of the left for the right; NaN, which nothing exceeds, where there is none."""
    return xr.DataArray([values.get(base_region(name), np.nan) for name in regions], dims="region")
