from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.image import imread

from bmx.nn.build import build
from bmx.regions import REGIONS
from bmx.training.examples import Part
from bmx.training.held_out import mean_dice, score, together
from tests.boxes import SPACING, bright_boxes
from tests.networks import SIZES

HEAD = REGIONS["femoral_head"]


class Threshold(torch.nn.Module):
    """Draws whatever is brighter than a half: what an ideal network would do with bright boxes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        self.logits = volume - 0.5
        return self


def flawed() -> Part:
    """Three boxes of which the network can't see half of the second."""
    examples = bright_boxes(3, 1)
    volume, mask = examples[1]
    z = np.flatnonzero(mask.any(axis=(1, 2)))
    volume[z[:3]] = 0.2
    return Part(examples, [0, 1, 2])


def test_score__finds_the_worst_and_by_how_much(tmp_path: Path) -> None:
    """Half of a box of 6 slices: Dice 2/3, 50 % too small; the others are exact."""
    found = score(Threshold(), flawed(), SPACING)
    np.testing.assert_allclose(found.cases["dice"], [1, 2 / 3, 1])
    np.testing.assert_allclose(found.cases["volume_error_percent"], [0, -50, 0])
    assert found.cases["hausdorff95_mm"].tolist() == [0, 3 * 4.5, 0]
    assert found.worst.name == found.cases["case"][1] == "2"
    summary = found.summary()
    assert summary.loc["dice", "worst"] == pytest.approx(2 / 3)
    assert summary.loc["volume_error_percent", "sd"] == pytest.approx(np.std([0, -50, 0], ddof=1))


def test_score__of_nothing_drawn_gives_a_reason(tmp_path: Path) -> None:
    """A network that draws nothing has no distance; and a picture can be made of that, too."""
    torch.manual_seed(0)
    network = build("roi_attention_unet", HEAD, SIZES).eval()
    torch.nn.init.constant_(network.decoder.head.bias, -50.0)
    volume, mask = bright_boxes(1, 1)[0]
    found = score(network, [(volume, mask), (volume, np.zeros_like(mask))], SPACING)
    assert found.cases["reason"].tolist() == ["the mask is empty", "both masks are empty"]
    np.testing.assert_array_equal(found.cases["dice"], [0, np.nan])
    assert found.worst.name == "1"
    found.write(tmp_path, HEAD)
    assert imread(tmp_path / "worst.png").std() > 0.05


def test_write__draws_both_outlines_on_the_worst_case(tmp_path: Path) -> None:
    """In the colours of the legend, more than the legend's own lines."""
    score(Threshold(), flawed(), SPACING).write(tmp_path, HEAD)
    picture = imread(tmp_path / "worst.png")[..., :3]
    for colour in ("#56B4E9", "#E69F00"):
        wanted = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        assert (np.abs(picture[:450] - wanted).max(axis=2) < 0.1).sum() > 100, colour
    assert len(pd.read_csv(tmp_path / "held_out.csv")) == 3


def test_together__orders_cases_and_keeps_the_worst_of_all() -> None:
    """Folds are scored one by one; the report is one."""
    part = flawed()
    folds = [score(Threshold(), Part(part, chosen), SPACING) for chosen in ([2, 0], [1])]
    whole = together(folds)
    assert whole.cases["case"].tolist() == ["1", "2", "3"]
    assert whole.worst.name == "2"


def test_mean_dice__leaves_out_masks_that_are_rightly_empty() -> None:
    """A short person's region can lie outside its slab."""
    examples = [*bright_boxes(1, 1), (np.zeros((16, 32, 40), np.float32), np.zeros((16, 32, 40), bool))]
    assert mean_dice(Threshold(), examples) == 1.0
