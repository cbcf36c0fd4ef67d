"""Thousands of regressions at once: against one statsmodels fit after the other, and against a bare matrix product.

    python benchmarks/associate.py [--participants 100000] [--outcomes 2000] [--loop 40]

4 exposures, 6 covariates, and in each outcome another share of missing values, from none to a fifth. The loop of
statsmodels is timed on `--loop` outcomes (all exposures) and said for all of them in proportion. The bare product of
matrices is what the exact fits need at least if each exposure is a design of its own: X'X and X'y of eight columns
each, over the rows where the outcome is there. Ours computes products that designs share once; a product of that
smaller size is printed, too. The limits are those of the issue on analysis; if one is missed, the exit code is 1.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np
import pandas as pd
import statsmodels.api as sm
import xarray as xr

from bmx.analysis import associate

EXPOSURES = ("bmff_spine", "bmff_femoral_head", "bmff_total_hip", "bmff_femoral_diaphysis")
COVARIATES = ("age", "bmi", "vat_mass", "height", "pc_1", "pc_2")
K, E = len(COVARIATES) + 2, len(EXPOSURES)
"""Columns of a design, and how many there are."""
APART = E * (K * (K + 1) // 2 + K)
"""Products and moments of all designs, each by itself."""
SHARED = K * (K - 1) // 2 + E * K + K - 1 + E
"""The same where what two designs share is counted once."""


def make_cohort(participants: int, outcomes: int, seed: int = 1) -> xr.Dataset:
    """A cohort whose traits depend a little on everything."""
    rng = np.random.default_rng(seed)
    known = rng.standard_normal((participants, len(EXPOSURES) + len(COVARIATES)))
    known[:, : len(EXPOSURES)] += 0.3 * known[:, len(EXPOSURES) :] @ rng.standard_normal((len(COVARIATES), 4))
    traits = np.empty((participants, outcomes))
    weights = rng.normal(0, 0.05, (known.shape[1], outcomes))
    shares = rng.uniform(0, 0.2, outcomes)
    for start in range(0, participants, 5000):  # in parts: what isn't needed afterwards must not be the peak of memory
        rows = slice(start, min(start + 5000, participants))
        traits[rows] = known[rows] @ weights + rng.standard_normal((rows.stop - start, outcomes))
        traits[rows][rng.random((rows.stop - start, outcomes)) < shares] = np.nan
    people = {name: ("participant", known[:, place]) for place, name in enumerate((*EXPOSURES, *COVARIATES))}
    return xr.Dataset(
        {**people, "trait": (("participant", "number"), traits)},
        coords={"participant": np.arange(participants) + 1_000_000, "number": [f"t{i}" for i in range(outcomes)]},
    )


def loop(cohort: xr.Dataset, outcomes: int) -> pd.DataFrame:
    """The same with statsmodels, one fit after the other, as people do it."""
    table = cohort[[*EXPOSURES, *COVARIATES]].to_pandas()
    rows = []
    for place in range(outcomes):
        y = cohort["trait"][:, place].to_numpy()
        there = ~np.isnan(y)
        for exposure in EXPOSURES:
            fit = sm.OLS(y[there], sm.add_constant(table.loc[there, [*COVARIATES, exposure]])).fit()
            rows.append((f"trait_t{place}", exposure, fit.params[exposure], fit.bse[exposure], int(fit.nobs)))
    return pd.DataFrame(rows, columns=["outcome", "exposure", "estimate", "std_error", "n"])


def product(rows: int, participants: int, outcomes: int) -> float:
    """Seconds of a bare matrix product (rows, participants) x (participants, outcomes)."""
    rng = np.random.default_rng(2)
    left = rng.standard_normal((rows, participants))
    right = rng.standard_normal((participants, min(outcomes, 500)))
    left @ right[:, :8]
    begin = time.perf_counter()
    for start in range(0, outcomes, 500):
        left @ right[:, : min(500, outcomes - start)]
    return time.perf_counter() - begin


def main() -> int:
    """Print seconds, ratios and whether the limits hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, default=100_000)
    parser.add_argument("--outcomes", type=int, default=2_000)
    parser.add_argument("--loop", type=int, default=40)
    options = parser.parse_args()
    sample = min(options.loop, options.outcomes)
    cohort = make_cohort(options.participants, options.outcomes)
    associate(cohort.isel(participant=slice(2000), number=slice(8)), "trait", EXPOSURES, covariates=COVARIATES)
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        found = associate(cohort, "trait", EXPOSURES, covariates=COVARIATES)
        seconds.append(time.perf_counter() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    begin = time.perf_counter()
    one_by_one = loop(cohort, sample)
    looped = (time.perf_counter() - begin) * options.outcomes / sample
    bare, shared = (
        min(product(rows, options.participants, options.outcomes) for _ in range(3)) for rows in (APART, SHARED)
    )
    both = one_by_one.merge(found.table, on=["outcome", "exposure"], suffixes=("", "_ours"), validate="1:1")
    assert len(both) == len(one_by_one)
    assert (both["n"] == both["n_ours"]).all()
    beta = float(((both["estimate"] - both["estimate_ours"]).abs() / both["std_error"]).max())
    error = float((both["std_error_ours"] / both["std_error"] - 1).abs().max())
    best = min(seconds)
    fits = len(EXPOSURES) * options.outcomes
    each = ", ".join(f"{one:.1f}" for one in seconds)
    print(f"{fits:,} fits of {options.participants:,} participants: {best:.1f} s at best of {each}")
    print(f"statsmodels, {sample * len(EXPOSURES)} fits timed: {looped:.0f} s for all")
    print(f"bare matrix product: {bare:.2f} s, {shared:.2f} s of what designs don't share")
    results = [
        ("statsmodels / ours", looped / best, ">=", 100.0),
        ("ours / bare matrix product", best / bare, "<=", 3.0),
        ("peak memory, GB", peak, "<=", 3.0),
        ("estimates differ by at most, in their SE", beta, "<=", 1e-6),
        ("SE differ by at most, relative", error, "<=", 1e-7),
    ]
    missed = 0
    for what, value, sign, limit in results:
        holds = value >= limit if sign == ">=" else value <= limit
        missed += not holds
        print(f"{what}: {value:.3g} (aim {sign} {limit:g}){'' if holds else '  MISSED'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
