from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bmx.core.smoothing import gaussian_in_plane, mean_inside, neighbour_mean

images = hnp.arrays(np.uint16, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6))


def slow_neighbour_mean(image: npt.NDArray[np.uint16], radius: int) -> npt.NDArray[np.float64]:
    result = np.empty(image.shape)
    for index in np.ndindex(*image.shape):
        box = tuple(slice(max(i - radius, 0), i + radius + 1) for i in index)
        result[index] = image[box].astype(np.float64).mean()
    return result


@given(image=images, radius=st.integers(0, 2))
def test_neighbour_mean__equals_the_mean_of_each_box(image: npt.NDArray[np.uint16], radius: int) -> None:
    np.testing.assert_allclose(neighbour_mean(image, radius=radius), slow_neighbour_mean(image, radius), rtol=1e-6)


@given(image=hnp.arrays(np.uint16, (6, 7, 8)), low=st.integers(0, 3), high=st.integers(4, 6))
def test_neighbour_mean__of_a_crop_equals_that_of_the_whole(image: npt.NDArray[np.uint16], low: int, high: int) -> None:
    # Measuring in the bounding box must not change a single bit.
    whole = neighbour_mean(image)[low:high, low:high, low:high]
    crop = tuple(slice(max(low - 1, 0), high + 1) for _ in range(3))
    offset = low - crop[0].start
    inner = tuple(slice(offset, offset + high - low) for _ in range(3))
    np.testing.assert_array_equal(neighbour_mean(image[crop])[inner], whole)


def test_mean_inside__never_looks_across_the_border() -> None:
    """Property: whatever lies outside the mask, the numbers inside are the same; oracle: voxel by voxel."""
    rng = np.random.default_rng(0)
    image, mask = rng.uniform(0, 100, (5, 8, 9)), rng.random((5, 8, 9)) < 0.6
    found = mean_inside(image, mask)
    other = mean_inside(np.where(mask, image, 1e6), mask)
    np.testing.assert_array_equal(found, other)
    for z, y, x in np.argwhere(mask):
        near = (slice(max(z - 1, 0), z + 2), slice(max(y - 1, 0), y + 2), slice(max(x - 1, 0), x + 2))
        assert found[z, y, x] == pytest.approx(image[near][mask[near]].mean(), rel=1e-6)
    assert np.isnan(found[~mask]).all()


def test_gaussian_in_plane__leaves_slices_apart() -> None:
    """A spike spreads within its slice only, and keeps its sum."""
    image = np.zeros((3, 41, 41), np.uint16)
    image[1, 20, 20] = 1000
    smooth = gaussian_in_plane(image, sigma=2)
    assert not smooth[[0, 2]].any()
    assert smooth[1].sum() == pytest.approx(1000, rel=1e-4)
    assert smooth[1, 20, 20] == pytest.approx(1000 / (2 * np.pi * 4), rel=0.02)
