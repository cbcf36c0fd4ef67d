"""What must hold for every architecture, so that who trains or runs one need not know which it is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.nn.build import ARCHITECTURES, SIZES, build
from bmx.nn.network import Network
from bmx.regions import REGIONS

TINY: dict[str, dict[str, Any]] = {
    "roi_attention_unet": {"widths": [2, 3, 4, 5], "grid": 12},
    "unet": {"widths": [2, 3, 4, 5]},
    "roi_cascade": {"coarse": [2, 3, 4, 5], "fine": [2, 3, 4]},
}
every_architecture = pytest.mark.parametrize("architecture", list(ARCHITECTURES))


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    """The order of sums decides the last bits of a network's output."""
    torch.set_num_threads(1)


def tiny(architecture: str, region: str = "femoral_head") -> Network:
    torch.manual_seed(0)
    return build(architecture, REGIONS[region], TINY[architecture]).eval()


def body(*shape: int, seed: int = 0) -> torch.Tensor:
    """A bright block in noise, so that there is something to find: (1, 1, *shape)."""
    generator = torch.Generator().manual_seed(seed)
    volume = 0.1 * torch.rand((1, 1, *shape), generator=generator)
    z, y, x = (int(torch.randint(0, max(length // 2, 1), (1,), generator=generator)) for length in shape)
    volume[..., z : z + 6, y : y + 10, x : x + 10] += 1
    return volume


@every_architecture
@settings(max_examples=12, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40)),
    at=st.none() | st.tuples(*[st.floats(-1, 1)] * 3),
)
def test_forward__gives_back_any_shape_it_got_and_can_be_trained_there(
    architecture: str, shape: tuple[int, int, int], at: tuple[float, float, float] | None
) -> None:
    """Odd sizes, a ROI at any border, a ROI larger than the volume: never another shape, never a NaN."""
    network = tiny(architecture)
    prediction = network(body(*shape), at=None if at is None else torch.tensor([at]))
    assert prediction.logits.shape == (1, 1, *shape)
    assert bool(prediction.logits.isfinite().all())
    target = torch.zeros(1, 1, *shape)
    target[..., : shape[0] // 2 + 1, : shape[1] // 2 + 1, : shape[2] // 2 + 1] = 1
    loss = prediction.loss(target, torch.zeros(1, 3))
    assert bool(loss.isfinite())
    assert loss.ndim == 0


@every_architecture
@pytest.mark.parametrize("region", ["femoral_head", "spine"])
def test_forward__a_batch_gives_what_single_volumes_give(architecture: str, region: str) -> None:
    """What else is in the batch must not matter, nor how many ROIs it got."""
    network = tiny(architecture, region)
    volumes = torch.cat([body(24, 40, 52, seed=seed) for seed in range(3)])
    with torch.inference_mode():
        together = network(volumes).logits
        alone = torch.cat([network(volume[None]).logits for volume in volumes])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@every_architecture
def test_loss__reaches_every_weight(architecture: str) -> None:
    """A part that gets no gradient would silently never learn."""
    network = tiny(architecture).train()
    target = torch.zeros(1, 1, 32, 40, 40)
    target[..., 10:20, 15:25, 15:25] = 1
    network(torch.rand(1, 1, 32, 40, 40), at=torch.zeros(1, 3)).loss(target, torch.full((1, 3), 0.3)).backward()
    silent = [name for name, weight in network.named_parameters() if weight.grad is None]
    assert silent == []


@every_architecture
def test_forward__learns_a_bright_block_and_then_finds_it_by_itself(architecture: str) -> None:
    """The whole way: trained with the true place given, it must draw a block that it has to look for."""
    torch.manual_seed(2)
    sizes = {
        "roi_attention_unet": {"widths": [3, 4, 6, 8], "grid": 12},
        "unet": {"widths": [3, 4]},
        "roi_cascade": {"coarse": [6, 8], "fine": [3, 4]},
    }
    network = build(architecture, REGIONS["femoral_head"], sizes[architecture])
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-2)
    for step in range(40):
        volume = body(12, 36, 36, seed=step)
        target = (volume > 0.5).float()
        inside = torch.nonzero(target[0, 0])
        middle = (inside.amin(dim=0) + inside.amax(dim=0) + 1) / 2
        centre = (middle / torch.tensor(target.shape[2:]) * 2 - 1)[None]
        optimiser.zero_grad()
        network(volume, at=centre).loss(target, centre).backward()
        optimiser.step()
    volume = body(12, 36, 36, seed=99)
    with torch.inference_mode():
        drawn, truth = network.eval()(volume).logits > 0, volume > 0.5
    dice = 2 * int((drawn & truth).sum()) / int(drawn.sum() + truth.sum())
    assert dice > 0.8


def test_build__has_sizes_for_each_architecture_and_they_are_buildable() -> None:
    assert set(SIZES) == set(ARCHITECTURES)
    for architecture, sizes in SIZES.items():
        for region in REGIONS.values():
            weights = sum(weight.numel() for weight in build(architecture, region, sizes).parameters())
            assert 1e5 < weights < 2e6, f"{architecture}: {weights} weights, too many to ship or too few to learn"


def test_build__names_the_architectures() -> None:
    with pytest.raises(ValueError, match=r"'u_net'; expected one of roi_attention_unet.*did you mean unet"):
        build("u_net", REGIONS["spine"], {})


def test_build__names_the_sizes_that_an_architecture_takes() -> None:
    """A card with the sizes of another architecture must not end as "unexpected keyword argument"."""
    with pytest.raises(ValueError, match="roi_cascade takes the sizes coarse, fine, found widths"):
        build("roi_cascade", REGIONS["spine"], {"widths": [2, 3]})


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every_architecture
def test_forward__gives_on_a_gpu_what_it_gives_on_a_cpu(architecture: str) -> None:
    """Logits within 0.01: convolutions there may use TF32."""
    network, volume = tiny(architecture), body(24, 40, 48)
    with torch.inference_mode():
        expected = network(volume).logits
        found = network.to("cuda")(volume.to("cuda")).logits
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-2, atol=1e-2)
