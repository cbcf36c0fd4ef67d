from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import dask
import hypothesis
import numpy as np
import pytest
import xarray as xr
from distributed import Client, LocalCluster

from bmx.ingest.conversion import convert
from bmx.regions import REGIONS
from bmx.simulation.cohorts import DIXON, simulate
from bmx.variables import SLAB_STATUS, VARIABLES
from tests.cohorts import PAIR, write_models

# Dask's profiler asks for the stacks of all threads every 10 ms, which locks up Python before 3.11.9 for good if it is
# then that garbage is collected (cpython issue 106883). In the environment, so that child processes have it, too.
os.environ["DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED"] = "False"
dask.config.refresh()

# A busy machine is not a wrong result.
hypothesis.settings.register_profile("bmx", deadline=None)
hypothesis.settings.load_profile("bmx")


@pytest.fixture(scope="session")
def threads() -> Iterator[Client]:
    """A cluster without processes, for what isn't about dying; it is nobody's default."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one untrained model of each region."""
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory, threads: Client) -> Path:
    """Four simulated participants with slab 5 alone: `dixon`, `truth.zarr`, `phenotypes.csv`, `slabs.zarr`."""
    folder = simulate(tmp_path_factory.mktemp("simulated"), participants=4, seed=1, slabs=(5,), client=threads)
    convert(folder / DIXON, folder / "slabs.zarr", slabs=(5,), contrasts=PAIR, client=threads)
    return folder


MaxComputes = Callable[[int], AbstractContextManager[None]]


@pytest.fixture
def max_computes() -> MaxComputes:
    """`with max_computes(0):` fails if anything lazy is computed."""

    @contextmanager
    def limit(allowed: int) -> Iterator[None]:
        count = 0

        def scheduler(graph: Any, keys: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            assert count <= allowed, f"computed more than {allowed} times"
            return dask.get(graph, keys, **options)

        with dask.config.set(scheduler=scheduler):
            yield

    return limit


TOY_SHAPES = {2: (10, 16, 18), 4: (8, 16, 18), 5: (12, 14, 18)}
"""Tiny slabs: everything but the size is as in a real one."""


@pytest.fixture
def toy_cohort() -> Callable[..., tuple[xr.DataTree, xr.DataTree]]:
    """Makes slabs and masks of a few small participants: `slabs, masks = toy_cohort(participants=3)`."""
    return make_toy_cohort


def make_toy_cohort(participants: int = 3, *, chunk: int | None = 1, seed: int = 0) -> tuple[xr.DataTree, xr.DataTree]:
    """Boxes of known fat fraction in noise-free slabs: region i of participant p has 40 + 10 i + p percent."""
    rng = np.random.default_rng(seed)
    eids = np.arange(1_000_000, 1_000_000 + participants)
    root = xr.Dataset(coords={"participant": ("participant", eids, VARIABLES["participant"].attrs)})
    slabs: dict[str, xr.Dataset] = {"/": root.assign_attrs(simulated=True, ukb_instance=2)}
    masks: dict[str, xr.Dataset] = {"/": root}
    for number, shape in TOY_SHAPES.items():
        regions = [region for region in REGIONS.values() if region.slab == number]
        total = rng.integers(500, 1500, (participants, *shape))
        percent = np.full((participants, *shape), 5.0)
        mask = np.zeros((participants, len(regions), *shape), np.uint8)
        for i, region in enumerate(regions):
            y = 1 + 7 * i
            box = (slice(2, 6), slice(y, y + 5), slice(4, 9))
            mask[:, i, *box] = 1
            percent[:, *box] = (40 + 10 * list(REGIONS).index(region.name) + np.arange(participants))[
                :, None, None, None
            ]
        fat = np.rint(total * percent / 100).astype(np.uint16)
        affine = np.array([[-2.0, 0, 0, 30], [0, -2.0, 0, 20], [0, 0, 4.5, -100.0 * number]])
        values = {
            "fat": fat,
            "water": (total - fat).astype(np.uint16),
            "affine": np.broadcast_to(affine, (participants, 3, 4)),
            "native_slices": np.full(participants, shape[0] - 1, np.int16),
            "slab_status": np.full(participants, SLAB_STATUS["complete"], np.uint8),
            "slab_flags": np.zeros(participants, np.uint16),
            "slab_reason": np.full(participants, "", np.dtypes.StringDType()),
        }
        slabs[f"slab_{number}"] = declared(values)
        masks[f"slab_{number}"] = declared({"mask": mask}).assign_coords(region=[region.name for region in regions])
    trees = xr.DataTree.from_dict(slabs), xr.DataTree.from_dict(masks)
    if chunk is None:
        return trees
    return trees[0].chunk({"participant": chunk}), trees[1].chunk({"participant": chunk})


def declared(values: dict[str, Any]) -> xr.Dataset:
    return xr.Dataset({name: (VARIABLES[name].dims, value, VARIABLES[name].attrs) for name, value in values.items()})
