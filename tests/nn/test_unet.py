from __future__ import annotations

import pytest
import torch

from bmx.nn.unet import UNet


@pytest.mark.parametrize("shape", [(16, 16, 16), (17, 9, 21)])
def test_forward__gives_logits_of_the_size_that_came_in(shape: tuple[int, int, int]) -> None:
    """Odd sizes are padded inside and cut back."""
    network = UNet((4, 8, 12), classes=3)
    assert network(torch.zeros(2, 1, *shape)).shape == (2, 3, *shape)


def test_forward__treats_each_volume_of_a_batch_alone() -> None:
    """Instance norm, not batch norm: what else is in the batch must not matter."""
    torch.manual_seed(0)
    network = UNet((4, 8), classes=2).eval()
    volumes = torch.randn(3, 1, 8, 8, 8)
    together = network(volumes)
    for index in range(3):
        torch.testing.assert_close(network(volumes[index : index + 1])[0], together[index], rtol=1e-4, atol=1e-5)


def test_forward__can_learn_a_ball() -> None:
    """A few steps on one example lower the loss: gradients reach every level."""
    torch.manual_seed(0)
    network = UNet((4, 8, 12), classes=2)
    axis = torch.linspace(-1, 1, 16)
    ball = (axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2 < 0.4).long()
    volume = ball.float()[None, None] + 0.1 * torch.randn(1, 1, 16, 16, 16)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        loss = torch.nn.functional.cross_entropy(network(volume), ball[None])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters())
