"""The last step of `convert`: columns from the records, then the commit."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from bmx.errors import StoreError
from bmx.ingest.encode import UNKNOWN
from bmx.ingest.options import ConvertOptions
from bmx.ingest.provenance import SERIES
from bmx.partitions.plan import Plan
from bmx.partitions.work import WorkFolder, sweep_partial
from bmx.store.layout import compact, consolidate, join_rows, open_for_writing
from bmx.store.slabs import column_names, write_columns
from bmx.store.withdrawal import withdrawals_in
from bmx.variables import variables_of

logger = logging.getLogger(__name__)

_LISTED = 20
"""Missing partitions or mixed participants to name in a message."""


def finalise(work: WorkFolder, plan: Plan) -> None:
    """Write all columns from the records of the partitions and make the store readable.

    Raises
    ------
    StoreError
        If a partition is missing, or simulated and real exams are mixed. The store is left unfinished.
    """
    missing = work.missing(plan)
    if missing:
        more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
        raise StoreError(
            f"{work.store_url} can't be finalised: of {len(plan)} partitions {len(missing)} are missing "
            f"({', '.join(map(str, missing[:_LISTED]))}{more}); call bmx.convert again to do them"
        )
    work.sweep()
    sweep_partial(work.store_url)
    options = ConvertOptions.from_plan(plan)
    columns, simulated = _gather(work, plan, options)
    write_columns(work.store_url, columns)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    line = f"{now} bmx {version('bmx')} convert, {len(plan.eids)} participants"
    earlier = str(open_for_writing(work.store_url).attrs.get("history", ""))
    consolidate(work.store_url, simulated=simulated, history="\n".join([*withdrawals_in(earlier), line]))
    work.write_finished(plan)


def _gather(
    work: WorkFolder, plan: Plan, options: ConvertOptions
) -> tuple[Iterator[tuple[str, npt.NDArray[Any]]], bool]:
    """Give the columns of all partitions, each joined when it is asked for; say whether the exams are simulated."""
    names = [name for name in column_names(options.slabs) if name != "participant"]
    names += [f"{SERIES}/{variable.name}" for variable in variables_of("series")]
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in [*names, "simulated"]}
    for record in work.read_records(range(len(plan))):
        for name, arrays in parts.items():
            arrays.append(compact(record[name]))
    eids = np.array(plan.eids, np.int64)
    simulated = _simulated(eids, join_rows(parts.pop("simulated")))
    parts["participant"] = [eids]
    # Each is let go of as it is written: together they are more than a laptop holds of a whole cohort.
    return ((name, join_rows(parts.pop(name))) for name in ["participant", *names]), simulated


def _simulated(eids: npt.NDArray[np.int64], simulated: npt.NDArray[np.int8]) -> bool:
    """Whether the exams are simulated; those that couldn't be read don't count."""
    made, real = eids[simulated == 1], eids[simulated == 0]
    if len(made) and len(real):
        raise StoreError(
            f"simulated and real exams must not be mixed in one store: "
            f"{', '.join(map(str, made[:_LISTED]))} are simulated, {', '.join(map(str, real[:_LISTED]))} are real; "
            "convert them into separate stores"
        )
    assert len(made) + len(real) + (simulated == UNKNOWN).sum() == len(eids)
    return len(made) > 0
