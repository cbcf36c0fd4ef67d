from __future__ import annotations

import pytest
import torch

from bmx.nn.attention import CbamConv, NonLocal
from bmx.nn.build import build, roi_attention_unet
from bmx.nn.roi import OUTSIDE_LOGIT
from bmx.nn.roi_unet import Decoder, Encoder, LastBlock, Locator, RoiPrediction, RoiUNet
from bmx.regions import REGIONS

SIZES = {"widths": (2, 3, 4, 5), "grid": 12}


@pytest.fixture
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return build("roi_attention_unet", REGIONS["femoral_head"], SIZES).eval()


@pytest.mark.parametrize("at", [-1.0, 0.0, 0.4, 1.0])
def test_forward__cuts_the_roi_where_it_is_told_whatever_was_padded(network: torch.nn.Module, at: float) -> None:
    """Coordinates are those of the volume as it came: 41 voxels are padded to 48, and that must not move the place."""
    prediction = network(torch.rand(1, 1, 41, 57, 66), at=torch.full((1, 3), at))
    for start, length in zip(prediction.start[0].tolist(), (41, 57, 66), strict=True):
        wanted = (at + 1) / 2 * length - 16
        highest = length + -length % 8 - 32
        assert abs(start - min(max(wanted, 0), highest)) <= 4  # rounded to 8
        assert start % 8 == 0


@pytest.mark.parametrize("shape", [(48, 104, 184), (44, 97, 181), (41, 97, 177), (44, 100, 204)])
def test_forward__cuts_the_roi_where_the_attention_is_whatever_was_padded(shape: tuple[int, int, int]) -> None:
    """A locator sees the padding, too: 41 slices are padded to 48, so that its middle isn't that of the volume."""
    network = build("roi_attention_unet", REGIONS["femoral_head"], {**SIZES, "grid": 48}).eval()
    place = torch.tensor(shape) - torch.tensor([10, 48, 20])

    def perfect(maps: list[torch.Tensor]) -> torch.Tensor:
        """Where in what it sees the structure lies."""
        return ((place / torch.tensor(maps[0].shape[2:])) * 2 - 1)[None]

    del network.locator
    network.locator = perfect
    with torch.inference_mode():
        prediction = network(torch.rand(1, 1, *shape))
    torch.testing.assert_close((prediction.centre[0] + 1) / 2 * torch.tensor(shape), place.float(), atol=1e-3, rtol=0)
    highest = torch.tensor([length + -length % 8 - 32 for length in shape])
    wanted = torch.minimum(place - 16, highest)
    assert bool(((prediction.start[0] - wanted).abs() <= 4).all())  # rounded to 8


def test_forward__says_nothing_outside_the_roi(network: torch.nn.Module) -> None:
    prediction = network(torch.rand(1, 1, 64, 64, 64), at=torch.tensor([[-1.0, -1.0, -1.0]]))
    assert bool((prediction.logits[..., 32:, :, :] == OUTSIDE_LOGIT).all())
    torch.testing.assert_close(prediction.logits[..., :32, :32, :32], prediction.roi_logits)


def test_encoder__gives_four_levels_and_five_attention_maps() -> None:
    """Paper 2.7: four resolution levels; one map from each CBAM layer, two of them in the last block."""
    features, maps = Encoder((2, 3, 4, 5))(torch.rand(1, 1, 16, 16, 16))
    assert [level.shape[-1] for level in features] == [16, 8, 4, 2]
    assert [one.shape[-1] for one in maps] == [16, 8, 4, 2, 2]
    assert {one.shape[1] for one in maps} == {1}


def test_last_block__lets_every_position_see_every_other() -> None:
    """Paper 2.7: a non-local layer between two CBAM layers. Convolutions alone would not reach the far corner."""
    torch.manual_seed(0)
    layer = NonLocal(4)
    torch.nn.init.normal_(layer.project.weight)
    features = torch.rand(1, 4, 12, 12, 12, requires_grad=True)
    layer(features)[0, 0, 0, 0, 0].backward()
    assert features.grad is not None
    assert bool((features.grad[0, :, -1, -1, -1] != 0).any())
    block = LastBlock(3, 4)
    kinds = [type(child) for child in block.children()]
    assert kinds[-3:] == [CbamConv, NonLocal, CbamConv]


def test_locator__finds_where_the_attention_is() -> None:
    """Soft-argmax against the truth: a map that is sharp at one place must give that place's coordinates."""
    locator = roi_attention_unet(REGIONS["spine"], **SIZES).locator
    with torch.no_grad():
        locator.fuse = torch.nn.Conv3d(5, 1, kernel_size=1, bias=False)
        locator.fuse.weight.fill_(200.0)
        peak = torch.zeros(1, 1, 12, 12, 12)
        peak[0, 0, 2, 6, 11] = 1
        centre = locator([peak] * 5)[0]
    expected = (torch.tensor([2, 6, 11]) + 0.5) / 12 * 2 - 1
    torch.testing.assert_close(centre, expected, atol=1e-3, rtol=0)


def test_loss__falls_as_the_prediction_improves() -> None:
    target = torch.zeros(1, 1, 16, 32, 32)
    target[..., 4:8, 10:20, 10:20] = 1
    start = torch.zeros(1, 3, dtype=torch.int64)
    losses = []
    for sharp, off in ((-8.0, 0.5), (0.0, 0.2), (8.0, 0.0)):
        logits = sharp * (2 * target - 1)
        prediction = RoiPrediction(logits, logits, torch.full((1, 3), off), start)
        losses.append(float(prediction.loss(target, torch.zeros(1, 3))))
    assert losses[0] > losses[1] > losses[2]
    assert losses[2] < 0.02


def test_loss__is_the_sum_that_the_paper_gives() -> None:
    """L = L_seg + λ1 L_ROI + λ2 L_loc: with all voxels right, only the distance of the centres is left, times λ2."""
    target = torch.zeros(1, 1, 8, 8, 8)
    target[..., 2:6, 2:6, 2:6] = 1
    logits = 40 * (2 * target - 1)
    prediction = RoiPrediction(logits, logits, torch.tensor([[0.3, 0.0, 0.4]]), torch.zeros(1, 3, dtype=torch.int64))
    assert float(prediction.loss(target, torch.zeros(1, 3))) == pytest.approx(0.5, abs=1e-4)
    assert float(prediction.loss(target, torch.zeros(1, 3), location_weight=3)) == pytest.approx(1.5, abs=1e-4)


def test_roi_unet__refuses_a_roi_that_cannot_be_halved() -> None:
    with pytest.raises(ValueError, match="use multiples of 8"):
        RoiUNet(
            encoder=Encoder((2, 3, 4, 5)), locator=Locator(5, (8, 8, 8), 4), decoder=Decoder((2, 3, 4, 5)),
            roi=(32, 32, 20),
        )  # fmt: skip
