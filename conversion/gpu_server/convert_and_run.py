"""One machine with several GPUs: a worker process for each, and the cores read and inflate archives meanwhile.

    pip install dask-cuda
    python convert_and_run.py dixon/ ukbb.zarr results.zarr models/

Converting needs no GPU, and every core helps; a run has one task at a time on each GPU, whose model is loaded once.
"""

from __future__ import annotations

import sys

from dask.distributed import Client, LocalCluster
from dask_cuda import LocalCUDACluster

import bmx


def main(zips: str, store: str, results: str, models: str) -> None:
    """Convert on all cores, then segment and measure on all GPUs."""
    with LocalCluster(threads_per_worker=1) as cores, Client(cores):
        bmx.convert(zips, store, slabs=(2, 4, 5))
    with LocalCUDACluster(threads_per_worker=1) as gpus, Client(gpus):
        bmx.run(store, results, models=models)


if __name__ == "__main__":
    main(*sys.argv[1:])
