from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bmx.core.smoothing import neighbour_mean

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
