"""One machine: zips in a folder, one worker process per core.

python convert_and_run.py dixon/ ukbb.zarr results.zarr models/
"""

from __future__ import annotations

import sys

from dask.distributed import Client

import bmx


def main(zips: str, store: str, results: str, models: str) -> None:
    """Convert, then segment and measure."""
    with Client(threads_per_worker=1):
        bmx.convert(zips, store, slabs=(2, 4, 5))
        bmx.run(store, results, models=models)


if __name__ == "__main__":
    main(*sys.argv[1:])
