"""The last step of `convert`, of more participants than a test can convert: their records are made up."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import zarr

from bmx.ingest.finalise import finalise
from bmx.ingest.options import ConvertOptions
from bmx.ingest.provenance import SERIES
from bmx.partitions.plan import Plan
from bmx.partitions.work import WorkFolder
from bmx.store.slabs import column_names, create_store
from bmx.variables import VARIABLES, variables_of

PARTICIPANTS, SIZE, SLABS = 1500, 50, (2, 4)
SERIES_EACH = 8
LENGTHS = {"world_axis": 3, "voxel_axis": 4, "relation": 2}


def column(path: str, rows: int) -> np.ndarray:
    variable = VARIABLES[path.rpartition("/")[2]]
    shape = (rows, *(LENGTHS[dim] for dim in variable.dims[1:]))
    return np.full(shape, "some words") if variable.dtype == "string" else np.ones(shape, variable.dtype)


def all_done(folder: Path, *, reason: str) -> tuple[WorkFolder, Plan]:
    """A store whose partitions are all done; one series of one participant has this reason."""
    url = str(folder / "s.zarr")
    eids = tuple(range(1_000_000, 1_000_000 + PARTICIPANTS))
    options = ConvertOptions("dixon", "zip", 2, SLABS, ("fat",), ("",) * PARTICIPANTS)
    plan = Plan(eids, SIZE, options.for_plan())
    create_store(url, participants=PARTICIPANTS, shard=SIZE, slabs=SLABS, contrasts=["fat"], instance=2)
    work = WorkFolder.beside(url)
    for part in plan.partitions():
        record = {path: column(path, len(part.eids)) for path in column_names(SLABS) if path != "participant"}
        record |= {f"{SERIES}/{one.name}": column(one.name, SERIES_EACH * SIZE) for one in variables_of("series")}
        record["simulated"] = np.ones(SIZE, np.int8)
        if part.index == 7:
            reasons = record[f"{SERIES}/series_reason"].astype(object)
            reasons[3] = reason
            record[f"{SERIES}/series_reason"] = reasons.astype(np.str_)
        work.write_record(part.index, record)
        work.write_marker(part.index, part.digest)
    return work, plan


def peak(work: WorkFolder, plan: Plan) -> int:
    tracemalloc.start()
    try:
        finalise(work, plan)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_finalise__one_long_text_costs_no_more_than_itself(tmp_path: Path) -> None:
    """Text of fixed width would give each of the other 12,000 series the same room."""
    long = "the archive can't be read: " + "x" * 800
    for name, reason in (("short", "some words"), ("long", long)):
        (tmp_path / name).mkdir()
        made = all_done(tmp_path / name, reason=reason)
        if name == "short":
            usual = peak(*made)
    assert peak(*made) < 1.3 * usual
    reasons = np.asarray(zarr.open_array(tmp_path / "long/s.zarr/series/series_reason", mode="r")[:])
    place = 7 * SERIES_EACH * SIZE + 3
    assert reasons[place] == long
    assert set(np.delete(reasons, place).tolist()) == {"some words"}
