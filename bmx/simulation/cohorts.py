"""A folder of simulated participants: zips as the archive holds them, what is true of them, and a phenotype table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from bmx.acquisition import SLABS, UKB_FIELD
from bmx.errors import SourceError
from bmx.partitions.engine import run_missing
from bmx.partitions.plan import Plan
from bmx.partitions.work import WorkFolder, writing_to
from bmx.simulation.diagnoses import with_diagnoses
from bmx.simulation.exam_zips import write_exam
from bmx.simulation.faults.apply import apply_faults, damage_file
from bmx.simulation.faults.draw import FaultChoice, FaultPlan
from bmx.simulation.faults.registry import FAULTS
from bmx.simulation.people import draw_people, draw_person, person_at
from bmx.simulation.phenotypes import PHENOTYPES, write_phenotypes
from bmx.simulation.truth import TRUTH, create_truth, describe, regions_in, write_tables, write_volumes
from bmx.simulation.visits import simulate_visit

if TYPE_CHECKING:
    from distributed import Client

DIXON = "dixon"
_WORK = "simulation.work"


def simulate(
    out: str | Path,
    *,
    participants: int = 24,
    seed: int = 0,
    slabs: tuple[int, ...] = (1, 2, 3, 4, 5, 6),
    faults: FaultChoice = "none",
    maps: bool = True,
    client: Client | None = None,
    workers: int | None = None,
) -> Path:
    """Simulate a cohort as UK Biobank would deliver it, with everything about it known.

    Writes `OUT/dixon/EID_20201_2_0.zip` (single-frame DICOM, all four contrasts), `OUT/truth.zarr`
    (masks, labels of bones, fat fraction without noise, BMFF, faults; see `bmx.simulation.truth.open_truth`)
    and `OUT/phenotypes.csv` (columns of the Research Analysis Platform). Bone mineral density follows the
    BMFF that was drawn for the person, sex and BMI by the paper's Models 4.2, 5.5, 6.2 and 7.2.

    Call it again after an interruption: only the missing participants are made.

    Parameters
    ----------
    participants : number of people; the first k are the same whatever it is
    seed : the same seed gives the same bytes, whatever the number of workers
    slabs : which of the six slabs the exams hold
    faults : what goes wrong, by names of `bmx.simulation.faults.registry.FAULTS`
        `none`; `paper`, at the rates of its Table 3; names, of which participants get one each in turn
        (`a+b`: both at once); or a rate for each name. A person is otherwise the same with a fault as without.
    maps : whether the truth holds fat fraction without noise, voxel by voxel (some 4 MB a participant)
    client, workers : Dask client to work on, or the number of local worker processes

    Raises
    ------
    SourceError
        If `out` already holds a cohort simulated otherwise, or a fault is unknown or impossible.
    """
    folder = Path(out)
    if unknown := sorted(set(slabs) - set(SLABS)):
        raise SourceError(f"there is no slab {unknown[0]}; expected some of {', '.join(map(str, SLABS))}")
    if participants < 1:
        raise SourceError(f"participants must be at least 1, found {participants}")
    slabs = tuple(sorted(set(slabs)))
    fault_plan = FaultPlan.parse(faults, slabs=slabs)
    people = draw_people(participants, seed)
    options = {"seed": seed, "slabs": list(slabs), "maps": maps, "faults": fault_plan.for_options()}
    plan = Plan(tuple(int(eid) for eid in people["eid"]), 1, options)
    work = WorkFolder(str(folder / _WORK))
    if work.has_plan():
        if work.read_plan() != plan:
            raise SourceError(f"{folder} already holds another simulated cohort; choose an empty folder or delete it")
    else:
        with writing_to(str(folder)):
            (folder / DIXON).mkdir(parents=True, exist_ok=True)
            create_truth(folder / TRUTH, plan.eids, slabs, maps=maps)
        work.write_plan(plan)
    run_missing(_simulate_one, work, plan, client=client, workers=workers, label="simulate")
    records = [work.read_record(index) for index in range(participants)]
    write_tables(folder / TRUTH, records, regions_in(slabs))
    write_phenotypes(folder / PHENOTYPES, _as_imaged(people, fault_plan, seed))
    return folder


def _as_imaged(people: pd.DataFrame, plan: FaultPlan, seed: int) -> pd.DataFrame:
    """People after the faults that concern them: a very short one is very short in the table, too, and a scoliosis
    has its diagnosis.
    """
    changed = people.copy()
    for index in range(len(people)):
        names = plan.names(seed=seed, index=index)
        person = person_at(people, index)
        imaged, labels = apply_faults("person", person, names, seed=seed, index=index)
        codes = [code for name in names for code in FAULTS[name].diagnoses]
        if labels or codes:
            imaged = with_diagnoses(imaged, codes)
            changed.loc[index, list(imaged)] = list(imaged.values())
    return changed


def _simulate_one(work_url: str, index: int) -> None:
    """One participant: volumes of the truth, then the zip, then the record with the rest, then the marker."""
    work = WorkFolder(work_url)
    plan = work.read_plan()
    part = plan.partition(index)
    eid = part.eids[0]
    folder = Path(work_url).parent
    seed, slabs, maps = int(plan.options["seed"]), tuple(plan.options["slabs"]), bool(plan.options["maps"])
    names = FaultPlan.from_options(plan.options["faults"]).names(seed=seed, index=index)
    person = draw_person(eid, seed, index)
    visit = simulate_visit(person, index=index, slabs=slabs, seed=seed, faults=names)
    write_volumes(folder / TRUTH, index, visit.slabs, maps=maps)
    path = folder / DIXON / f"{eid}_{UKB_FIELD}_2_0.zip"
    write_exam(path, visit.exam)
    of_file = damage_file(path, names, seed=seed, index=index)
    work.write_record(index, describe(eid, visit.slabs, (*visit.faults, *of_file), regions_in(slabs)))
    work.write_marker(index, part.digest)
