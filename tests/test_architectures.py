"""Every architecture of `build.py` goes the whole way: trained, written, loaded, and run on slabs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from bmx.errors import ModelError
from bmx.models.cards import ModelCard
from bmx.models.library import load_models
from bmx.models.weights import load_weights, save_weights
from bmx.nn.build import ARCHITECTURES, build
from bmx.nn.roi_unet import Decoder
from bmx.nn.unet import UNet
from bmx.regions import get_region
from bmx.segmentation import segment
from bmx.training import TrainingOptions, train
from tests.conftest import make_toy_cohort
from tests.nn.test_build import TINY

every_architecture = pytest.mark.parametrize("architecture", list(ARCHITECTURES))


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    """The order of sums decides the last bits of a network's output."""
    torch.set_num_threads(1)


def train_blocks(out: Path, architecture: str, *, steps: int = 3) -> None:
    rng = np.random.default_rng(0)
    examples = []
    for first in (1, 3, 5):
        mask = np.zeros((10, 24, 24), bool)
        mask[2:7, first : first + 8, 6:16] = True
        examples.append(((0.2 + 0.8 * mask + 0.02 * rng.random(mask.shape)).astype(np.float32), mask))
    options = TrainingOptions(architecture=architecture, sizes=TINY[architecture], steps=steps, checkpoint_every=2)
    train(
        "femoral_head", out, examples=examples[:2], held_out=examples[2:], training_data="blocks", simulated=True,
        contrast="fat+water", options=options,
    )  # fmt: skip


def let_it_draw(folder: Path) -> None:
    """Take back the opinion that few voxels are foreground, which three steps don't change."""
    card = ModelCard.read(folder)
    network = build(card.architecture, get_region(card.region), card.sizes)
    load_weights(folder, network, card.weights_digest, region=card.region, contrast=card.input)
    for part in network.modules():
        if isinstance(part, (UNet, Decoder)):
            torch.nn.init.zeros_(part.head.bias)
    digest = save_weights(folder, network, region=card.region, contrast=card.input)
    dataclasses.replace(card, weights_digest=digest).write(folder)


@every_architecture
def test_train__writes_a_model_that_segments(tmp_path: Path, architecture: str) -> None:
    """Who trains and who runs ask for a name, and for nothing else that differs between networks."""
    train_blocks(tmp_path, architecture)
    assert ModelCard.read(tmp_path).architecture == architecture
    model = load_models(tmp_path, regions=("femoral_head",))["femoral_head"]
    fat = np.full((9, 31, 41), 30, np.uint16)
    fat[2:7, 8:24, 6:26] = 900
    mask = model.draw(fat, fat // 3, np.eye(3, 4)).mask
    assert mask.shape == fat.shape
    assert set(np.unique(mask).tolist()) <= {0, 1}


@every_architecture
def test_segment__any_chunks_give_the_same_masks(tmp_path: Path, architecture: str) -> None:
    train_blocks(tmp_path, architecture)
    let_it_draw(tmp_path)
    slabs = make_toy_cohort(participants=3, chunk=None)[0]
    masks = [
        segment(slabs.chunk({"participant": chunk}), models=tmp_path, regions=("femoral_head",))["slab_4/mask"]
        for chunk in (1, 3)
    ]
    np.testing.assert_array_equal(masks[0].to_numpy(), masks[1].to_numpy())
    assert 0 < masks[0].mean() < 1, "an empty mask would be equal whatever happened"


def test_network__a_card_with_the_sizes_of_another_architecture_is_one_clear_error(tmp_path: Path) -> None:
    train_blocks(tmp_path, "unet", steps=2)
    dataclasses.replace(ModelCard.read(tmp_path), architecture="roi_cascade").write(tmp_path)
    model = load_models(tmp_path, regions=("femoral_head",))["femoral_head"]
    with pytest.raises(ModelError, match="describes no network of this bmx: roi_cascade takes the sizes coarse, fine"):
        model.network()
