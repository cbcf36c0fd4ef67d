"""Untrained model directories: small, quick, and honest about being simulated or not."""

from __future__ import annotations

from pathlib import Path

import torch

from bmx.models.cards import ORIENTATION, ModelCard
from bmx.models.weights import save_weights
from bmx.nn.build import build
from bmx.regions import get_region, region_spacing

SIZES = {"widths": [2, 3, 4, 5], "grid": 12}


def write_model(folder: Path, region: str, *, simulated: bool = True, seed: int = 0, bias: float = 2.0) -> Path:
    """Write a model directory with random weights; a positive `bias` makes it draw something."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    network = build("roi_attention_unet", get_region(region), SIZES)
    torch.nn.init.constant_(network.decoder.head.bias, bias)
    ModelCard(
        region=region, architecture="roi_attention_unet", sizes=SIZES, input="fat+water",
        spacing=region_spacing(get_region(region)), orientation=ORIENTATION, normalisation="",
        training_data="none: random weights",
        training_steps=0, simulated=simulated, held_out={}, reference={}, intended_use="tests", licence="BSD-3-Clause",
        weights_digest=save_weights(folder, network, region=region, contrast="fat+water"),
    ).write(folder)  # fmt: skip
    return folder
