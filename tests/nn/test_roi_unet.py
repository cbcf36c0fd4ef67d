from __future__ import annotations

import pytest
import torch

from bmx.nn.build import build, roi_attention_unet
from bmx.nn.losses import roi_loss
from bmx.nn.roi_unet import OUTSIDE_LOGIT, Encoder, RoiPrediction
from bmx.regions import REGIONS

SIZES = {"widths": (2, 3, 4, 5), "grid": 12}


@pytest.fixture
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return build("roi_attention_unet", REGIONS["femoral_head"], SIZES).eval()


@pytest.mark.parametrize("shape", [(44, 50, 67), (8, 40, 40), (33, 32, 31)])
def test_forward__gives_back_the_shape_it_got_even_if_odd_or_smaller_than_the_roi(
    network: torch.nn.Module, shape: tuple[int, int, int]
) -> None:
    prediction = network(torch.rand(1, 1, *shape))
    assert prediction.logits.shape == (1, 1, *shape)
    assert prediction.roi_logits.shape == (1, 1, 32, 32, 32)
    assert bool((prediction.centre.abs() <= 1).all())


def test_forward__a_batch_gives_what_single_volumes_give(network: torch.nn.Module) -> None:
    volumes = torch.rand(3, 1, 24, 40, 48)
    together = network(volumes).logits
    alone = torch.cat([network(volume[None]).logits for volume in volumes])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


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


def test_roi_loss__reaches_every_weight(network: torch.nn.Module) -> None:
    """A part that gets no gradient would silently never learn."""
    network.train()
    target = torch.zeros(1, 1, 32, 40, 40)
    target[..., 10:20, 15:25, 15:25] = 1
    prediction = network(torch.rand(1, 1, 32, 40, 40), at=torch.zeros(1, 3))
    roi_loss(prediction, target, torch.full((1, 3), 0.3)).backward()
    silent = [name for name, weight in network.named_parameters() if weight.grad is None]
    assert silent == []


def test_roi_loss__falls_as_the_prediction_improves() -> None:
    target = torch.zeros(1, 1, 16, 32, 32)
    target[..., 4:8, 10:20, 10:20] = 1
    start = torch.zeros(1, 3, dtype=torch.int64)
    losses = [
        float(
            roi_loss(
                RoiPrediction(sharp * (2 * target - 1), sharp * (2 * target - 1), torch.full((1, 3), off), start),
                target,
                torch.zeros(1, 3),
            )
        )
        for sharp, off in ((-8.0, 0.5), (0.0, 0.2), (8.0, 0.0))
    ]
    assert losses[0] > losses[1] > losses[2]
    assert losses[2] < 0.02


def test_build__names_the_architectures() -> None:
    with pytest.raises(ValueError, match="'unet'; expected one of roi_attention_unet"):
        build("unet", REGIONS["spine"], {})


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_forward__gives_on_a_gpu_what_it_gives_on_a_cpu(network: torch.nn.Module) -> None:
    volume = torch.rand(1, 1, 24, 40, 48)
    expected = network(volume)
    found = network.to("cuda")(volume.to("cuda"))
    assert torch.equal(found.start.cpu(), expected.start)
    torch.testing.assert_close(found.logits.cpu(), expected.logits, rtol=1e-2, atol=1e-2)
