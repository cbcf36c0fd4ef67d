"""The four volumes of interest of Morris et al. 2024, section 2.6."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bmx.errors import did_you_mean


@dataclass(frozen=True, slots=True)
class Region:
    """A bone marrow region: where it lies, and how it is measured."""

    name: str
    slab: int
    """The slab that holds it in a clean exam."""
    side: Literal["both", "left"]
    """The paper draws the left (non-dominant) femur; the spine has no side."""
    erosion: int
    """In-plane erosion before measuring, in voxels (paper 2.8: one, none for the diaphysis)."""
    one_piece: bool
    """Whether its mask must hang together; vertebrae lie apart, with discs between them."""
    roi_shape: tuple[int, int, int]
    """(z, y, x) voxels of the box that the network cuts out; the paper's 32 where that is enough."""
    meaning: str


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
    if name in REGIONS:
        return REGIONS[name]
    raise ValueError(f"no region is called {name!r}; {did_you_mean(name, REGIONS)}")


def regions_of_slab(slab: int) -> tuple[Region, ...]:
    """All regions that lie in `slab`, in their fixed order."""
    return tuple(region for region in REGIONS.values() if region.slab == slab)
