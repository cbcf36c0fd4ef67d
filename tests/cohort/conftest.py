from __future__ import annotations

from pathlib import Path

import pytest
from distributed import Client

from bmx.cohort.run import run
from tests.cohort.disturbing import EIDS, everything
from tests.cohorts import make_store


@pytest.fixture(scope="session")
def six(tmp_path_factory: pytest.TempPathFactory, threads: Client) -> Path:
    """A store of six participants, a partition each."""
    return make_store(tmp_path_factory.mktemp("six"), EIDS, slabs=(4,), client=threads)


@pytest.fixture(scope="session")
def calm(six: Path, untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every byte of results and masks of a run of them that nobody disturbed."""
    results = tmp_path_factory.mktemp("calm") / "results.zarr"
    run(six, results, models=untrained, workers=2)
    return everything(results)
