"""How many of the measurements that the paper's procedure loses bmx recovers, and how many of its values are wrong.

    python benchmarks/recovery.py [--participants 60] [--seed 4101] [--everybody] [--table values.csv] [--work FOLDER]
                                  [--keep benchmarks/recovery.csv]

Simulated participants with faults at the rates of the paper's Table 3 are written as archives, converted, segmented and
measured by the very calls that users make, measured by the paper's procedure (`paper_procedure.py`), too, and deleted,
a batch at a time. Those without a fault lose nothing by either, so that by default only those with one are simulated;
`--everybody` takes all, as they come. What a batch gave stays in the work folder: call it again to go on. `--keep`
appends what was found to a table that is kept, with the command.

- *lost* by the paper's procedure: no value that passes the paper's rules of quality control, or one that lies more than
  3 points from the truth under its own recipe (the authors looked at every image);
- *recovered*: bmx gives a value with outcome ok within 3 points of the truth;
- *recoverable*: what was lost for any cause but an abnormal skeleton or an implant;
- *silently wrong*: outcome ok, more than 3 points from the truth or of what has no marrow, among all values of bmx;
- *cause*: of what fails in a run that repairs nothing (no neighbouring slabs, no swaps), whether the cause that quality
  control tells is the simulator's: after a run as users make it, where a repair shows what was wrong; and after the run
  that repairs nothing, where it must be inferred from what is missing. What fails in a run as users make it is told
  apart: by a fault, or by the chance that some of many lie outside 2.5 or 3 SD.

The truth of a region that lies outside its slab is that in the slab which shows most of it. It is of marrow: voxels
with less than half of the region's signal are bone, where the paper's masks end (2.6), and are no part of it. The
limits are those of the issue on measurement; the exit code is 1 if one is missed. Some 15 seconds of one core each.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr
from distributed import Client
from paper_procedure import Exam, as_results, measure_archive
from scipy import stats

import bmx
from bmx.acquisition import SLABS, UKB_FIELD
from bmx.partitions.cluster import dask_client
from bmx.quality import Limits
from bmx.regions import REGIONS, Region
from bmx.simulation.bodies import SimulatedSlab
from bmx.simulation.exam_zips import write_exam
from bmx.simulation.faults.apply import damage_file
from bmx.simulation.faults.causes import expected_cause
from bmx.simulation.faults.draw import FaultPlan
from bmx.simulation.labels import LABELS
from bmx.simulation.people import draw_people, person_at
from bmx.simulation.recipes import true_bmff
from bmx.simulation.visits import simulate_visit
from bmx.variables import QC_CAUSE, QC_OUTCOME

WRONG = 3.0
"""Percentage points."""
BATCH = 16
_CHILDREN = {"none": "truth", "paper": "truth_paper"}


def who(participants: int, seed: int, *, everybody: bool) -> list[int]:
    """Rows of the first so many people, or of the first that have a fault."""
    plan, row = FaultPlan.parse("paper", slabs=tuple(SLABS)), 0
    rows: list[int] = []
    while len(rows) < participants:
        if everybody or plan.names(seed=seed, index=row):
            rows.append(row)
        row += 1
    return rows


def simulate_one(row: int, *, people: int, seed: int, folder: str) -> tuple[list[dict[str, object]], Exam]:
    """Write one archive; give what is true of each region, and what the paper's procedure measures."""
    torch.set_num_threads(1)
    names = FaultPlan.parse("paper", slabs=tuple(SLABS)).names(seed=seed, index=row)
    person = person_at(draw_people(people, seed), row)
    visit = simulate_visit(person, index=row, slabs=tuple(SLABS), seed=seed, faults=names)
    path = Path(folder) / f"{int(person['eid'])}_{UKB_FIELD}_2_0.zip"
    write_exam(path, visit.exam)
    of_file = damage_file(path, names, seed=seed, index=row)
    truth: list[dict[str, object]] = [
        {
            "eid": int(person["eid"]), "region": region.name, "faults": " ".join(names),
            "cause": expected_cause(region, (*visit.faults, *of_file), visit.slabs),
            **{_CHILDREN[recipe]: value for recipe, value in truth_of(region, visit.slabs).items()},
        }
        for region in REGIONS.values()
    ]  # fmt: skip
    return truth, measure_archive(path, bmx.load_models("simulated_fat"))


def truth_of(region: Region, slabs: Mapping[int, SimulatedSlab]) -> dict[str, float]:
    """True BMFF under both recipes, in the slab that shows most of the region."""
    shown = slabs[region.slab]
    if region.one_piece:
        label = LABELS[f"{region.name}_left"]
        # Slices of different slabs differ in thickness.
        size = {n: np.count_nonzero(slabs[n].labels == label) * SLABS[n].slice_mm for n in slabs}
        best = max(size, key=lambda number: (size[number], number == region.slab))
        shown = replace(slabs[best], masks={region.name: slabs[best].labels == label})
    mask, signal = shown.masks[region.name] > 0, shown.clean.fat + shown.clean.water
    if mask.any():
        mask &= signal >= 0.5 * np.median(signal[mask])
    found = true_bmff(replace(shown, masks={region.name: mask}), region)
    return {recipe: found[recipe] for recipe in _CHILDREN}


def do_batch(rows: Sequence[int], kept: Path, client: Client, *, people: int, seed: int) -> None:
    """Simulate, convert, run, and keep what is small."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "dixon"
        folder.mkdir()
        one = partial(simulate_one, people=people, seed=seed, folder=str(folder))
        made = client.gather(client.map(one, rows, pure=False))
        store, results = Path(scratch) / "slabs.zarr", Path(scratch) / "results.zarr"
        bmx.convert(folder, store, client=client)
        bmx.run(store, results, models="simulated", client=client)
        bare = Path(scratch) / "bare.zarr"
        bmx.run(store, bare, models="simulated", neighbours=False, swaps=False, client=client)
        partly = kept.with_suffix(".part")
        shutil.rmtree(partly, ignore_errors=True)
        shutil.copytree(results, partly / "results.zarr")
        shutil.copytree(bare, partly / "bare.zarr")
        pd.DataFrame([row for truth, _ in made for row in truth]).to_csv(partly / "truth.csv", index=False)
        theirs = as_results({int(str(truth[0]["eid"])): exam for truth, exam in made})
        theirs.to_zarr(partly / "paper.zarr", zarr_format=3, consolidated=False)
        partly.rename(kept)


def _join(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """The participants of all batches."""
    return xr.concat(parts, "participant", data_vars="minimal", coords="minimal", compat="override", join="exact")


def gather(batches: Sequence[Path]) -> pd.DataFrame:
    """A row for each participant and region: the truth, ours, theirs, each judged by the cohort's own volumes."""
    ours, bare = (
        _join([bmx.open_results(one / name).load() for one in batches]) for name in ("results.zarr", "bare.zarr")
    )
    theirs = _join([xr.open_zarr(one / "paper.zarr", consolidated=False).load() for one in batches])
    judged = bmx.qc.flag(ours)
    by_paper = bmx.qc.flag(theirs, limits=Limits(doubtful=(), body_position=False))
    unrepaired = bmx.qc.flag(bare)
    table = pd.concat([pd.read_csv(one / "truth.csv", keep_default_na=False) for one in batches], ignore_index=True)
    for name in _CHILDREN.values():
        table[name] = pd.to_numeric(table[name], errors="coerce")
    at = [xr.DataArray(table[name].to_numpy(), dims="value") for name in ("eid", "region")]
    outcomes = {number: name for name, number in QC_OUTCOME.items()}
    causes = {number: name for name, number in QC_CAUSE.items()}
    for prefix, results in (("bmx", judged), ("paper", by_paper), ("bare", unrepaired)):
        found = results[["bmff", "qc_outcome", "qc_cause", "qc_reason"]].sel(participant=at[0], region=at[1]).compute()
        table[f"{prefix}_bmff"] = found["bmff"].to_numpy()
        table[f"{prefix}_outcome"] = [outcomes[number] for number in found["qc_outcome"].to_numpy().tolist()]
        table[f"{prefix}_cause"] = [causes[number] for number in found["qc_cause"].to_numpy().tolist()]
        table[f"{prefix}_reason"] = found["qc_reason"].to_numpy().astype(object)
    return table


def report(table: pd.DataFrame) -> dict[str, int]:
    """Print what was recovered and what is wrong; the counts."""
    good = (table["bmx_outcome"] == "ok") & ((table["bmx_bmff"] - table["truth"]).abs() <= WRONG)
    theirs = (table["paper_outcome"] == "ok") & ((table["paper_bmff"] - table["truth_paper"]).abs() <= WRONG)
    lost = ~theirs
    implant = table["truth"].isna()
    recoverable = lost & ~implant & (table["cause"] != "skeletal abnormality")
    said = table["cause"].replace("", "no fault of this region")
    shown = pd.DataFrame(
        {
            "values": said.groupby(said).size(),
            "lost by the paper's procedure": lost.groupby(said).sum(),
            "of these recovered": (lost & good).groupby(said).sum(),
            "lost by bmx alone": (theirs & ~good).groupby(said).sum(),
        }
    )
    print(shown.to_string())
    for row in table[lost & ~good & recoverable].to_dict("records"):
        print(
            f"  not recovered: {row['eid']} {row['region']} ({row['faults'] or 'no fault'}): true {row['truth']:.1f}, "
            f"bmx {row['bmx_bmff']:.1f}, {row['bmx_outcome']}: {row['bmx_reason']}"
        )
    share = float((lost & good & recoverable).sum() / max(recoverable.sum(), 1))
    interval = stats.binomtest(int((good & recoverable).sum()), max(int(recoverable.sum()), 1)).proportion_ci()
    # Where there is no marrow, every value is wrong.
    wrong = (table["bmx_outcome"] == "ok") & (implant | ((table["bmx_bmff"] - table["truth"]).abs() > WRONG))
    for row in table[wrong].to_dict("records"):
        print(
            f"  silently wrong: {row['eid']} {row['region']} ({row['faults'] or 'no fault'}): true {row['truth']:.1f}, "
            f"bmx {row['bmx_bmff']:.1f}"
        )
    count, used = int(wrong.sum()), int((table["bmx_outcome"] == "ok").sum())
    low, high = stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0.0, stats.chi2.ppf(0.975, 2 * count + 2) / 2
    print(
        f"recovered: {int((good & recoverable).sum())} of {int(recoverable.sum())} recoverable, {share:.1%} "
        f"({interval.low:.1%} to {interval.high:.1%}; aim >= 90%){'' if share >= 0.9 else '  MISSED'}"
    )
    print(
        f"silently wrong: {count} of {used} values with outcome ok "
        f"(95 % Poisson interval {low:.1f} to {high:.1f}; aim 0){'  MISSED' if count else ''}"
    )
    failed = (table["bare_outcome"] != "ok") & (table["cause"] != "")
    true = table["cause"].str.replace(" ", "_")
    right = {name: failed & (true == table[f"{name}_cause"]) for name in ("bmx", "bare")}
    for row in table[failed & ~(right["bmx"] & right["bare"])].to_dict("records"):
        print(
            f"  another cause: {row['eid']} {row['region']} ({row['faults']}): {row['cause']}, told "
            f"{row['bmx_cause']}; {row['bmx_outcome']}; without repairs {row['bare_cause']}; {row['bare_outcome']}: "
            f"{row['bare_reason']}"
        )
    outside = failed & table["cause"].str.contains("outside") & table["bare_cause"].str.contains("outside")
    alike = int((right["bare"] | outside).sum())
    for name, after in (("bmx", "a run as users make it"), ("bare", "the run without repairs")):
        share = right[name].sum() / max(failed.sum(), 1)
        low, high = stats.binomtest(int(right[name].sum()), max(int(failed.sum()), 1)).proportion_ci()
        print(
            f"causes, told after {after}: {int(right[name].sum())} of {int(failed.sum())} failures of a run without "
            f"repairs, {share:.1%} ({low:.1%} to {high:.1%}; aim >= 95%){'' if share >= 0.95 else '  MISSED'}"
        )
    print(f"without repairs {alike} if partly and fully outside are one")
    still = table["bmx_outcome"] != "ok"
    faulty = still & (table["cause"] != "")
    named = faulty & (true == table["bmx_cause"])
    print(
        f"failures of a run as users make it: {int(still.sum())}; {int(named.sum())} of {int(faulty.sum())} with a "
        f"fault are named as they are, {int((still & ~faulty).sum())} have none"
    )
    return {
        "values": len(table), "lost": int(lost.sum()), "recoverable": int(recoverable.sum()),
        "recovered": int((good & recoverable).sum()), "ok": used, "silently_wrong": count,
        "failures": int(failed.sum()), "causes_right": int(right["bmx"].sum()),
        "bare_causes_right": int(right["bare"].sum()), "bare_causes_right_outside_as_one": alike,
    }  # fmt: skip


def keep(counts: Mapping[str, int], options: argparse.Namespace) -> None:
    """Append a row to the kept table, with the command less what doesn't decide the numbers."""
    place: Path = options.keep
    asked = f"--participants {options.participants} --seed {options.seed}{' --everybody' if options.everybody else ''}"
    row = pd.DataFrame([{**counts, "command": f"python benchmarks/recovery.py {asked}"}])
    kept = pd.concat([pd.read_csv(place), row]) if place.exists() else row
    kept[list(row)].to_csv(place, index=False)


def main() -> int:
    """Do what is missing, then print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, default=60)
    parser.add_argument("--seed", type=int, default=4101)
    parser.add_argument("--everybody", action="store_true", help="also those without a fault")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--work", type=Path, help="where batches are kept")
    parser.add_argument("--table", type=Path, help="write every value here as CSV")
    parser.add_argument("--keep", type=Path, help="append the counts to this table")
    options = parser.parse_args()
    kind = "everybody" if options.everybody else "faulty"
    work = options.work or Path(tempfile.gettempdir()) / f"bmx-recovery-{kind}-{options.seed}"
    work.mkdir(parents=True, exist_ok=True)
    rows = who(options.participants, options.seed, everybody=options.everybody)
    batches = [rows[first : first + BATCH] for first in range(0, len(rows), BATCH)]
    # A batch is called by its rows: a longer run goes on where a shorter one ended.
    places = [work / f"{batch[0]}-{batch[-1]}" for batch in batches]
    if missing := [(batch, place) for batch, place in zip(batches, places, strict=True) if not place.exists()]:
        with dask_client(workers=options.workers) as client:
            for batch, place in missing:
                do_batch(batch, place, client, people=rows[-1] + 1, seed=options.seed)
    table = gather(places)
    if options.table is not None:
        table.to_csv(options.table, index=False)
    print(f"{len(rows)} simulated participants, {'as they come' if options.everybody else 'each with a fault'}")
    counts = report(table)
    if options.keep is not None:
        keep(counts, options)
    recovered = counts["recovered"] >= 0.9 * counts["recoverable"]
    named = counts["causes_right"] >= 0.95 * counts["failures"]
    return 0 if recovered and named and not counts["silently_wrong"] else 1


if __name__ == "__main__":
    sys.exit(main())
