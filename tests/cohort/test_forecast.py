from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from bmx.cohort.forecast import Cluster, RunRate, forecast_cohort, try_run
from bmx.errors import StoreError
from bmx.models.base import Drawing
from bmx.models.library import load_models
from bmx.models.own import Model
from tests.cohorts import make_store


def test_try_run__measures_a_few_participants(six: Path, untrained: Path) -> None:
    """The networks are a part of it."""
    models = load_models(untrained, regions=("femoral_head", "total_hip"))
    rate = try_run(six, models)
    assert 0 < rate.network < rate.seconds < 60
    assert rate.seconds == rate.rest + rate.network
    assert (rate.tried, rate.network_gpu) == (3, None)


def test_try_run__measures_the_networks_on_a_core_beside_a_gpu(
    six: Path, untrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty-four cores without a GPU don't draw as fast as the GPU of the machine that plans."""

    def draw(self: Model, fat: np.ndarray, *_: object, **__: object) -> Drawing:
        time.sleep(0.3 if self.device == "cpu" else 0.01)
        return Drawing(np.zeros(fat.shape, np.uint8), float("nan"))

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(Model, "draw", draw)
    rate = try_run(six, load_models(untrained, regions=("femoral_head", "total_hip")), allow_simulated=True)
    assert rate.network_gpu is not None
    assert rate.network_gpu < 0.3
    assert rate.network >= 0.6
    table = forecast_cohort(3600, [Cluster(1)], convert_seconds=0, run=rate)
    assert table["run"].tolist() == pytest.approx([rate.rest + rate.network])


def test_forecast_cohort__says_what_is_not_known_of_cores() -> None:
    """Models of others run where they choose to: no number rather than that of a GPU."""
    table = forecast_cohort(
        3600, [Cluster(64), Cluster(1, 1)], convert_seconds=0, run=RunRate(1.2, float("nan"), 0.05, 3)
    )
    assert math.isnan(table["run"][0])
    assert table["run"][1] == pytest.approx(1.2)
    assert table["bound"].tolist() == ["cores (networks measured on a GPU alone)", "cores"]


def test_try_run__needs_somebody_with_images(tmp_path: Path, untrained: Path, threads: object) -> None:
    store = make_store(tmp_path, (1000001,), slabs=(2,), client=threads)  # type: ignore[arg-type]  # the fixture's
    import zarr

    zarr.open_group(store, mode="r+")["slab_2/slab_status"][:] = 0
    with pytest.raises(StoreError, match="nobody in this store has all of its slabs"):
        try_run(store, untrained)


def test_forecast_cohort__divides_by_cores() -> None:
    rate = RunRate(rest=1.2, network=2.4, network_gpu=None, tried=3)
    table = forecast_cohort(10_000, [Cluster(1), Cluster(10)], convert_seconds=0.36, run=rate, price=0.1)
    assert table["convert"].tolist() == pytest.approx([1.0, 0.1])
    assert table["run"].tolist() == pytest.approx([10.0, 1.0])
    # Twice the cores take half as long: the price of the work is the same.
    assert table["cost"].tolist() == pytest.approx([1.1, 1.1])


def test_forecast_cohort__knows_what_a_gpu_waits_for() -> None:
    """The cores' part beside the networks' on the GPU: whichever is longer."""
    slow_cores = RunRate(rest=1.2, network=2.4, network_gpu=0.05, tried=3)
    table = forecast_cohort(
        3600, [Cluster(1, 1), Cluster(100, 1)], convert_seconds=0, run=slow_cores, gpu_price=2, price=0
    )
    assert table["run"].tolist() == pytest.approx([1.2, 0.05])
    assert table["bound"].tolist() == ["cores", "GPU"]
    assert table["cost"].tolist() == pytest.approx([2.4, 0.1])
    unknown = forecast_cohort(3600, [Cluster(1, 1)], convert_seconds=0, run=RunRate(1.2, 2.4, None, 3))
    assert unknown["bound"].tolist() == ["cores (no GPU here to measure)"]


@pytest.mark.parametrize("text", ["", "0", "x", "4+", "4-1"])
def test_cluster__refuses_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number of cores"):
        Cluster.parse(text)


def test_cluster__says_what_it_is() -> None:
    assert [str(Cluster.parse(text)) for text in ("1", "64", "16+1", "8+2")] == [
        "1 core", "64 cores", "16 cores, 1 GPU", "8 cores, 2 GPUs",
    ]  # fmt: skip
