"""Participants who failed while they were worked on: a model raised, or a worker died or hung."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from bmx.acquisition import SLABS
from bmx.partitions.plan import Partition
from bmx.partitions.work import WorkFolder
from bmx.regions import get_region
from bmx.variables import MEASUREMENT_STATUS, RESULT_FLAGS, SLAB_STATUS

logger = logging.getLogger(__name__)

_READABLE = (SLAB_STATUS["complete"], SLAB_STATUS["incomplete"])

Bools = npt.NDArray[np.bool_]


def forget_failed(work: WorkFolder, done: Sequence[Partition], slabs: xr.DataTree, regions: Sequence[str]) -> int:
    """Have partitions done again that hold participants who failed; give how many.

    Parameters
    ----------
    work : of the run
    done : its partitions that are done
    slabs : of the store
    regions : of the run, as its records have them
    """
    unreadable = _own_slab(slabs, regions) == SLAB_STATUS["unreadable"]
    again, people = [], 0
    for part, record in zip(done, work.read_records([part.index for part in done]), strict=True):
        if failed := int(_failed(record, unreadable[part.start : part.stop]).any(axis=1).sum()):
            again.append(part.index)
            people += failed
    logger.info("run: %d participants failed and are tried again, with all of their %d partitions", people, len(again))
    if again:
        work.forget(again)
    return len(again)


def tell_of_failed(results: xr.Dataset, slabs: xr.DataTree) -> None:
    """Log how many participants of a finished run failed, and what to do; that all did is no participant's fault."""
    own = _own_slab(slabs, results["region"].to_numpy().tolist())
    columns = {name: results[name].to_numpy() for name in ("status", "flags")}
    failed = _failed(columns, own == SLAB_STATUS["unreadable"])
    if not failed.any():
        return
    row, region = np.argwhere(failed)[0]
    reason = str(results["reason"][row, region].to_numpy())
    people, tried = int(failed.any(axis=1).sum()), int(np.isin(own, _READABLE).any(axis=1).sum())
    if people == tried:
        logger.warning(
            "run: every participant failed, all %d, most likely because of the models or the machine and not of their "
            "images. The first reason is %r; mend that and call run with retry=True (bmx run --retry)",
            people, reason,
        )  # fmt: skip
        return
    logger.warning(
        "run: %d of %d participants failed while they were worked on, the first for the reason %r; run with "
        "retry=True (bmx run --retry) tries them again", people, tried, reason,
    )  # fmt: skip


def _failed(columns: Mapping[str, npt.NDArray[Any]], unreadable: Bools) -> Bools:
    """Who failed in which region, (participant, region), though the store doesn't say that the slab is unreadable."""
    # `run_partition` leaves them out as it leaves out an unreadable slab.
    left_out = columns["flags"] & RESULT_FLAGS["slab_unreadable"] > 0
    found: Bools = (columns["status"] == MEASUREMENT_STATUS["failed"]) & left_out & ~unreadable
    return found


def _own_slab(slabs: xr.DataTree, regions: Sequence[str]) -> npt.NDArray[np.uint8]:
    """What the store holds of the slab of each region, (participant, region)."""
    return np.stack([slabs[f"{SLABS[get_region(name).slab].name}/slab_status"].to_numpy() for name in regions], axis=1)
