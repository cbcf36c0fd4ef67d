from __future__ import annotations

import numpy as np
import pytest

from bmx.acquisition import SLABS
from bmx.regions import REGIONS, Region
from bmx.simulation.randomised_slabs import draw_randomised_slab


@pytest.mark.parametrize("region", REGIONS.values(), ids=lambda region: region.name)
def test_draw_randomised_slab__fills_the_grid_of_the_slab(region: Region) -> None:
    """The network sees it as it sees a slab: same voxels, brightness near 1."""
    volume, mask = draw_randomised_slab(region, np.random.default_rng(3))
    slab = SLABS[region.slab]
    assert volume.shape == mask.shape == (slab.slices, slab.rows, slab.columns)
    assert (volume.dtype, mask.dtype) == (np.float32, np.bool_)
    assert 0.7 < np.percentile(volume, 99) < 1.5
    assert volume.min() >= 0


def test_draw_randomised_slab__contrasts_of_one_region_differ() -> None:
    """Bone that always had the same brightness beside fat would be learned by it."""
    contrasts = []
    for seed in range(6):
        volume, mask = draw_randomised_slab(REGIONS["total_hip"], np.random.default_rng(seed))
        if mask.any():
            contrasts.append(np.median(volume[mask]) / np.percentile(volume, 98))
    assert len(contrasts) >= 4
    assert np.ptp(contrasts) > 0.2
