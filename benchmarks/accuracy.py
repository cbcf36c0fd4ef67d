"""How well the shipped weights do on simulated participants that training never saw.

    python benchmarks/accuracy.py [--participants 20] [--seed 31337] [--workers 2]

Goes the whole way through files: simulated DICOM zips, `convert`, `run`. Prints Dice against the true
masks and measured BMFF against the true one, by region.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import pandas as pd

import bmx
from bmx.evaluation import compare_to_truth, dice_per_participant
from bmx.partitions.cluster import dask_client
from bmx.simulation.truth import open_truth
from bmx.store.results import masks_beside

SLABS = (2, 4, 5)


def main() -> None:
    """Simulate, measure, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, default=20)
    parser.add_argument("--seed", type=int, default=31337, help="trainings use 20001 and above, in steps of one")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()

    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        results_url = here / "results.zarr"
        with dask_client(workers=arguments.workers) as client:
            bmx.simulate(here, participants=arguments.participants, seed=arguments.seed, slabs=SLABS, client=client)
            bmx.convert(here / "dixon", here / "slabs.zarr", slabs=SLABS, client=client)
            results = bmx.run(here / "slabs.zarr", results_url, models="simulated", client=client).compute()
        truth = open_truth(here)
        dice = dice_per_participant(bmx.open_masks(masks_beside(results_url)), truth).compute()
        bmff = compare_to_truth(results, truth["results"].to_dataset())

    scores = dice.transpose("participant", "region").to_pandas()[list(bmff.index)]
    table = pd.DataFrame(
        {
            "dice": scores.mean(),
            "dice_sd": scores.std(),
            "dice_worst": scores.min(),
            "bmff_bias": bmff["bias"],
            "bmff_mean_absolute_error": bmff["mean_absolute_error"],
            "bmff_worst": bmff["worst"],
            "missing": bmff["missing"],
        }
    )
    print(f"{arguments.participants} simulated participants, seed {arguments.seed}; BMFF in percentage points")
    print(table.round({name: 3 if name.startswith("dice") else 2 for name in table}).to_string())
    print(f"{time.perf_counter() - begin:.0f} s with {arguments.workers} workers")


if __name__ == "__main__":
    main()
