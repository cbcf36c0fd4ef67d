from __future__ import annotations

import pytest

from bmx.acquisition import CONTRASTS, PIXEL_MM, SLABS, slab_number, slab_top_mm
from bmx.regions import REGIONS, regions_of_slab


def test_slabs__are_those_of_the_protocol() -> None:
    """1,328 images in 24 series when complete; x field 500 mm, y fields as published."""
    assert sum(slab.slices * len(CONTRASTS) for slab in SLABS.values()) == 1328
    assert [slab.columns * PIXEL_MM for slab in SLABS.values()] == pytest.approx([500] * 6, abs=0.01)
    fields = [slab.rows * PIXEL_MM for slab in SLABS.values()]
    assert fields == pytest.approx([375, 388.4, 388.4, 388.4, 361.6, 348.2], abs=0.05)


def test_slabs__are_stored_with_room() -> None:
    """Nothing that the scanner gave is cropped."""
    assert all(slab.stored_slices >= slab.slices for slab in SLABS.values())
    assert SLABS[2].stored_shape == (46, 174, 224)


def test_slab_top_mm__neighbours_overlap() -> None:
    """Each slab begins above the end of the one before."""
    for number in range(2, 7):
        end_of_previous = slab_top_mm(number - 1) + SLABS[number - 1].extent_mm
        assert end_of_previous - slab_top_mm(number) == pytest.approx(37)


def test_slab_number__inverts_the_name() -> None:
    """Children of the store are called after their slab."""
    assert [slab_number(slab.name) for slab in SLABS.values()] == [1, 2, 3, 4, 5, 6]


def test_contrasts__tokens_name_one_contrast_each() -> None:
    """An ambiguous token would decide by dictionary order."""
    tokens = [token for kind in CONTRASTS.values() for token in kind.image_types]
    assert len(set(tokens)) == len(tokens)
    assert len({kind.suffix for kind in CONTRASTS.values()}) == 4


def test_regions__lie_in_slabs_that_hold_them() -> None:
    """The box that the network cuts out fits into its slab."""
    assert [region.name for slab in SLABS for region in regions_of_slab(slab)] == list(REGIONS)
    for region in REGIONS.values():
        grid = SLABS[region.slab].stored_shape
        assert all(side <= extent + 2 for side, extent in zip(region.roi_shape, grid, strict=True))
