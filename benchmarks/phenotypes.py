"""Read a table of all participants of UK Biobank: 502,000 rows of 60 columns, as text and as Parquet.

    python benchmarks/phenotypes.py [--participants 502000] [--columns 60]

The table is drawn at random, with every field that bmx knows and strangers beside; nine in ten have no DXA. Each form
is read in a process of its own, which tells its time and its peak memory. Limits: those of the issue on phenotypes;
the exit code is 1 if one is missed. One value of each field is compared with what was written.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from bmx.phenotypes.fields import Field, load_fields, platform_column

SECONDS, GIGABYTES = 20.0, 4.0
READ = """
import resource, sys, time
import bmx
begin = time.perf_counter()
found = bmx.read_phenotypes(sys.argv[1])
spent = time.perf_counter() - begin
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(spent, peak, found.sizes["participant"], len(found.data_vars), float(found["bmd_spine"].sum()))
"""


def draw(field: Field, n: int, rng: np.random.Generator) -> np.ndarray:
    """A column as the platform would write it."""
    if field.many:
        codes = np.array([f"{letter}{k:02d}{d}" for letter in "ABCEIJKM" for k in range(40) for d in range(3)])
        counts = rng.poisson(3, n)
        return np.array(["|".join(rng.choice(codes, count)) for count in counts], object)
    if field.date:
        return (np.datetime64("2014-05-01") + rng.integers(0, 4000, n)).astype(str).astype(object)
    if field.codes:
        return rng.choice(np.array(list(field.codes), object), n)
    values = rng.gamma(5, 10, n).round(3).astype(str).astype(object)
    values[rng.random(n) < 0.9] = ""
    return values


def main() -> int:
    """Write the table, read it twice, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, default=502_000)
    parser.add_argument("--columns", type=int, default=60)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"eid": np.arange(1_000_000, 1_000_000 + options.participants)})
    for field in load_fields().values():
        table[platform_column(field, instance=2)] = draw(field, options.participants, rng)
    for number in range(options.columns - len(table.columns)):
        table[f"p9{number:04d}_i2"] = rng.normal(size=options.participants).round(3)
    dense = pd.to_numeric(table["p23204_i2"]).sum()
    missed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("table.csv", "table.csv.gz", "table.parquet"):
            path = Path(scratch) / name
            table.to_parquet(path) if name.endswith("parquet") else table.to_csv(path, index=False)
            said = subprocess.run([sys.executable, "-c", READ, path], check=True, capture_output=True, text=True)
            seconds, peak, rows, fields, total = map(float, said.stdout.split())
            assert rows == options.participants
            assert np.isclose(total, dense)
            late = seconds > SECONDS or peak > GIGABYTES
            missed += late
            print(
                f"{name}: {rows:,.0f} participants, {fields:.0f} of {len(table.columns)} columns in {seconds:.1f} s "
                f"(aim {SECONDS:g}), peak {peak:.2f} GB (aim {GIGABYTES:g}){'  MISSED' if late else ''}"
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
