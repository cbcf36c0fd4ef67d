"""The tables and figures of Morris et al. 2024, of 729 simulated participants or of a cohort of your own.

python examples/reproduce_the_paper.py [folder] [results.zarr phenotypes.csv]

Without results, they are drawn without an image; `bmx simulate cohort --participants 729 --faults paper`, `bmx convert`
and `bmx run` give those of images, in hours. Both write `index.html` with everything on one page.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import bmx


def main(folder: Path, results: str | None = None, phenotypes: str | None = None) -> None:
    """Judge, join, write, and print what a reader looks at first."""
    if results is None or phenotypes is None:
        measured = bmx.simulate_results(folder / "cohort", participants=729, seed=2024)
        table = bmx.read_phenotypes(folder / "cohort" / "phenotypes.csv")
    else:
        measured, table = bmx.open_results(results), bmx.read_phenotypes(phenotypes)
    cohort = bmx.join(bmx.qc.flag(measured), table).compute()
    print(bmx.qc.table3(cohort))
    fit = bmx.analysis.regress(cohort, "bmd_spine ~ bmff_spine + sex + bmi")
    print(fit)
    print(bmx.flow(cohort, region="spine", having="bmd_spine", fit=fit))
    print(bmx.reproduce(cohort, folder / "tables"))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]), *sys.argv[2:4])
    else:
        with tempfile.TemporaryDirectory() as scratch:
            main(Path(scratch))
