from __future__ import annotations

import numpy as np
import pytest

from bmx.core.dixon_signal import Separated
from bmx.regions import REGIONS
from bmx.simulation.bodies import SimulatedSlab
from bmx.simulation.recipes import RECIPES, true_bmff

SHAFT = REGIONS["femoral_diaphysis"]


def thin_shaft(*, at_end: bool = False) -> SimulatedSlab:
    """A tube of 88 % marrow, 3 voxels wide, in cortex without signal and muscle of 5 %; 13 slices of it masked."""
    y, x = np.indices((40, 40)) - 20
    radius = np.hypot(y, x)
    fat = np.where(radius < 2, 0.7 * 0.88, np.where(radius < 6, 0.0, 0.4 * 0.05)).astype(np.float32)
    water = np.where(radius < 2, 0.7 * 0.12, np.where(radius < 6, 0.02, 0.4 * 0.95)).astype(np.float32)
    volume = (40, 1, 1)
    mask = np.zeros((40, 40, 40), bool)
    mask[0 if at_end else 14 : 27] = radius < 2
    return SimulatedSlab(
        {}, np.eye(3, 4), {SHAFT.name: mask}, Separated(np.tile(water, volume), np.tile(fat, volume)),
        np.zeros(mask.shape, np.uint8),
    )  # fmt: skip


def test_true_bmff__smoothing_pulls_a_thin_shaft_down_unless_it_stays_inside() -> None:
    """DOMAIN 4: the released code's Gaussian drew 88 to 68 %; averaging inside the mask changes nothing."""
    found = true_bmff(thin_shaft(), SHAFT)
    assert tuple(found) == RECIPES
    assert found["none"] == pytest.approx(88, abs=0.01)
    assert found["mask_aware"] == pytest.approx(88, abs=0.01)
    assert 60 < found["released_code"] < found["paper"] < 88


def test_true_bmff__released_code_counts_slices_at_the_end_as_zero() -> None:
    """Its map is zeroed in four slices at each end, and zeros enter the mean; here they are outside the seven kept."""
    shaft = thin_shaft(at_end=True)
    assert true_bmff(shaft, SHAFT)["released_code"] == pytest.approx(
        true_bmff(thin_shaft(), SHAFT)["released_code"], abs=0.1
    )
    head = REGIONS["femoral_head"]
    wide = np.zeros((12, 20, 20), bool)
    wide[:6, 4:16, 4:16] = True
    uniform = Separated(np.full(wide.shape, 0.1, np.float32), np.full(wide.shape, 0.9, np.float32))
    slab = SimulatedSlab({}, np.eye(3, 4), {head.name: wide}, uniform, np.zeros(wide.shape, np.uint8))
    found = true_bmff(slab, head)
    assert found["none"] == pytest.approx(90, abs=0.01)
    assert found["released_code"] == pytest.approx(90 * 2 / 6, abs=0.1)


def test_true_bmff__is_nan_where_nothing_is_left() -> None:
    """An empty mask has no fat fraction."""
    shaft = thin_shaft()
    empty = SimulatedSlab({}, np.eye(3, 4), {SHAFT.name: np.zeros((40, 40, 40), bool)}, shaft.clean, shaft.labels)
    assert all(np.isnan(value) for value in true_bmff(empty, SHAFT).values())
