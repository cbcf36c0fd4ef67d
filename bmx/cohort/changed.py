"""Participants whose archives were converted anew since they were measured."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from bmx.partitions.plan import Partition
from bmx.partitions.work import WorkFolder
from bmx.store.withdrawal import is_tombstone

logger = logging.getLogger(__name__)

Texts = npt.NDArray[np.object_]


def forget_changed(
    work: WorkFolder, done: Sequence[Partition], digests: xr.DataArray, results: xr.Dataset | None
) -> int:
    """Have partitions done again whose participants' archives are other ones than those that were measured.

    Parameters
    ----------
    work : of the run
    done : its partitions that are done
    digests : `source_digest` of the store
    results : of the finished run; without it, the records of those partitions are read

    Returns
    -------
    how many partitions it concerns
    """
    now = _texts(digests)
    then = _texts(results["source_digest"]) if results is not None else None
    changed, people = [], 0
    records = work.read_records([part.index for part in done]) if then is None else iter(())
    for part in done:
        rows = slice(part.start, part.stop)
        before = next(records)["source_digest"].astype(object) if then is None else then[rows]
        other = sum(
            one != two and not is_tombstone(eid) for one, two, eid in zip(before, now[rows], part.eids, strict=True)
        )
        if other:
            changed.append(part.index)
            people += other
    if changed:
        logger.warning(
            "run: the archives of %d participants were converted anew since they were measured; "
            "their %d partitions are done again", people, len(changed),
        )  # fmt: skip
        work.forget(changed)
    return len(changed)


def _texts(digests: xr.DataArray) -> Texts:
    return digests.to_numpy().astype(object)
