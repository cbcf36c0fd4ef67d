"""A SLURM cluster: jobs of eight single-threaded workers, as many as there is work for.

    pip install 'bmx[slurm]'
    python convert_and_run.py dixon/ /scratch/ukbb.zarr /scratch/results.zarr models/

Run it on a login or interactive node; store and results must lie where all nodes see them. Partition, account
and the like come from ~/.config/dask/jobqueue.yaml, see https://jobqueue.dask.org.
"""

from __future__ import annotations

import sys

from dask.distributed import Client
from dask_jobqueue import SLURMCluster

import bmx


def main(zips: str, store: str, results: str, models: str, *, cores: int = 8, jobs: int = 25) -> None:
    """Convert, then segment and measure."""
    cluster = SLURMCluster(cores=cores, processes=cores, memory=f"{2 * cores}GB", walltime="04:00:00")
    cluster.adapt(minimum_jobs=1, maximum_jobs=jobs)
    with cluster, Client(cluster):
        bmx.convert(zips, store, slabs=(2, 4, 5))
        bmx.run(store, results, models=models)


if __name__ == "__main__":
    main(*sys.argv[1:])
