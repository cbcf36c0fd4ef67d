from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bmx.errors import ModelError
from bmx.models.packing import pack, unpack
from bmx.models.weights import WEIGHTS, load_weights, save_weights
from bmx.nn.build import SIZES, build
from bmx.regions import get_region

HEAD: dict[str, Any] = {"region": "femoral_head", "contrast": "fat+water"}


def test_pack__rounds_each_channel_by_its_own_scale() -> None:
    """A channel of small weights beside one of large ones keeps its digits."""
    torch.manual_seed(0)
    weight = torch.randn(6, 4, 3, 3, 3) * torch.logspace(-3, 1, 6).reshape(6, 1, 1, 1, 1)
    back = unpack(pack({"w": weight, "b": torch.randn(6)}))["w"]
    largest = weight.abs().amax(dim=(1, 2, 3, 4))
    error = (back - weight).abs().amax(dim=(1, 2, 3, 4))
    assert (error <= largest / 127 * 0.51 + 1e-6).all()


def test_pack__of_a_channel_of_zeros_is_zero() -> None:
    assert not unpack(pack({"w": torch.zeros(2, 3)}))["w"].any()


def test_unpack__leaves_half_precision_alone() -> None:
    state = {"w": torch.randn(3, 2).half(), "b.scale": torch.randn(3).half()}
    found = unpack(state)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name].float()) for name in state)


@pytest.mark.parametrize("architecture", ["roi_cascade", "unet"])
def test_save_weights__packed_is_half_as_large_and_draws_alike(tmp_path: Path, architecture: str) -> None:
    torch.manual_seed(1)
    region = get_region("femoral_head")
    one, other = (build(architecture, region, SIZES[architecture]).eval() for _ in range(2))
    save_weights(tmp_path, one, **HEAD)
    size = (tmp_path / WEIGHTS).stat().st_size
    digest = save_weights(tmp_path, one, **HEAD, packed=True)
    assert (tmp_path / WEIGHTS).stat().st_size < 0.55 * size
    load_weights(tmp_path, other, digest, **HEAD)
    for name, weight in one.state_dict().items():
        scale = weight.abs().max().clamp_min(1e-6)
        assert ((other.state_dict()[name] - weight).abs() <= 0.006 * scale).all()


def test_load_weights__refuses_packed_weights_of_another_network(tmp_path: Path) -> None:
    region = get_region("femoral_head")
    digest = save_weights(tmp_path, build("unet", region, SIZES["unet"]), **HEAD, packed=True)
    with pytest.raises(ModelError, match="does not fit the architecture on its card"):
        load_weights(tmp_path, build("roi_cascade", region, SIZES["roi_cascade"]), digest, **HEAD)


def test_save_weights__of_equal_networks_gives_equal_files(tmp_path: Path) -> None:
    """What the file says of itself must not touch the digest: results carry it."""
    network = build("unet", get_region("femoral_head"), SIZES["unet"])
    assert len({save_weights(tmp_path, network, **HEAD) for _ in range(5)}) == 1


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"region": "total_hip"}, "holds weights of region 'femoral_head', and its card says 'total_hip'"),
        ({"contrast": "fat"}, r"holds weights of input 'fat\+water', and its card says 'fat'"),
    ],
)
def test_load_weights__refuses_weights_that_see_or_draw_something_else(
    tmp_path: Path, other: dict[str, str], message: str
) -> None:
    """Networks of all regions and contrasts are alike in shape: nothing else would notice."""
    network = build("unet", get_region("femoral_head"), SIZES["unet"])
    digest = save_weights(tmp_path, network, **HEAD)
    with pytest.raises(ModelError, match=message):
        load_weights(tmp_path, network, digest, **(HEAD | other))
