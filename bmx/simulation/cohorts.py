"""A folder of simulated participants: zips as the archive holds them, what is true of them, and a phenotype table."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bmx.acquisition import SLABS, UKB_FIELD
from bmx.errors import SourceError
from bmx.partitions.engine import run_missing
from bmx.partitions.plan import Plan
from bmx.partitions.work import WorkFolder, writing_to
from bmx.phenotypes.fields import load_fields, platform_column
from bmx.simulation.bodies import simulate_participant
from bmx.simulation.exams import write_exam
from bmx.simulation.people import draw_people, draw_person
from bmx.simulation.truth import TRUTH, create_truth, regions_in, true_bmff, write_bmff, write_masks

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger(__name__)

DIXON = "dixon"
PHENOTYPES = "phenotypes.csv"
_WORK = "simulation.work"

_EXPORTED = (
    "sex", "age", "height", "bmi", "assessment_centre", "bmd_spine", "tscore_spine", "bmd_femoral_neck",
    "tscore_femoral_neck", "bmd_total_hip", "tscore_total_hip", "bmd_femoral_shaft", "android_fat", "gynoid_fat",
    "legs_fat", "trunk_fat", "total_fat", "vat_mass",
)  # fmt: skip
"""Phenotypes of a simulated person, in the order of the table's columns."""


def simulate(
    out: str | Path,
    *,
    participants: int = 24,
    seed: int = 0,
    slabs: tuple[int, ...] = (1, 2, 3, 4, 5, 6),
    client: Client | None = None,
    workers: int | None = None,
) -> Path:
    """Simulate a cohort as UK Biobank would deliver it, with everything about it known.

    Writes `OUT/dixon/EID_20201_2_0.zip` (single-frame DICOM, all four contrasts), `OUT/truth.zarr`
    (masks of the four regions and their BMFF, see `bmx.simulation.truth.open_truth`) and
    `OUT/phenotypes.csv` (columns of the Research Analysis Platform). Bone mineral density follows the
    BMFF that was drawn for the person, sex and BMI by the paper's Models 4.2, 5.5, 6.2 and 7.2.

    Call it again after an interruption: only the missing participants are made.

    Parameters
    ----------
    participants : number of people; the first k are the same whatever it is
    seed : the same seed gives the same bytes, whatever the number of workers
    slabs : which of the six slabs the exams hold
    client, workers : Dask client to work on, or the number of local worker processes

    Raises
    ------
    SourceError
        If `out` already holds a cohort simulated otherwise.
    """
    folder = Path(out)
    if unknown := sorted(set(slabs) - set(SLABS)):
        raise SourceError(f"there is no slab {unknown[0]}; expected some of {', '.join(map(str, SLABS))}")
    if participants < 1:
        raise SourceError(f"participants must be at least 1, found {participants}")
    people = draw_people(participants, seed)
    plan = Plan(tuple(int(eid) for eid in people["eid"]), 1, {"seed": seed, "slabs": sorted(slabs)})
    work = WorkFolder(str(folder / _WORK))
    if work.has_plan():
        if work.read_plan() != plan:
            raise SourceError(f"{folder} already holds another simulated cohort; choose an empty folder or delete it")
    else:
        with writing_to(str(folder)):
            (folder / DIXON).mkdir(parents=True, exist_ok=True)
            create_truth(folder / TRUTH, plan.eids, tuple(sorted(slabs)))
        work.write_plan(plan)
    run_missing(_simulate_one, work, plan, client=client, workers=workers, label="simulate")
    bmff = np.stack([work.read_record(index)["bmff"] for index in range(participants)])
    write_bmff(folder / TRUTH, bmff, regions_in(tuple(sorted(slabs))))
    write_phenotypes(folder / PHENOTYPES, people)
    return folder


def write_phenotypes(path: Path, people: pd.DataFrame) -> None:
    """Write a table as the Research Analysis Platform exports it: sex as code, VAT in grams."""
    table = people.assign(
        sex=(people["sex"] == "Male").astype(int),
        age=people["age"].astype(int),
        vat_mass=(people["vat_mass"] * 1000).round().astype(int),
        assessment_centre=np.array([11025, 11026, 11027])[people["eid"] % 3],
    )
    decimals = {"bmi": 4, "bmd_spine": 3, "bmd_femoral_neck": 3, "bmd_total_hip": 3, "bmd_femoral_shaft": 3}
    decimals |= dict.fromkeys(("android_fat", "gynoid_fat", "legs_fat", "trunk_fat", "total_fat"), 1)
    known = load_fields()
    columns = {"eid": "eid"} | {name: platform_column(known[name], instance=2) for name in _EXPORTED}
    table[list(columns)].round(decimals).rename(columns=columns).to_csv(path, index=False)


def _simulate_one(work_url: str, index: int) -> None:
    """One participant: masks, then the zip, then the record with the true BMFF, then the marker."""
    work = WorkFolder(work_url)
    plan = work.read_plan()
    part = plan.partition(index)
    folder = Path(work_url).parent
    seed, slabs = int(plan.options["seed"]), tuple(plan.options["slabs"])
    person = draw_person(part.eids[0], seed, index)
    simulated = simulate_participant(person, slabs, seed)
    write_masks(folder / TRUTH, index, simulated)
    write_exam(
        folder / DIXON / f"{part.eids[0]}_{UKB_FIELD}_2_0.zip",
        eid=part.eids[0],
        slabs={number: slab.images for number, slab in simulated.items()},
        affines={number: slab.affine for number, slab in simulated.items()},
        uid_seed=seed * 10_000_000 + part.eids[0],
    )
    bmff = [true_bmff(simulated[region.slab], region) for region in regions_in(slabs)]
    work.write_record(index, {"bmff": np.asarray(bmff, np.float32)})
    work.write_marker(index, part.digest)
