from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from bmx.core.morphology import bounding_box, erode_in_plane, repair, touches_slab_edge
from bmx.types import Mask

masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6))
TOUCHING = np.ones((3, 3, 3))


def slow_erosion(mask: Mask) -> Mask:
    result = np.zeros_like(mask)
    _, rows, columns = mask.shape
    for z, y, x in np.ndindex(*mask.shape):
        around = [(y, x), (y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        result[z, y, x] = all(0 <= j < rows and 0 <= i < columns and mask[z, j, i] for j, i in around)
    return result


@given(mask=masks, voxels=st.integers(0, 3))
def test_erode_in_plane__equals_looking_at_each_neighbour(mask: Mask, voxels: int) -> None:
    oracle = mask
    for _ in range(voxels):
        oracle = slow_erosion(oracle)
    np.testing.assert_array_equal(erode_in_plane(mask, voxels=voxels), oracle)


def test_erode_in_plane__keeps_the_end_slices() -> None:
    # In plane: a region cut by the slab must not lose its first and last slice as well.
    found = erode_in_plane(np.ones((3, 3, 3), np.bool_), voxels=1)
    assert found[:, 1, 1].all()
    assert found.sum() == 3


@given(mask=masks, margin=st.integers(0, 2))
def test_bounding_box__holds_all_and_is_tight(mask: Mask, margin: int) -> None:
    box = bounding_box(mask, margin=margin)
    if box is None:
        assert not mask.any()
        return
    assert mask[box].sum() == mask.sum()
    for side, indices, length in zip(box, np.nonzero(mask), mask.shape, strict=True):
        assert side == slice(max(indices.min() - margin, 0), min(indices.max() + 1 + margin, length))


@given(mask=masks, one_piece=st.booleans())
def test_repair__tells_what_it_did(mask: Mask, one_piece: bool) -> None:
    _, parts_before = ndimage.label(mask, TOUCHING)
    done = repair(mask, one_piece=one_piece)
    _, parts_after = ndimage.label(done.mask, TOUCHING)
    assert done.parts == parts_after == parts_before - done.singles_removed - done.parts_joined
    assert (mask & ~done.mask).sum() == done.singles_removed
    if not done.parts_joined:
        assert not (done.mask & ~mask).any()


@given(mask=masks)
def test_repair__a_second_time_removes_nothing(mask: Mask) -> None:
    once = repair(mask, one_piece=False)
    twice = repair(once.mask, one_piece=False)
    np.testing.assert_array_equal(twice.mask, once.mask)
    assert twice.singles_removed == 0


def test_repair__leaves_the_discs_between_vertebrae() -> None:
    # Discs are water: filling them would lower the fat fraction of the spine.
    spine = np.zeros((9, 5, 5), np.bool_)
    spine[0:3], spine[4:7] = True, True
    assert not repair(spine, one_piece=False).mask[3].any()
    shaft = repair(spine, one_piece=True)
    assert shaft.mask[3].all()
    assert (shaft.parts_joined, shaft.parts) == (1, 1)


def test_repair__counts_parts_too_far_apart_to_join() -> None:
    mask = np.zeros((9, 3, 3), np.bool_)
    mask[0:3], mask[6:9] = True, True
    done = repair(mask, one_piece=True)
    assert (done.parts_joined, done.parts) == (0, 2)
    np.testing.assert_array_equal(done.mask, mask)


@pytest.mark.parametrize(
    ("first", "last", "native", "expected"),
    [(0, 3, 10, True), (1, 8, 10, False), (5, 9, 10, True), (5, 7, 7, True), (5, 5, 44, False)],
)
def test_touches_slab_edge__means_acquired_slices_not_stored_ones(
    first: int, last: int, native: int, expected: bool
) -> None:
    mask = np.zeros((12, 2, 2), np.bool_)
    mask[first : last + 1] = True
    assert touches_slab_edge(mask, native) is expected
    crop = slice(max(first - 1, 0), last + 2)
    assert touches_slab_edge(mask[crop], native, first_slice=crop.start) is expected


def test_touches_slab_edge__is_false_for_an_empty_mask() -> None:
    assert not touches_slab_edge(np.zeros((3, 2, 2), np.bool_), 3)
