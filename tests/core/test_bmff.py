from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from bmx.core.bmff import Measurement, measure_mask
from bmx.core.noise import slab_levels
from bmx.core.recipes import RECIPES, Recipe, get_recipe
from bmx.core.smoothing import neighbour_mean
from bmx.regions import REGIONS
from bmx.variables import RESULT_FLAGS, flag_names

AFFINE = np.array([[-2.232143, 0, 0, 250.0], [0, -2.232143, 0, 190.0], [0, 0, 4.5, -700.0]])
SHAPE = (8, 12, 14)


def measure(
    fat: npt.NDArray[np.uint16],
    water: npt.NDArray[np.uint16],
    mask: npt.NDArray[np.uint8],
    *,
    smoothing: int = 0,
    erosion: int = 0,
    one_piece: bool = True,
    recipe: str | None = None,
    slices: int | None = None,
) -> Measurement:
    region = replace(REGIONS["total_hip"], one_piece=one_piece)
    plain = Recipe(
        "plain", "for tests", "neighbours" if smoothing else "none", smoothing, erosion={region.name: erosion}
    )
    chosen = plain if recipe is None else replace(get_recipe(recipe), erosion={region.name: erosion})
    return measure_mask(fat, water, mask, AFFINE, slices or len(mask), region=region, recipe=chosen)


def signal(seed: int) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    fat, water = np.random.default_rng(seed).integers(0, 4096, (2, *SHAPE), dtype=np.uint16)
    return fat, water


def flags(found: Measurement) -> list[str]:
    return flag_names(int(found.flags), RESULT_FLAGS)


@given(
    seed=st.integers(0, 1000),
    low=st.tuples(*(st.integers(0, n - 4) for n in SHAPE)),
    smoothing=st.integers(0, 2),
    erosion=st.integers(0, 1),
)
@settings(max_examples=50)
def test_measure_mask__in_its_box_equals_the_whole_slab(
    seed: int, low: tuple[int, int, int], smoothing: int, erosion: int
) -> None:
    fat, water = signal(seed)
    mask = np.zeros(SHAPE, np.uint8)
    mask[tuple(slice(i, i + 4) for i in low)] = 1
    found = measure(fat, water, mask, smoothing=smoothing, erosion=erosion)

    smooth_fat, smooth_water = (neighbour_mean(image, radius=smoothing).astype(np.float64) for image in (fat, water))
    cross = ndimage.generate_binary_structure(2, 1)[None]
    inside = ndimage.binary_erosion(mask, cross) if erosion else mask.astype(bool)
    percent = (100 * smooth_fat / (smooth_fat + smooth_water))[inside]
    assert found.bmff == pytest.approx(percent.mean(), abs=1e-4)
    assert found.bmff_median == pytest.approx(np.median(percent), abs=1e-4)
    assert found.bmff_sd == pytest.approx(percent.std(ddof=1), abs=1e-4)
    ratio = 100 * smooth_fat[inside].sum() / (smooth_fat + smooth_water)[inside].sum()
    assert found.bmff_ratio == pytest.approx(ratio, abs=1e-4)
    assert found.voxels == 64
    assert found.volume == pytest.approx(64 * 2.232143**2 * 4.5 / 1000)
    centre = np.array(low) + 1.5
    expected = AFFINE @ [*centre[::-1], 1]
    np.testing.assert_allclose([found.centroid_x, found.centroid_y, found.centroid_z], expected)


@pytest.mark.parametrize("recipe", RECIPES)
@given(seed=st.integers(0, 1000), corner=st.tuples(*(st.integers(0, n - 5) for n in SHAPE)))
@settings(max_examples=15)
def test_measure_mask__any_recipe_in_the_box_equals_what_scipy_says_of_the_slab(
    recipe: str, seed: int, corner: tuple[int, int, int]
) -> None:
    """Only the box around a mask is worked on: a mask may lie anywhere, and voxels may be 0 in both images."""
    fat, water = signal(seed)
    dark = np.random.default_rng(seed).random(SHAPE) < 0.1
    fat[dark], water[dark] = 0, 0
    mask = np.zeros(SHAPE, np.uint8)
    mask[tuple(slice(i, i + 5) for i in corner)] = 1
    found = measure_mask(fat, water, mask, AFFINE, SHAPE[0], region=REGIONS["total_hip"], recipe=get_recipe(recipe))
    percent = RULES[recipe](fat.astype(float), water.astype(float), eroded(mask))
    assert found.bmff == pytest.approx(np.nanmean(percent), abs=1e-3)
    assert found.bmff_n == np.count_nonzero(~np.isnan(percent))


def eroded(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return np.asarray(ndimage.binary_erosion(mask, ndimage.generate_binary_structure(2, 1)[None]))


def ratio_of(fat: npt.NDArray[np.float64], water: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.divide(100 * fat, fat + water, out=np.full(fat.shape, np.nan), where=fat + water > 0)


def as_acquired(fat: npt.NDArray[np.float64], water: npt.NDArray[np.float64], mask: npt.NDArray[np.bool_]) -> Any:
    return ratio_of(fat, water)[mask]


def of_the_paper(fat: npt.NDArray[np.float64], water: npt.NDArray[np.float64], mask: npt.NDArray[np.bool_]) -> Any:
    """Section 2.8: smooth fat and water over the nearest neighbours, then divide; nothing lies outside the slab."""
    return ratio_of(*(ndimage.uniform_filter(image, 3, mode="constant") for image in (fat, water)))[mask]


def of_the_code(fat: npt.NDArray[np.float64], water: npt.NDArray[np.float64], mask: npt.NDArray[np.bool_]) -> Any:
    """A Gaussian in plane, NaN as 0, and 0 in four slices at each end."""
    percent = np.nan_to_num(ratio_of(*(ndimage.gaussian_filter(image, (0, 2, 2)) for image in (fat, water))))
    percent[:4] = percent[-4:] = 0
    return percent[mask]


def mask_aware(fat: npt.NDArray[np.float64], water: npt.NDArray[np.float64], mask: npt.NDArray[np.bool_]) -> Any:
    """Means over neighbours that are measured; three slices at each end only if there is nothing else."""
    inner = mask.copy()
    inner[:3] = inner[-3:] = False
    measured = inner if inner.any() else mask
    levels = slab_levels(fat, water)
    floor = max(0.05 * levels.bright, 5 * levels.noise * np.sqrt(2))
    usable = measured & (fat + water >= floor) & (fat + water > 0)
    usable &= fat + water >= 0.5 * np.median((fat + water)[usable])
    sums = (ndimage.uniform_filter(image * usable, 3, mode="constant") for image in (fat, water))
    return np.where(usable, ratio_of(*sums), np.nan)[measured]


RULES = {"mask_aware": mask_aware, "paper": of_the_paper, "released_code": of_the_code, "none": as_acquired}
"""The recipes written down anew, for the whole slab."""


def test_measure_mask__ignores_and_flags_what_lies_outside_the_acquired_slices() -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[4:8, 5:8, 5:8] = 1
    found = measure(*signal(0), mask, slices=6)
    assert found.voxels == 2 * 9
    assert flags(found) == ["touches_slab_edge", "outside_slab"]


def test_measure_mask__dark_voxels_have_no_value_and_most_of_them_a_flag() -> None:
    """Cortex and metal show noise, which looks like 50 % fat."""
    fat, water = np.full(SHAPE, 800, np.uint16), np.full(SHAPE, 200, np.uint16)
    fat[:, 5:7, 5:8] = water[:, 5:7, 5:8] = 10
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:5, 5:8, 5:8] = 1
    dark = measure(fat, water, mask, recipe="mask_aware")
    assert (dark.bmff, dark.bmff_n) == (80, 2 * 3)
    assert flags(dark) == ["low_signal"]
    assert measure(fat, water, mask, recipe="none").bmff == pytest.approx((6 * 50 + 3 * 80) / 9)


def test_measure_mask__a_line_of_bone_across_the_marrow_has_no_value() -> None:
    """Sclerosis holds a fifth of the signal of marrow, more of it water; the authors' masks end at bone (2.6)."""
    fat, water = np.full(SHAPE, 850, np.uint16), np.full(SHAPE, 150, np.uint16)
    fat[:, 5], water[:, 5] = 80, 110
    mask = np.zeros(SHAPE, np.uint8)
    mask[3:5, 4:8, 5:9] = 1
    crossed = measure(fat, water, mask, recipe="mask_aware")
    assert (crossed.bmff, crossed.bmff_n, crossed.eroded_voxels) == (85, 2 * 3 * 4, 2 * 4 * 4)
    assert flags(crossed) == []
    # Marrow that is dark everywhere is marrow.
    depleted = measure(fat // 5, water // 5, mask & (np.arange(SHAPE[1]) != 5)[:, None], recipe="mask_aware")
    assert (depleted.bmff, depleted.bmff_n) == (85, 2 * 3 * 4)


def test_measure_mask__leaves_the_ends_of_a_slab_out_unless_there_is_nothing_else() -> None:
    """The other end of the slab is folded onto them."""
    fat, water = np.full(SHAPE, 800, np.uint16), np.full(SHAPE, 200, np.uint16)
    fat[:3], water[:3] = 600, 400
    mask = np.zeros(SHAPE, np.uint8)
    mask[:5, 5:8, 5:8] = 1
    found = measure(fat, water, mask, recipe="mask_aware")
    assert (found.bmff, found.bmff_n, found.voxels) == (80, 2 * 9, 5 * 9)
    mask[3:] = 0
    assert measure(fat, water, mask, recipe="mask_aware").bmff == pytest.approx(60)
    assert measure(fat, water, mask, recipe="none").bmff == pytest.approx(60)


def test_measure_mask__of_nothing_is_nan_and_zero_voxels() -> None:
    found = measure(*signal(0), np.zeros(SHAPE, np.uint8))
    assert found.voxels == found.volume == found.flags == 0
    assert np.isnan([found.bmff, found.bmff_ratio, found.centroid_x]).all()


def test_measure_mask__of_a_single_voxel_is_empty_and_says_why() -> None:
    # Paper 2.6: a VOI that is a single voxel is removed.
    mask = np.zeros(SHAPE, np.uint8)
    mask[4, 5, 6] = 1
    found = measure(*signal(0), mask)
    assert found.voxels == 0
    assert np.isnan(found.bmff)
    assert flags(found) == ["single_voxels_removed"]


def test_measure_mask__eroded_away_has_a_size_but_no_value() -> None:
    # Why the paper spares the diaphysis: two voxels across leave nothing.
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:6, 5:7, 5:7] = 1
    found = measure(*signal(0), mask, erosion=1)
    assert (found.voxels, found.eroded_voxels) == (16, 0)
    assert np.isnan(found.bmff)
    assert flags(found) == ["nothing_left_after_erosion"]


def test_measure_mask__leaves_voxels_without_signal_out() -> None:
    fat, water = np.full(SHAPE, 800, np.uint16), np.full(SHAPE, 200, np.uint16)
    fat[3], water[3] = 0, 0
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:5, 5:8, 5:8] = 1
    assert measure(fat, water, mask).bmff == pytest.approx(80)


def test_measure_mask__flags_the_slab_edge_and_parts() -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[0:2, 2:5, 2:5] = mask[5:7, 2:5, 2:5] = 1
    assert flags(measure(*signal(0), mask)) == ["touches_slab_edge", "parts_apart"]
    assert flags(measure(*signal(0), mask, one_piece=False)) == ["touches_slab_edge"]
    mask[3:4, 2:5, 2:5] = 1
    joined = measure(*signal(0), mask)
    assert flags(joined) == ["parts_joined", "touches_slab_edge"]
    assert joined.voxels == 9 * 7


def shaft(canal: float, cortex: float, percent: float) -> tuple[npt.NDArray[np.uint16], ...]:
    """Fat, water and inner-marrow mask of a thigh bone in muscle, painted 8 times finer than its voxels."""
    pixel, fine, pixels, slices = 2.232143, 8, 24, 9
    place = (np.arange(pixels * fine) + 0.5) / fine * pixel - pixels * pixel / 2
    radius = np.hypot(place[:, None] - 0.3, place[None] - 0.8)
    marrow, bone = radius < canal, radius < canal + cortex
    # Cortex gives 5 % of the marrow's signal, muscle 90 % and 6 % fat.
    total = np.select([marrow, bone], [1000, 50], 900)
    fat = total * np.select([marrow, bone], [percent, 30], 6) / 100

    def voxels(image: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        coarse = image.reshape(pixels, fine, pixels, fine).mean(axis=(1, 3))
        return np.repeat(coarse[None], slices, axis=0)

    inner = voxels(marrow) >= 0.9
    inner[[0, -1]] = False
    return voxels(fat).round().astype(np.uint16), voxels(total - fat).round().astype(np.uint16), inner.astype(np.uint8)


def test_measure_mask__smoothed_across_a_thin_shaft_reads_too_low() -> None:
    # The figure in the docstring of `bmx.measure`: with the paper's recipe cortex and muscle come in.
    fat, water, mask = shaft(canal=4, cortex=5, percent=88)
    assert mask[4].sum() == 6  # the paper's diaphysis has 5-10 voxels a slice
    assert measure(fat, water, mask, smoothing=0).bmff == pytest.approx(88.0, abs=0.05)
    assert measure(fat, water, mask, smoothing=1).bmff == pytest.approx(86.6, abs=0.05)
    assert measure(fat, water, mask, recipe="mask_aware").bmff == pytest.approx(88.0, abs=0.05)


def test_measure_mask__smoothed_across_a_thin_cortex_reads_lower_still() -> None:
    fat, water, mask = shaft(canal=4, cortex=2, percent=88)
    assert measure(fat, water, mask, smoothing=0).bmff == pytest.approx(88.0, abs=0.05)
    assert measure(fat, water, mask, smoothing=1).bmff < 86
