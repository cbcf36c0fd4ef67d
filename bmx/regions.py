"""The four volumes of interest of Morris et al. 2024, section 2.6, and those of the right femur like them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from bmx.acquisition import PIXEL_MM, SLABS
from bmx.errors import did_you_mean


@dataclass(frozen=True, slots=True)
class Region:
    """A bone marrow region: where it lies, and how it is measured."""

    name: str
    slab: int
    """The slab that holds it in a clean exam."""
    side: Literal["both", "left", "right"]
    """The paper draws the left (non-dominant) femur; the spine has no side."""
    erosion: int
    """In-plane erosion before measuring, in voxels (paper 2.8: one, none for the diaphysis)."""
    one_piece: bool
    """Whether its mask must hang together; vertebrae lie apart, with discs between them."""
    roi_shape: tuple[int, int, int]
    """(z, y, x) voxels of the box that the network cuts out; the paper's 32 where that is enough."""
    meaning: str

    @property
    def site(self) -> str:
        """The paper's region that this is, on whichever side: models, recipes and corrections are made for sites."""
        return self.name.removesuffix(RIGHT)


RIGHT = "_right"
"""How the names of regions of the right femur end."""

REGIONS: dict[str, Region] = {
    region.name: region
    for region in (
        Region("spine", 2, "both", 1, False, (48, 48, 48), "marrow of all vertebral bodies in slab 2"),
        Region("femoral_head", 4, "left", 1, True, (32, 32, 32), "marrow of the left femoral head"),
        Region("total_hip", 4, "left", 1, True, (32, 32, 48), "marrow of the left neck and between the trochanters"),
        Region(
            "femoral_diaphysis", 5, "left", 0, True, (32, 32, 32), "marrow of the left shaft around its narrowest part"
        ),
    )
}
"""The paper's four, in their fixed order."""

ALL_REGIONS: dict[str, Region] = REGIONS | {
    f"{name}{RIGHT}": replace(
        left, name=f"{name}{RIGHT}", side="right", meaning=left.meaning.replace(" left ", " right ")
    )
    for name, left in REGIONS.items()
    if left.side == "left"
}
"""The paper's four, then those of the right femur."""


def get_region(name: str) -> Region:
    """Give the region called `name`, or name the closest ones.

    Examples
    --------
    >>> get_region("spine").slab
    2
    >>> get_region("femural_head")
    Traceback (most recent call last):
    ...
    ValueError: no region is called 'femural_head'; expected one of spine, ... (did you mean femoral_head?)
    """
    if name in ALL_REGIONS:
        return ALL_REGIONS[name]
    raise ValueError(f"no region is called {name!r}; {did_you_mean(name, ALL_REGIONS)}")


def get_site(name: str) -> Region:
    """Give the region of the paper that is called `name`: what models are trained for.

    Examples
    --------
    >>> get_site("total_hip_right")
    Traceback (most recent call last):
    ...
    ValueError: total_hip_right has no model of its own: the one of total_hip draws it, in the mirrored image
    """
    region = get_region(name)
    if region.site != name:
        raise ValueError(f"{name} has no model of its own: the one of {region.site} draws it, in the mirrored image")
    return region


def region_spacing(region: Region) -> tuple[float, float, float]:
    """Voxels on which a region's network works: z, y, x, mm."""
    return (SLABS[region.slab].slice_mm, PIXEL_MM, PIXEL_MM)


def regions_of_slab(slab: int) -> tuple[Region, ...]:
    """Those of the paper's regions that lie in `slab`, in their fixed order."""
    return tuple(region for region in REGIONS.values() if region.slab == slab)
