"""Draw the bone marrow regions of every participant: `segment`, lazily."""

from bmx.segmentation.choice import check_allowed, choose_regions, regions_by_slab
from bmx.segmentation.tree import segment

__all__ = ["check_allowed", "choose_regions", "regions_by_slab", "segment"]
