from __future__ import annotations

import numpy as np
import pytest

from bmx.core.femur_axes import depth_inside, find_shaft
from bmx.core.medullary_canal import find_canal
from bmx.types import Affine, Mask

AFFINE: Affine = np.array([[-2.232143, 0, 0, -25], [0, -2.232143, 0, 80], [0, 0, 4.0, -230]])


def cylinder(radius: float, slices: int) -> Mask:
    y, x = np.indices((72, 68)) - np.array([36, 34])[:, None, None]
    return np.tile(np.hypot(x, y) * 2.232143 < radius, (slices, 1, 1))


def test_find_canal__knows_its_width_and_its_narrowest_place() -> None:
    """A canal whose radius grows from 5 mm at a known height, in noise: within 0.4 mm and 4 mm."""
    bone = cylinder(15, 50)
    heights = AFFINE[2, 3] + 4.0 * np.arange(50)
    radii = 5 + 0.055 * (np.sqrt((heights - heights[22]) ** 2 + 12**2) - 12)
    y, x = np.indices(bone.shape[1:]) - np.array([36, 34])[:, None, None]
    inside = np.clip((radii[:, None, None] - np.hypot(x, y) * 2.232143) / 2.2 + 0.5, 0, 1)  # partial volume
    signal = 300 * (0.05 + 0.95 * inside) + np.random.default_rng(0).normal(0, 5, bone.shape)
    shaft = find_shaft(bone, AFFINE)
    assert shaft is not None
    canal = find_canal(bone, AFFINE, depth_inside(bone, AFFINE), signal, shaft)
    assert canal is not None
    assert np.abs(canal.radii - radii[canal.slices]).max() < 0.4
    narrowest = canal.narrowest()
    assert narrowest is not None
    assert narrowest == pytest.approx(heights[22], abs=4)
    deep = canal.inside(bone.shape, AFFINE, depth_mm=2.0)
    assert deep[22].sum() == pytest.approx(np.pi * 3**2 / 2.232143**2, abs=3)


def test_find_canal__needs_contrast() -> None:
    """An even signal has no canal: no place is made up."""
    bone = cylinder(15, 50)
    shaft = find_shaft(bone, AFFINE)
    assert shaft is not None
    for signal in (np.ones(bone.shape), np.zeros(bone.shape)):
        assert find_canal(bone, AFFINE, depth_inside(bone, AFFINE), signal, shaft) is None
