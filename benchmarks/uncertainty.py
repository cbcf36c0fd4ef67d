"""How good the standard errors of BMFF are, and how far two scans of one person differ.

    python benchmarks/uncertainty.py [--participants 40] [--seed 401]

Simulated people are scanned twice (placed, breathing and noisy anew), drawn by the shipped networks and measured with
the default recipe. Printed: how many of the 95 % intervals (1.96 standard errors) hold the truth, which is the mean
noise-free fat fraction in the true mask; the SD between two scans of one person, and the intraclass correlation
ICC(1,1). The limit on coverage is that of the issue on measurement; the exit code is 1 if all regions together miss it,
or one region by more than chance. A standard error that nobody knows (NaN) is no interval.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from scipy import stats

import bmx
from bmx.core.bmff import measure_mask
from bmx.core.recipes import DEFAULT_RECIPE, get_recipe
from bmx.regions import REGIONS
from bmx.simulation.bodies import draw_body, image_body
from bmx.simulation.people import draw_people, person_at
from bmx.simulation.recipes import true_bmff

COVERAGE = (0.93, 0.97)


def measurements(participants: int, seed: int) -> Iterator[dict[str, object]]:
    """BMFF, its standard error and the truth, for every participant, region and scan."""
    models, recipe = bmx.load_models("simulated"), get_recipe(DEFAULT_RECIPE)
    people = draw_people(participants, seed)
    for row in range(participants):
        person = person_at(people, row)
        body = draw_body(person, seed)
        for scan in (0, 1):
            slabs = image_body(body, person, (2, 4, 5), seed, scan=scan)
            for region in REGIONS.values():
                slab = slabs[region.slab]
                fat, water = slab.images["fat"], slab.images["water"]
                mask = models[region.name].draw(fat, water, slab.affine).mask
                found = measure_mask(fat, water, mask, slab.affine, len(mask), region=region, recipe=recipe)
                truth = true_bmff(slab, region)["none"]
                yield {
                    "participant": row, "region": region.name, "scan": scan, "bmff": found.bmff, "se": found.bmff_se,
                    "error": found.bmff - truth,
                }  # fmt: skip


def coverage(rows: pd.DataFrame) -> dict[str, object]:
    """How many intervals hold the truth, with the exact interval of that share, and how long they are."""
    rows = rows.dropna(subset="se")
    held = rows["error"].abs() <= 1.96 * rows["se"]
    interval = stats.binomtest(int(held.sum()), len(held)).proportion_ci()
    return {
        "n": len(rows), "covered": f"{held.mean():.1%} ({interval.low:.1%} to {interval.high:.1%})",
        "possible": interval.low <= COVERAGE[1] and interval.high >= COVERAGE[0],
        "bias": rows["error"].mean(), "SD of error": rows["error"].std(), "median SE": rows["se"].median(),
    }  # fmt: skip


def repeats(rows: pd.DataFrame) -> dict[str, float]:
    """SD within a person, of one scan, and ICC(1,1) of one-way analysis of variance."""
    pair = rows.pivot_table(index="participant", columns="scan", values="bmff").to_numpy()
    within = float(((pair[:, 0] - pair[:, 1]) ** 2).mean() / 2)
    between = float(2 * pair.mean(axis=1).var(ddof=1))
    return {"SD between scans": np.sqrt(within), "ICC": (between - within) / (between + within)}


def main() -> int:
    """Print coverage and repeatability by region."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, default=40)
    parser.add_argument("--seed", type=int, default=401)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = pd.DataFrame(measurements(options.participants, options.seed))
    table = {name: coverage(rows) | repeats(rows) for name, rows in found.groupby("region", sort=False)}
    print(pd.DataFrame({**table, "all": coverage(found)}).T.to_string(float_format="{:.2f}".format, na_rep=""))
    known = found.dropna(subset="se")
    share = float((known["error"].abs() <= 1.96 * known["se"]).mean())
    holds = COVERAGE[0] <= share <= COVERAGE[1] and all(row["possible"] for row in table.values())
    print(f"95 % intervals that hold the truth: {share:.1%} (aim 93 % to 97 %){'' if holds else '  MISSED'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
