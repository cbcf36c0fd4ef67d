"""Networks of MONAI that people would pick instead of ours, behind the interface that ours have.

MONAI is installed without what it depends on: `pip install --no-deps monai`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from torch import Tensor, nn

from bmx.nn.frame import pad_to_multiple, shape_of
from bmx.nn.network import Network
from bmx.nn.unet import WholePrediction

BASIC_UNET = "MONAI BasicUNet"
ATTENTION_UNET = "MONAI AttentionUnet"
STRIDED_UNET = "MONAI UNet, strided"


def basic_unet() -> nn.Module:
    """MONAI's BasicUNet with its default widths, 32 to 256."""
    from monai.networks.nets import BasicUNet

    return BasicUNet(spatial_dims=3, in_channels=1, out_channels=1)


def attention_unet() -> nn.Module:
    """MONAI's AttentionUnet, 32 to 256."""
    from monai.networks.nets import AttentionUnet

    return AttentionUnet(3, 1, 1, channels=(32, 64, 128, 256), strides=(2, 2, 2))


def strided_unet() -> nn.Module:
    """MONAI's UNet as its tutorials configure it: the first convolution already halves every axis."""
    from monai.networks.nets import UNet

    return UNet(3, 1, 1, channels=(16, 32, 64, 128, 256), strides=(2, 2, 2, 2), num_res_units=2)


PEERS: dict[str, Callable[[], nn.Module]] = {
    BASIC_UNET: basic_unet,
    ATTENTION_UNET: attention_unet,
    STRIDED_UNET: strided_unet,
}


def peers() -> dict[str, Callable[[], nn.Module]]:
    """Makers of MONAI's networks by name; none, and a word about it, if it isn't installed."""
    if find_spec("monai") is None:
        print("MONAI is not installed: its networks are left out (pip install --no-deps monai)")
        return {}
    return dict(PEERS)


class Peer(Network):
    """A network that segments every voxel, trained with the loss of our own U-Net."""

    multiple = 16
    """Of every axis: MONAI's networks halve up to four times and don't pad by themselves."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, volume: Tensor, at: Tensor | None = None) -> WholePrediction:
        """Segment (b, 1, z, y, x) of any size."""
        del at
        z, y, x = shape_of(volume)
        logits = self.network(pad_to_multiple(volume, (self.multiple,) * 3))
        return WholePrediction(logits[..., :z, :y, :x])
