"""Do 95 % confidence intervals hold the coefficients that made the cohort as often as they say?

    python benchmarks/coverage.py [--replicates 200] [--participants 729] [--seed 1]

Each replicate is a cohort of new people, measured with an error and with regions lost as in the paper's Table 3, judged
by quality control and regressed as in Tables 5-8 (Models 4.2, 5.5, 6.2, 7.2). The exit code is 1 if the share of all
intervals that hold what made them is not between 93 and 97 %.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import pandas as pd
from scipy import stats

from bmx.analysis import regress
from bmx.quality import flag
from bmx.simulation.density import DENSITY_MODELS
from bmx.simulation.measured import draw_results
from bmx.simulation.people import draw_people

LOW, HIGH = 0.93, 0.97


def one_cohort(participants: int, seed: int) -> pd.DataFrame:
    """Every coefficient of one replicate: what made it, and its interval."""
    people = draw_people(participants, seed)
    columns = ["sex", "bmi", *DENSITY_MODELS]
    cohort = flag(draw_results(people, seed)).assign(
        {name: ("participant", people[name].to_numpy()) for name in columns}
    )
    rows = []
    for outcome, model in DENSITY_MODELS.items():
        exposure = f"bmff_{model.exposure}"
        terms = regress(cohort, f"{outcome} ~ {exposure} + sex + bmi").terms.set_index("term")
        made = {exposure: model.bmff, "sex[Male]": model.male, "bmi": model.bmi}
        rows += [
            {
                "outcome": outcome,
                "term": term,
                "made with": value,
                **terms.loc[term, ["estimate", "conf_low", "conf_high"]],
            }
            for term, value in made.items()
        ]
    return pd.DataFrame(rows)


def main() -> int:
    """Draw, regress, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--participants", type=int, default=729)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    seeds = range(options.seed * 10_000, options.seed * 10_000 + options.replicates)
    found = pd.concat([one_cohort(options.participants, seed) for seed in seeds], ignore_index=True)
    found["inside"] = (found["conf_low"] <= found["made with"]) & (found["made with"] <= found["conf_high"])
    table = found.groupby(["outcome", "term"], sort=False).agg(
        made_with=("made with", "first"), mean_estimate=("estimate", "mean"), coverage=("inside", "mean")
    )
    print(f"{options.replicates} cohorts of {options.participants} people")
    print(table.to_string(float_format="{:.4f}".format))
    share, n = float(found["inside"].mean()), len(found)
    # Intervals of one cohort go together: what varies from cohort to cohort is their share.
    by_cohort = found["inside"].to_numpy().reshape(options.replicates, -1).mean(axis=1)
    error = stats.norm.ppf(0.975) * by_cohort.std(ddof=1) / np.sqrt(options.replicates)
    missed = not LOW <= share <= HIGH
    print(
        f"{share:.1%} of {n:,} intervals hold what made them (± {error:.1%}; aim {LOW:.0%} to {HIGH:.0%})"
        f"{'  MISSED' if missed else ''}"
    )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
