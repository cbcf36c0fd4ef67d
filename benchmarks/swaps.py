"""How many fat-water swaps are found and repaired, and how many repairs are false.

    python benchmarks/swaps.py [--participants 60] [--seed 501] [--data ../shared/data]

Each simulated participant is imaged in six slabs, a third of them lean, obese or scoliotic, and swapped in one slab, in
one leg or in a blob; the others of their slabs are clean, and every clean side of a slab is a unit that can be repaired
falsely. A swap counts as found if what was exchanged back overlaps it by more than half (intersection over union of
tissue with signal); how much of that was exchanged back is printed beside, since the border of a blob can't always be
seen. BMFF inside the true masks is compared with that of the exam without the swap. On real images (where `--data` is),
an artificial exchange must be found, and the images as they are must be left alone. The limits are those of the issue
on measurement; the exit code is 1 if one is missed. Six slabs take some six seconds to simulate.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from bmx.core.bmff import measure_mask
from bmx.core.marrow_values import has_signal
from bmx.core.noise import slab_levels
from bmx.core.recipes import DEFAULT_RECIPE, get_recipe
from bmx.core.stitch import SlabPair
from bmx.core.swaps import Swaps, find_swaps
from bmx.regions import REGIONS
from bmx.simulation.bodies import SimulatedSlab, draw_body, image_body
from bmx.simulation.faults.registry import FAULTS
from bmx.simulation.people import draw_people, person_at

SLABS = (1, 2, 3, 4, 5, 6)
KINDS = ("swap_slab", "swap_leg", "swap_blob")
BODIES = ("very_lean", "", "mild_scoliosis", "", "obese", "")
"""In turn; obesity is a matter of BMI."""
FOUND = 0.5
"""Intersection over union with a swap's tissue from which on it counts as found, as is usual for detections."""
NEAR = 1.0
"""Percentage points by which BMFF may move."""
TOUCHED = 0.02
"""Share of a clean side from which on it counts as falsely repaired."""


@dataclass(frozen=True, slots=True)
class Exam:
    """One participant's slabs, clean."""

    slabs: dict[int, SimulatedSlab]
    body: str


def exams(participants: int, seed: int) -> Iterator[tuple[int, Exam]]:
    """Simulate participants one after the other."""
    people = draw_people(participants, seed)
    for row in range(participants):
        person, kind = dict(person_at(people, row)), BODIES[row % len(BODIES)]
        rng = np.random.default_rng([seed, row])
        if kind == "obese":
            person["bmi"] = float(rng.uniform(32, 40))
        elif kind == "very_lean":
            person, _ = FAULTS[kind].apply(person, rng)
        anatomy = draw_body(person, seed)
        if kind == "mild_scoliosis":
            anatomy, _ = FAULTS[kind].apply(anatomy, rng)
        yield row, Exam(image_body(anatomy, person, SLABS, seed), kind or "usual")


def pairs(slabs: dict[int, SimulatedSlab]) -> dict[int, SlabPair]:
    """Fat and water alone."""
    return {number: SlabPair(one.images["fat"], one.images["water"], one.affine) for number, one in slabs.items()}


def bmff(slabs: dict[int, SimulatedSlab], repaired: dict[int, Swaps] | None) -> dict[str, float]:
    """Of each region inside its true mask, perhaps after repair."""
    found = {}
    for region in REGIONS.values():
        slab = slabs[region.slab]
        fat, water = slab.images["fat"], slab.images["water"]
        if repaired is not None:
            where = repaired[region.slab].mask
            fat, water = np.where(where, water, fat), np.where(where, fat, water)
        mask = slab.masks[region.name].astype(np.uint8)
        recipe = get_recipe(DEFAULT_RECIPE)
        found[region.name] = measure_mask(fat, water, mask, slab.affine, len(mask), region=region, recipe=recipe).bmff
    return found


def tissue(slab: SimulatedSlab) -> npt.NDArray[np.bool_]:
    """Where there is so much signal that the default recipe gives a fat fraction: in lung, fat and water are noise."""
    fat, water = slab.images["fat"], slab.images["water"]
    nowhere = np.zeros(fat.shape, np.bool_)
    bright = has_signal(fat, water, nowhere, get_recipe(DEFAULT_RECIPE), slab_levels(fat, water))
    return np.asarray(bright & np.isfinite(slab.fat_percent))


def sides(slab: SimulatedSlab) -> list[npt.NDArray[np.bool_]]:
    """Tissue of either half of a slab."""
    body = tissue(slab)
    right = np.arange(body.shape[2]) < body.shape[2] / 2
    return [body & right, body & ~right]


def judge(exam: Exam, row: int, seed: int) -> Iterator[dict[str, object]]:
    """Every unit of one participant: the swap, and each clean side of a slab; without any swap, and with one."""
    rng = np.random.default_rng([seed, row, 1])
    kind = KINDS[row % len(KINDS)]
    swapped, _ = FAULTS[kind].apply(exam.slabs, rng)
    for slabs, name in ((exam.slabs, ""), (swapped, kind)):
        begin = time.perf_counter()
        found = find_swaps(pairs(slabs))
        spent = time.perf_counter() - begin
        before, after = bmff(exam.slabs, None), bmff(slabs, found)
        moved = max(abs(after[region] - before[region]) for region in before if np.isfinite(before[region]))
        for number, slab in slabs.items():
            truth = slab.swapped if slab.swapped is not None else np.zeros(tissue(slab).shape, np.bool_)
            if truth.any():
                body = tissue(slab) & truth
                exchanged = found[number].mask & tissue(slab)
                yield {
                    "unit": "swap", "kind": name, "body": exam.body, "row": row, "slab": number,
                    "share": float((exchanged & body).sum() / body.sum()),
                    "overlap": float((exchanged & body).sum() / (exchanged | body).sum()),
                    "suspected": found[number].suspected, "moved": moved, "seconds": spent,
                }  # fmt: skip
            for side, part in enumerate(sides(slab)):
                clean = part & ~truth
                if clean.sum() < 0.5 * part.sum() or not clean.any():
                    continue
                wrong = float((found[number].mask & clean).sum() / clean.sum())
                yield {
                    "unit": "clean", "kind": name, "body": exam.body, "row": row, "slab": number, "side": side,
                    "share": wrong, "suspected": found[number].suspected, "moved": moved, "seconds": spent,
                }  # fmt: skip


def real(data: Path) -> Iterator[dict[str, object]]:
    """Real pairs: left alone as they are, and repaired where they are exchanged, whole or in one half."""
    for name, fat_name, water_name in (
        ("lumbar", "lumbar_dixon/TUM01_fat", "lumbar_dixon/TUM01_water"),
        ("thigh", "thigh_fat_fraction/fat", "thigh_fat_fraction/water"),
    ):
        fat_file = nibabel.as_closest_canonical(nibabel.load(data / f"{fat_name}.nii.gz"))
        water_file = nibabel.as_closest_canonical(nibabel.load(data / f"{water_name}.nii.gz"))
        fat, water = (np.maximum(one.get_fdata().T, 0).astype(np.float32) for one in (fat_file, water_file))
        pair = SlabPair(fat, water, fat_file.affine[:3])
        total = fat + water
        body = total > 0.12 * np.percentile(total[total > 0], 99.5)
        half = np.zeros(fat.shape, np.bool_)
        half[:, :, : fat.shape[2] // 2] = True
        for what, where in (("as it is", np.zeros_like(half)), ("all exchanged", np.ones_like(half)), ("half", half)):
            changed = SlabPair(np.where(where, water, fat), np.where(where, fat, water), pair.affine)
            found = find_swaps({1: changed})[1]
            agree = float(((found.mask == where) & body).sum() / body.sum())
            yield {"image": name, "exchanged": what, "agrees": agree, "corrected": found.corrected,
                   "suspected": found.suspected}  # fmt: skip


def main() -> int:
    """Print sensitivity, false repairs and what becomes of BMFF."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, default=60)
    parser.add_argument("--seed", type=int, default=501)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    for row, exam in exams(options.participants, options.seed):
        rows += judge(exam, row, options.seed)
    found = pd.DataFrame(rows)
    swaps, clean = found[found["unit"] == "swap"], found[found["unit"] == "clean"]
    good, false = swaps["overlap"] > FOUND, clean["share"] > TOUCHED
    print("Swaps, by kind: found, share of their tissue that was exchanged back; median seconds for six slabs")
    print(swaps.assign(found=good).groupby("kind").agg(
        n=("found", "size"), found=("found", "mean"), median_share=("share", "median"), least_share=("share", "min"),
        suspected=("suspected", "mean"), seconds=("seconds", "median"),
    ).to_string(float_format="{:.2f}".format))  # fmt: skip
    for bad in swaps[~good].to_dict("records") + clean[false].to_dict("records"):
        who = f"participant {bad['row']} ({bad['body']})"
        print(f"  {bad['unit']} {bad['kind']} {who} slab {bad['slab']}: {bad['share']:.2f}")
    interval = stats.binomtest(int(false.sum()), len(clean)).proportion_ci()
    exams_found = found.drop_duplicates(["row", "kind"])
    moved = exams_found["moved"]
    for bad in exams_found[moved > NEAR].to_dict("records"):
        print(
            f"  participant {bad['row']} ({bad['body']}), {bad['kind'] or 'no swap'}: BMFF moved by {bad['moved']:.1f}"
        )
    print(f"false repairs: {int(false.sum())} of {len(clean)} clean sides ({interval.low:.2%} to {interval.high:.2%})")
    results = [
        ("sensitivity", float(good.mean()), ">=", 0.99),
        ("false repairs", float(false.sum()), "<=", 0.0),
        ("largest change of BMFF, points", float(moved.max()), "<=", NEAR),
    ]  # fmt: skip
    if options.data.exists():
        table = pd.DataFrame(real(options.data))
        print(table.to_string(index=False, float_format="{:.3f}".format))
        results.append(("real images, least agreement", float(table["agrees"].min()), ">=", 0.95))
        alone = table[table["exchanged"] == "as it is"]
        alarms = float((alone["corrected"] | alone["suspected"]).sum())
        results.append(("real images, alarms where nothing is exchanged", alarms, "<=", 0.0))
    missed = 0
    for what, value, sign, limit in results:
        holds = value >= limit if sign == ">=" else value <= limit
        missed += not holds
        print(f"{what}: {value:.3g} (aim {sign} {limit:g}){'' if holds else '  MISSED'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
