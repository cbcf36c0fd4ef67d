from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import bmx.models.own as own
from bmx.models.library import load_models
from bmx.models.own import Model


def test_model__runs_on_the_device_that_was_asked_for(untrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a core beside a GPU, which is how a plan for a cluster without one is measured; with the same result."""
    model = load_models(untrained, regions=("femoral_head",))["femoral_head"]
    assert isinstance(model, Model)
    volume = np.random.default_rng(0).normal(size=(46, 64, 64)).astype(np.float32)
    expected = model.logits(volume)
    monkeypatch.setattr(own, "best_device", lambda: torch.device("meta"))  # whose tensors hold nothing
    found = replace(model, device="cpu")
    assert next(found.network().parameters()).device.type == "cpu"
    np.testing.assert_array_equal(found.logits(volume), expected)
