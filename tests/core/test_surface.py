from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bmx.core.surface import hausdorff95, surface

SHAPES = st.tuples(*[st.integers(1, 6)] * 3)
SPACINGS = st.tuples(*[st.sampled_from([0.5, 1.0, 2.232143, 4.5])] * 3)


def brute_force(a: np.ndarray, b: np.ndarray, spacing: tuple[float, ...]) -> float:
    """The definition in words: every surface voxel against every other."""

    def edge(mask: np.ndarray) -> np.ndarray:
        found = []
        for place in np.argwhere(mask):
            for axis in range(3):
                for side in (-1, 1):
                    there = place.copy()
                    there[axis] += side
                    if not (0 <= there[axis] < mask.shape[axis]) or not mask[tuple(there)]:
                        found.append(tuple(place))
        return np.array(sorted(set(found))) * np.array(spacing)

    edges = edge(a), edge(b)
    between = np.linalg.norm(edges[0][:, None] - edges[1][None], axis=2)
    return float(max(np.percentile(between.min(axis=1), 95), np.percentile(between.min(axis=0), 95)))


@settings(max_examples=60)
@given(st.data(), SHAPES, SPACINGS)
def test_hausdorff95__is_that_of_every_voxel_against_every_other(
    data: st.DataObject, shape: tuple[int, ...], spacing: tuple[float, ...]
) -> None:
    """Any two masks, any spacing: cropping and the distance transform are shortcuts, not approximations."""
    a, b = (data.draw(arrays(bool, shape)) for _ in range(2))
    if a.any() and b.any():
        assert hausdorff95(a, b, spacing) == pytest.approx(brute_force(a, b, spacing), rel=1e-12)
    else:
        assert np.isnan(hausdorff95(a, b, spacing))


def test_hausdorff95__of_a_shifted_ball_is_the_shift_along_the_axis_with_its_spacing() -> None:
    """Millimetres, not voxels: one voxel along z is 4.5 mm."""
    z, y, x = np.indices((16, 24, 24)) - np.array([8, 12, 12]).reshape(3, 1, 1, 1)
    ball = (2 * z) ** 2 + y**2 + x**2 <= 64
    assert hausdorff95(ball, np.roll(ball, 1, axis=0), (4.5, 2.25, 2.25)) == 4.5
    assert hausdorff95(ball, np.roll(ball, 1, axis=2), (4.5, 2.25, 2.25)) == 2.25
    assert hausdorff95(ball, ball, (4.5, 2.25, 2.25)) == 0


def test_hausdorff95__forgives_a_stray_voxel_that_the_maximum_would_not() -> None:
    """Why 95 %: one wrong voxel far away is not the distance between two surfaces."""
    true = np.zeros((8, 30, 30), bool)
    true[2:6, 4:12, 4:12] = True
    drawn = true.copy()
    drawn[7, 29, 29] = True
    assert hausdorff95(drawn, true, (1, 1, 1)) == 0


def test_hausdorff95__refuses_two_grids() -> None:
    """Broadcasting would compare something."""
    with pytest.raises(ValueError, match=r"must lie on one grid; found \(1, 2, 2\) and \(2, 2, 2\)"):
        hausdorff95(np.ones((1, 2, 2)), np.ones((2, 2, 2)), (1, 1, 1))


def test_surface__of_a_mask_that_fills_the_volume_is_its_border() -> None:
    """Beyond the volume is outside: a vertebra cut by the slab's end ends there."""
    assert surface(np.ones((5, 5, 5), bool)).sum() == 125 - 27
