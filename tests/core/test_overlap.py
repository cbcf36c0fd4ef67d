from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from bmx.core.overlap import dice


@given(pair=hnp.arrays(np.bool_, (2, 3, 4)))
def test_dice__equals_that_of_sets(pair: npt.NDArray[np.bool_]) -> None:
    a, b = ({tuple(index) for index in np.argwhere(mask)} for mask in pair)
    if a or b:
        assert dice(*pair) == pytest.approx(2 * len(a & b) / (len(a) + len(b)))
    else:
        assert np.isnan(dice(*pair))


def test_dice__of_uint8_masks_doesnt_wrap() -> None:
    full = np.ones((10, 10, 10), np.uint8)
    assert dice(full, full) == 1


def test_dice__refuses_two_grids() -> None:
    with pytest.raises(ValueError, match=r"must lie on one grid; found \(2,\) and \(3,\)"):
        dice(np.ones(2), np.ones(3))
