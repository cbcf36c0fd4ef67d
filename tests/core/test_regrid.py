from __future__ import annotations

import numpy as np
import pytest

from bmx.core.regrid import regrid, regrid_mask

TARGET = (4.5, 2.232143, 2.232143)


def sphere(spacing: tuple[float, float, float], radius: float = 24.0, edge: float = 72.0) -> np.ndarray:
    """A sphere in a cube whose middle is the middle of the volume."""
    shape = [round(edge / mm) for mm in spacing]
    axes = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(shape, spacing, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return np.asarray(z**2 + y**2 + x**2 <= radius**2)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (4.0, 1.0, 1.0), (1.0, 1.0, 4.0), (6.0, 3.0, 3.0), TARGET])
def test_regrid_mask__keeps_volume_and_place(spacing: tuple[float, float, float]) -> None:
    """From finer and coarser voxels: a bias in mL or a shift of half a voxel would be learned."""
    mask = regrid_mask(sphere(spacing), spacing, TARGET)
    assert mask.sum() * np.prod(TARGET) == pytest.approx(4 / 3 * np.pi * 24**3, rel=0.04)
    middle = (np.argwhere(mask).mean(axis=0) - (np.array(mask.shape) - 1) / 2) * TARGET
    np.testing.assert_allclose(middle, 0, atol=0.3)


def test_regrid__onto_the_same_voxels_changes_nothing() -> None:
    """UK Biobank's own images must not be blurred on their way to the network."""
    volume = np.random.default_rng(0).integers(0, 900, (3, 5, 7)).astype(np.uint16)
    np.testing.assert_array_equal(regrid(volume, TARGET, (4.5, 2.2321, 2.2321)), volume)


def test_regrid__averages_what_a_larger_voxel_covers() -> None:
    """A chequerboard becomes grey, not black or white as with every fourth voxel."""
    board = np.indices((4, 32, 32)).sum(axis=0) % 2 * 100.0
    coarse = regrid(board, (4.0, 1.0, 1.0), (4.0, 4.0, 4.0))
    assert coarse.shape == (4, 8, 8)
    np.testing.assert_allclose(coarse, 50, atol=10)


def test_regrid__is_exact_for_a_linear_ramp() -> None:
    """The oracle of linear interpolation, away from the ends."""
    ramp = np.broadcast_to(np.arange(20.0) * 2.0, (2, 2, 20))  # millimetres from the first centre, voxels of 2 mm
    fine = regrid(ramp, (1.0, 1.0, 2.0), (1.0, 1.0, 1.0))
    np.testing.assert_allclose(fine[0, 0, 2:-2], np.arange(40)[2:-2] - 0.5, atol=1e-4)
