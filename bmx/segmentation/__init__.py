"""Draw the bone marrow regions of every participant: `segment`, lazily."""

from bmx.segmentation.choice import Sides, check_allowed, choose_regions, regions_by_slab
from bmx.segmentation.tree import models_of, segment

__all__ = ["Sides", "check_allowed", "choose_regions", "models_of", "regions_by_slab", "segment"]
