from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from distributed import Client

from bmx.cohort.run import run
from bmx.models.own import Model
from tests.cohort.disturbing import everything
from tests.cohorts import make_store


def lack_gpu_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def lack_gpu_memory_outside_torch() -> None:
    raise RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")


def lack_memory() -> None:
    torch.empty(2**50)


@pytest.mark.parametrize("lack", [lack_gpu_memory, lack_gpu_memory_outside_torch, lack_memory])
def test_run_partition__that_lacks_memory_fails_nobody(
    untrained: Path, tmp_path: Path, threads: Client, monkeypatch: pytest.MonkeyPatch, lack: Callable[[], None]
) -> None:
    """It passes, as when others leave the GPU: the run stops, says what to do, and the next call does the rest."""
    store = make_store(tmp_path, (1000001, 1000002), slabs=(4,), client=threads)
    how: dict[str, Any] = {"models": untrained, "regions": ["femoral_head"], "client": threads}
    run(store, tmp_path / "calm.zarr", **how)

    def draw(*_: object, **__: object) -> None:
        lack()

    with monkeypatch.context() as patch:
        patch.setattr(Model, "draw", draw)
        with pytest.raises(MemoryError) as raised:
            run(store, tmp_path / "r.zarr", **how)
    assert any(note.startswith("memory is full: give each worker more") for note in raised.value.__notes__)
    run(store, tmp_path / "r.zarr", **how)
    assert everything(tmp_path / "r.zarr") == everything(tmp_path / "calm.zarr")
