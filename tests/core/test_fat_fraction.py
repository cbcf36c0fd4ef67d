from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bmx.core.fat_fraction import fat_fraction

REAL_IMAGES = Path(__file__).parents[3] / "shared" / "data"
needs_real_images = pytest.mark.skipif(
    not REAL_IMAGES.is_dir(), reason="other groups' images are not part of the project and lie beside it, if anywhere"
)


def read(path: str) -> npt.NDArray[np.float64]:
    return nib.load(REAL_IMAGES / path).get_fdata()


@given(pairs=hnp.arrays(np.uint16, st.tuples(st.just(2), st.integers(1, 50))))
def test_fat_fraction__of_uint16_equals_float64(pairs: npt.NDArray[np.uint16]) -> None:
    # 16-bit products wrap silently: the whole range must survive.
    fat, water = pairs
    total = fat.astype(np.float64) + water
    oracle = np.where(total > 0, 100 * fat.astype(np.float64) / np.where(total > 0, total, 1), np.nan)
    found = fat_fraction(fat, water)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, oracle, rtol=2e-7)


@given(pairs=hnp.arrays(np.uint16, (2, 20), elements=st.integers(0, 4095)))
def test_fat_fraction__of_exchanged_images_is_the_complement(pairs: npt.NDArray[np.uint16]) -> None:
    # What a fat-water swap does, and what repairing one relies on.
    fat, water = pairs
    np.testing.assert_allclose(fat_fraction(fat, water), 100 - fat_fraction(water, fat), atol=2e-5)


@needs_real_images
@pytest.mark.parametrize(("label", "expected"), [(1, 13.2), (2, 14.9), (3, 12.9), (4, 12.2)])
def test_fat_fraction__of_real_muscles_is_as_published(label: int, expected: float) -> None:
    # The arrays of the three files line up, though the affine of the water image is wrong.
    fat, water = read("lumbar_dixon/TUM01_fat.nii.gz"), read("lumbar_dixon/TUM01_water.nii.gz")
    muscles = read("lumbar_dixon/TUM01_muscles.nii.gz")
    found = fat_fraction(fat, water)[muscles == label]
    assert np.nanmean(found) == pytest.approx(expected, abs=0.3)


@needs_real_images
def test_fat_fraction__of_a_real_thigh_equals_its_authors_map() -> None:
    fat, water, theirs = (read(f"thigh_fat_fraction/{name}.nii.gz") for name in ("fat", "water", "fatfraction"))
    both = (fat >= 0) & (water >= 0) & (fat + water > 0)
    assert both.sum() == 32_094
    # Theirs is float64, ours float32: seven digits of at most 100 %.
    np.testing.assert_allclose(fat_fraction(fat, water)[both], theirs[both], atol=2e-5)
    # They write 0 where there is no signal; we write NaN.
    nothing = (fat == 0) & (water == 0)
    assert np.isnan(fat_fraction(fat, water)[nothing]).all()
