"""Build a network from its name and region: the only place where sizes are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bmx.errors import did_you_mean
from bmx.nn.roi_unet import Decoder, Encoder, Locator, RoiUNet
from bmx.nn.unet import UNet
from bmx.regions import Region


def roi_attention_unet(region: Region, *, widths: Sequence[int], grid: int) -> RoiUNet:
    """The paper's network, for one region.

    Parameters
    ----------
    widths : channels of the four levels; the paper doesn't state its own
    grid : edge of the cube to which the attention maps are resized; 96 in the paper
    """
    return RoiUNet(
        encoder=Encoder(tuple(widths)),
        locator=Locator(maps=len(widths) + 1, grid=(grid, grid, grid), width=8),
        decoder=Decoder(tuple(widths)),
        roi=region.roi_shape,
    )


def spine_unet(classes: int) -> UNet:
    """A small 3-D U-Net for vertebrae on a crop of some 300,000 voxels: what two cores train in half an hour."""
    return UNet((12, 24, 48, 72), classes)


ARCHITECTURES: dict[str, Callable[..., RoiUNet]] = {"roi_attention_unet": roi_attention_unet}
"""Names that a model card may give."""

SIZES: dict[str, dict[str, Any]] = {"roi_attention_unet": {"widths": [8, 16, 32, 48], "grid": 48}}
"""What is built unless other sizes are asked for: what two cores can train in half an hour."""


def build(architecture: str, region: Region, sizes: Mapping[str, Any]) -> RoiUNet:
    """Build the network that a model card names."""
    if architecture not in ARCHITECTURES:
        raise ValueError(f"no architecture is called {architecture!r}; {did_you_mean(architecture, ARCHITECTURES)}")
    return ARCHITECTURES[architecture](region, **sizes)
