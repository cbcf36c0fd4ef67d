"""Build a network from its name and region: the only place where sizes are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bmx.errors import did_you_mean
from bmx.nn.network import Network
from bmx.nn.roi_cascade import RoiCascade
from bmx.nn.roi_unet import Decoder, Encoder, Locator, RoiUNet
from bmx.nn.unet import UNet, WholeUNet
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


def unet(region: Region, *, widths: Sequence[int]) -> WholeUNet:
    """The paper's baseline: a 3-D U-Net over the whole volume, alike for every region.

    Parameters
    ----------
    widths : channels of the levels; the paper doesn't state its own
    """
    del region
    return WholeUNet(UNet(tuple(widths), classes=1))


def roi_cascade(region: Region, *, coarse: Sequence[int], fine: Sequence[int]) -> RoiCascade:
    """Our network: found in voxels of some 9 mm, drawn at full resolution.

    Parameters
    ----------
    coarse, fine : channels of the levels of the two U-Nets
    """
    return RoiCascade(
        coarse=UNet(tuple(coarse), classes=1),
        fine=UNet(tuple(fine), classes=1, inputs=2),
        roi=region.roi_shape,
        # 4.5 x 2.23 x 2.23 mm become 9 x 8.9 x 8.9.
        shrink=(2, 4, 4),
        # A curved spine can leave its ROI; a region of one piece that needs two has been mistaken.
        most_rois=1 if region.one_piece else 3,
    )


def spine_unet(classes: int) -> UNet:
    """A small 3-D U-Net for vertebrae on a crop of some 300,000 voxels: what two cores train in half an hour."""
    return UNet((12, 24, 48, 72), classes)


ARCHITECTURES: dict[str, Callable[..., Network]] = {
    "roi_attention_unet": roi_attention_unet,
    "unet": unet,
    "roi_cascade": roi_cascade,
}
"""Names that a model card may give."""

SIZES: dict[str, dict[str, Any]] = {
    "roi_attention_unet": {"widths": [8, 16, 32, 48], "grid": 48},
    "unet": {"widths": [8, 16, 32, 48]},
    # Four coarse levels see the whole slab: a left femur looks like a right one from nearby.
    "roi_cascade": {"coarse": [12, 24, 48, 64], "fine": [16, 32, 64]},
}
"""What is built unless other sizes are asked for: what two cores can train in half an hour."""


def build(architecture: str, region: Region, sizes: Mapping[str, Any]) -> Network:
    """Build the network that a model card names.

    Raises
    ------
    ValueError
        If no architecture has this name, or it doesn't take these sizes.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(f"no architecture is called {architecture!r}; {did_you_mean(architecture, ARCHITECTURES)}")
    expected = SIZES[architecture]
    if set(sizes) != set(expected):
        raise ValueError(
            f"{architecture} takes the sizes {', '.join(expected)}, found {', '.join(sizes) or 'none'}; "
            f"for example {expected}"
        )
    return ARCHITECTURES[architecture](region, **sizes)
