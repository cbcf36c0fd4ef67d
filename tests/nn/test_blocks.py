from __future__ import annotations

import pytest
import torch

from bmx.nn.blocks import SMALL, Conv


@pytest.mark.parametrize(("size", "batch"), [((4, 6, 7), 1), ((4, 6, 7), 3), ((60, 70, 4), 1)])
@pytest.mark.parametrize("stride", [1, 2])
def test_conv__is_the_convolution_of_torch(size: tuple[int, int, int], batch: int, stride: int) -> None:
    """Values and every gradient: the doubled volume must leave no trace, small or not."""
    torch.manual_seed(0)
    conv = Conv(5, 6, kernel_size=3, padding=1, stride=stride)
    plain = torch.nn.Conv3d(5, 6, kernel_size=3, padding=1, stride=stride)
    plain.load_state_dict(conv.state_dict())
    volume = torch.rand(batch, 5, *size)
    results = []
    for one in (conv, plain):
        seen = volume.clone().requires_grad_()
        found = one(seen)
        (found**2).mean().backward()
        results.append([found, seen.grad, one.weight.grad, one.bias.grad])
    torch.testing.assert_close(results[0], results[1], rtol=1e-4, atol=1e-5)


def test_conv__makes_a_batch_of_one_small_volume_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the work pays where torch would take its slow kernel, and nowhere else."""
    seen: list[int] = []

    def spy(_: torch.nn.Module, volume: torch.Tensor) -> torch.Tensor:
        seen.append(len(volume))
        return volume

    monkeypatch.setattr(torch.nn.Conv3d, "forward", spy)
    conv = Conv(1, 1, kernel_size=3)
    for shape in ((1, 1, 4, 4, 4), (3, 1, 4, 4, 4), (1, 1, SMALL, 1, 2), (1, 1, SMALL + 1, 1, 2)):
        assert len(conv(torch.zeros(shape))) == shape[0]
    assert seen == [2, 3, 2, 1]
