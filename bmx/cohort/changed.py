"""Participants whose archives were converted anew since they were measured."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from bmx.errors import StoreError
from bmx.partitions.plan import Partition
from bmx.partitions.work import WorkFolder
from bmx.store.withdrawal import is_tombstone

logger = logging.getLogger(__name__)

Texts = npt.NDArray[np.object_]


def forget_changed(
    work: WorkFolder, done: Sequence[Partition], digests: xr.DataArray, results: xr.Dataset | None, *, store: str
) -> int:
    """Have partitions done again whose participants' archives are other ones than those that were measured.

    Parameters
    ----------
    work : of the run
    done : its partitions that are done
    digests : `source_digest` of the store
    results : of the finished run; without it, the records of those partitions are read
    store : where it lies

    Returns
    -------
    how many partitions it concerns

    Raises
    ------
    StoreError
        If the store lies elsewhere than that which was measured, and holds not one of its archives: people of another
        cohort may have the same EIDs, all simulated ones begin with the same.
    """
    now = _texts(digests)
    then = _texts(results["source_digest"]) if results is not None else None
    changed, people, same, known = [], 0, 0, 0
    records = work.read_records([part.index for part in done]) if then is None else iter(())
    for part in done:
        rows = slice(part.start, part.stop)
        before = next(records)["source_digest"].astype(object) if then is None else then[rows]
        pairs = [
            (one, two) for one, two, eid in zip(before, now[rows], part.eids, strict=True) if not is_tombstone(eid)
        ]
        other = sum(one != two for one, two in pairs)
        if other:
            changed.append(part.index)
            people += other
        known += sum(one != "" for one, _ in pairs)
        same += sum(one == two != "" for one, two in pairs)
    if known and not same and work.read_plan().options["store"] != store:
        raise StoreError(
            f"{work.store_url} holds another run. {store} holds not one of the archives that were measured there. "
            "Write to another place, or delete it together with its masks and its .work folder"
        )
    if changed:
        logger.warning(
            "run: the archives of %d participants were converted anew since they were measured; "
            "their %d partitions are done again", people, len(changed),
        )  # fmt: skip
        work.forget(changed)
    return len(changed)


def _texts(digests: xr.DataArray) -> Texts:
    return digests.to_numpy().astype(object)
