"""Results of constructed participants, for the tests of quality control."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from bmx.schema import conform
from bmx.variables import MEASUREMENT_STATUS, QC_CAUSE, QC_FLAGS, QC_OUTCOME, RESULT_FLAGS, flag_bits

SITE = ("participant", "region")
BMFF = {"spine": 45.0, "femoral_head": 91.0, "total_hip": 83.0, "femoral_diaphysis": 82.0}
Z = {"spine": 300.0, "femoral_head": 0.0, "total_hip": -25.0, "femoral_diaphysis": -230.0}


def results_of(
    volumes: npt.ArrayLike, *, centre: npt.ArrayLike = 0.0, regions: tuple[str, ...] = ("spine",)
) -> xr.Dataset:
    """Results of participants with these volumes (mL; NaN: not attempted; 0: empty) and centres (mm along z)."""
    volume = np.atleast_2d(np.asarray(volumes, float).T).T
    volume = np.broadcast_to(volume, (len(volume), len(regions)))
    centroid = np.zeros((*volume.shape, 3)) + np.asarray(centre, float).reshape(-1, 1, 1) * [0, 0, 1]
    status = np.select(
        [np.isnan(volume), volume == 0],
        [MEASUREMENT_STATUS["not_attempted"], MEASUREMENT_STATUS["empty"]],
        MEASUREMENT_STATUS["measured"],
    )
    bmff = np.array([BMFF[name.removesuffix("_right")] for name in regions])
    values = {
        "bmff": (SITE, np.where(volume > 0, bmff, np.nan)),
        "voxels": (SITE, np.nan_to_num(volume * 50).round()),
        "volume": (SITE, volume),
        "centroid": ((*SITE, "world_axis"), np.where(volume[..., None] > 0, centroid, np.nan)),
        "status": (SITE, status),
        "flags": (SITE, np.where(np.isnan(volume), RESULT_FLAGS["slab_absent"], 0)),
        "reason": (SITE, np.where(np.isnan(volume), "the slab is absent", np.where(volume == 0, "no voxel", ""))),
    }
    coords = {"participant": 1_000_000 + np.arange(len(volume)), "region": list(regions)}
    return conform(xr.Dataset(values, coords=coords))


def cohort(participants: int = 60, *, regions: tuple[str, ...] = tuple(BMFF), seed: int = 0) -> xr.Dataset:
    """Healthy people: volumes of 40 ± 2 mL, regions at their heights ± 3 mm."""
    rng = np.random.default_rng(seed)
    results = results_of(rng.normal(40, 2, (participants, len(regions))), regions=regions)
    height = np.array([Z[name.removesuffix("_right")] for name in regions])
    results["centroid"][..., 2] = height + rng.normal(0, 3, (participants, len(regions)))
    return results


def edit(results: xr.Dataset, row: int, region: str, **values: Any) -> None:
    """Change one measurement; `flags` by their names, `empty=True` for a mask without voxels."""
    at = {"participant": row, "region": list(results["region"].values).index(region)}
    if values.pop("empty", False):
        values = {
            "bmff": np.nan, "voxels": 0, "volume": 0.0, "centroid": np.nan,
            "status": MEASUREMENT_STATUS["empty"], "reason": "no voxel", **values,
        }  # fmt: skip
    for name, value in values.items():
        results[name][at] = flag_bits(value, RESULT_FLAGS) if name == "flags" else value


def outcome_of(flagged: xr.Dataset, row: int, region: str) -> str:
    return _named(flagged["qc_outcome"], row, region, QC_OUTCOME)


def cause_of(flagged: xr.Dataset, row: int, region: str) -> str:
    return _named(flagged["qc_cause"], row, region, QC_CAUSE)


def flags_of(flagged: xr.Dataset, row: int, region: str) -> set[str]:
    bits = int(flagged["qc_flags"].isel(participant=row).sel(region=region))
    return {name for name, mask in QC_FLAGS.items() if bits & mask}


def _named(data: xr.DataArray, row: int, region: str, names: dict[str, int]) -> str:
    value = int(data.isel(participant=row).sel(region=region))
    return next(name for name, number in names.items() if number == value)
