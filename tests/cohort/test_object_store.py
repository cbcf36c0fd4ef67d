"""A run whose store, masks and results lie in a bucket, behind a network that isn't perfect."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import zarr
from distributed import Client

from bmx.cohort.run import run
from bmx.partitions.cluster import dask_client
from bmx.store.results import masks_beside, open_masks, open_results
from tests.cohorts import make_store
from tests.faulty_proxy import Faults, faulty
from tests.s3 import files, objects, serve_s3, upload

pytestmark = pytest.mark.slow
EIDS = (1000001, 1000002, 1000003)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, threads: Client) -> Path:
    return make_store(tmp_path_factory.mktemp("local"), EIDS, slabs=(4,), client=threads)


@pytest.fixture
def bucket(local: Path) -> Iterator[str]:
    """A bucket that holds the store."""
    with serve_s3() as url:
        upload(local, f"{url}/slabs.zarr")
        yield url


@pytest.fixture
def faults(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """None yet; all that this process and its workers ask of the bucket passes through them."""
    there = Faults()
    with faulty(os.environ["AWS_ENDPOINT_URL"], there) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy)
        files().clear_instance_cache()
        yield there
    files().clear_instance_cache()


def everything(results: str) -> dict[str, bytes]:
    """Every object of results and masks, without the history."""
    found = {}
    for url in (results, masks_beside(results)):
        history = str(zarr.open_group(url, mode="r").attrs.get("history", "no history")).encode()
        found |= {f"{url}/{name}": data.replace(history, b"") for name, data in objects(url).items()}
    return found


def test_run__in_a_bucket_equals_one_on_disk(bucket: str, local: Path, untrained: Path, tmp_path: Path) -> None:
    """Nothing is renamed or locked, which object stores can't do."""
    run(f"{bucket}/slabs.zarr", f"{bucket}/r.zarr", models=untrained, workers=2)
    run(local, tmp_path / "r.zarr", models=untrained, workers=2)
    there, here = open_results(f"{bucket}/r.zarr").load(), open_results(tmp_path / "r.zarr").load()
    assert there.drop_vars("model").equals(here.drop_vars("model"))
    drawn = open_masks(masks_beside(f"{bucket}/r.zarr"))["slab_4/mask"]
    assert drawn.equals(open_masks(masks_beside(str(tmp_path / "r.zarr")))["slab_4/mask"])


def test_run__goes_through_errors_slow_reads_and_dropped_connections(
    bucket: str, faults: Faults, untrained: Path
) -> None:
    """They are retried below us; the objects are those of a calm day."""
    run(f"{bucket}/slabs.zarr", f"{bucket}/r.zarr", models=untrained, workers=2)
    calm = everything(f"{bucket}/r.zarr")
    files().rm(f"{bucket}/r.zarr", recursive=True)
    files().rm(f"{bucket}/r.zarr.work", recursive=True)
    files().rm(masks_beside(f"{bucket}/r.zarr"), recursive=True)
    faults.error, faults.drop, faults.slow = 0.05, 0.03, 0.05
    run(f"{bucket}/slabs.zarr", f"{bucket}/r.zarr", models=untrained, workers=2)
    faults.error = faults.drop = faults.slow = 0.0
    assert all(faults.happened.values()), faults.happened
    assert everything(f"{bucket}/r.zarr") == calm


def test_run__says_that_the_bucket_is_gone_and_goes_on_when_it_is_back(
    bucket: str, faults: Faults, untrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors that last end the call with one error that names the place."""
    # Or each request would be tried for minutes.
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with dask_client(workers=1) as client:
        faults.error = 1.0
        with pytest.raises(OSError, match="Internal Server Error") as refused:
            run(f"{bucket}/slabs.zarr", f"{bucket}/r.zarr", models=untrained, client=client)
        assert refused.value.__notes__ == [
            f"while opening {bucket}/slabs.zarr",
            "the place doesn't answer as it should: call again when it does, what is done stays done",
        ]
        faults.error = 0.0
        found = run(f"{bucket}/slabs.zarr", f"{bucket}/r.zarr", models=untrained, client=client)
    assert found["participant"].to_numpy().tolist() == list(EIDS)
