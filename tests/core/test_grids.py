from __future__ import annotations

import numpy as np

from bmx.core.grids import corners_apart


def test_corners_apart__sees_a_turn_about_the_diagonal() -> None:
    """First and last voxel stay where they are: two corners alone would call this one grid."""
    turned = np.eye(3)[:, [1, 2, 0]]
    assert corners_apart(np.eye(3, 4), np.column_stack([turned, np.zeros(3)]), (5, 5, 5)) > 5
    assert corners_apart(np.eye(3, 4), np.eye(3, 4), (5, 5, 5)) == 0
