"""The whole journey in a Python session, on six simulated participants; runs offline in a minute or two.

python examples/from_zips_to_regression.py [folder]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from dask.distributed import Client

import bmx


def main(folder: Path) -> None:
    """Simulate, convert, run, judge, join, regress."""
    bmx.simulate(folder, participants=6, seed=7, slabs=(2, 4, 5))
    bmx.convert(folder / "dixon", folder / "slabs.zarr", slabs=(2, 4, 5))
    print(bmx.open_store(folder / "slabs.zarr"))

    results = bmx.run(folder / "slabs.zarr", folder / "results.zarr", models="simulated")
    cohort = bmx.join(bmx.qc.flag(results), bmx.read_phenotypes(folder / "phenotypes.csv"))
    print(cohort["bmff"].to_pandas().round(1))
    print(bmx.analysis.regress(cohort, "bmd_spine ~ bmff_spine + bmi"))


if __name__ == "__main__":
    with Client(n_workers=2, threads_per_worker=1):
        if len(sys.argv) > 1:
            main(Path(sys.argv[1]))
        else:
            with tempfile.TemporaryDirectory() as scratch:
                main(Path(scratch))
