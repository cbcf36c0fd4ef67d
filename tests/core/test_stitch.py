from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.core.fat_fraction import fat_fraction
from bmx.core.geometry import to_world
from bmx.core.stitch import GHOST_SLICES, SlabPair, bring_back, slice_weights, stitch
from bmx.types import Affine

PIXEL = 2.0


def affine_of(shape: tuple[int, int, int], slice_mm: float, bottom_mm: float) -> Affine:
    """A slab as the scanner lays it: the centre of its field at x = y = 0, its lowest face at `bottom_mm`."""
    _, rows, columns = shape
    return np.array(
        [
            [-PIXEL, 0, 0, PIXEL * (columns - 1) / 2],
            [0, -PIXEL, 0, PIXEL * (rows - 1) / 2],
            [0, 0, slice_mm, bottom_mm + slice_mm / 2],
        ]
    )


def positions(affine: Affine, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """World position of every voxel, (z, y, x, 3)."""
    return to_world(affine, np.moveaxis(np.indices(shape), 0, -1))


def ramp(affine: Affine, shape: tuple[int, int, int], scale: float = 1.0) -> SlabPair:
    """A body whose fat and water change linearly in space: interpolation gives them back exactly."""
    x, y, z = np.moveaxis(positions(affine, shape), -1, 0)
    fat, water = 4000 + 20 * z + 5 * x - 3 * y, 9000 - 12 * z + 4 * x + 6 * y
    return SlabPair(np.rint(scale * fat).astype(np.uint16), np.rint(scale * water).astype(np.uint16), affine)


def constant(affine: Affine, shape: tuple[int, int, int], fat: int, water: int) -> SlabPair:
    return SlabPair(np.full(shape, fat, np.uint16), np.full(shape, water, np.uint16), affine)


UPPER, LOWER = (20, 14, 12), (24, 10, 12)


def two_slabs() -> list[SlabPair]:
    """An upper slab of 4.5 mm slices and a lower one of 3.5 mm and fewer rows, which overlap by 37 mm."""
    low = affine_of(LOWER, 3.5, -47.0)
    return [ramp(affine_of(UPPER, 4.5, 0.0), UPPER), ramp(low, LOWER)]


@pytest.mark.parametrize("like", [0, 1])
def test_stitch__gives_back_a_body_that_both_slabs_show(like: int) -> None:
    """Slabs of other spacing and other rows: aligned by their place in the body, not by their corners."""
    slabs = two_slabs()
    body = stitch(slabs, like=like)
    assert body.covered.all()
    assert body.fat.shape[1:] == slabs[like].fat.shape[1:]
    expected = ramp(body.affine, body.fat.shape)
    # Rows that one slab lacks are zero where it is alone; edge voxels beyond the last slice's middle are held.
    rows = slice(2, -2) if like == 0 else slice(None)
    inner = np.s_[1:-1, rows, 1:-1]
    np.testing.assert_allclose(body.fat[inner].astype(int), expected.fat[inner], atol=25)
    np.testing.assert_allclose(body.water[inner].astype(int), expected.water[inner], atol=25)
    np.testing.assert_allclose(to_world(body.affine, np.array([body.first, 0, 0])), slabs[like].affine[:, 3])


def test_stitch__is_the_weighted_mean_of_a_slow_oracle() -> None:
    """Voxel by voxel: where the slabs lie on one grid, no interpolation is in between."""
    rng = np.random.default_rng(0)
    shape = (16, 3, 4)
    places = [affine_of(shape, 4.0, bottom) for bottom in (0.0, 24.0)]
    # As bright on the whole, so that nothing is scaled: the second slab continues the first in their overlap.
    whole = rng.integers(500, 900, (2, 22, 3, 4))
    slabs = [
        SlabPair(*(image[first : first + 16].astype(np.uint16) for image in whole), affine)
        for affine, first in zip(places, (0, 6), strict=True)
    ]
    slabs[1].fat[2] += 40  # a ghost in the first
    body = stitch(slabs, like=0)
    weights = slice_weights(16, 4.0).astype(float)
    for z in range(22):
        parts = [(slab, z - first) for slab, first in zip(slabs, (0, 6), strict=True) if 0 <= z - first < 16]
        total = sum(weights[index] for _, index in parts)
        for image, name in ((body.fat, "fat"), (body.water, "water")):
            expected = sum(weights[index] * getattr(slab, name)[index].astype(float) for slab, index in parts) / total
            np.testing.assert_allclose(image[z], expected, atol=1.5)


def test_stitch__leaves_ghosts_out_where_a_neighbour_covers_them() -> None:
    """And only there: at the two ends of the body there is nothing else."""
    slabs = two_slabs()
    clean = stitch(slabs, like=0)
    for slab in slabs:
        for image in (slab.fat, slab.water):
            image[:GHOST_SLICES] += 3000
            image[-GHOST_SLICES:] += 5000
    ghosted = stitch(slabs, like=0)
    upper_end, lower_end = round(18 / 4.5), round(14 / 4.5)
    inside = np.s_[lower_end + 2 : -upper_end - 1, 2:-2]
    np.testing.assert_allclose(ghosted.fat[inside].astype(int), clean.fat[inside], atol=30)
    assert (ghosted.fat[-1].astype(int) - clean.fat[-1] > 4000).all()
    assert (ghosted.fat[0, 2:-2].astype(int) - clean.fat[0, 2:-2] > 2000).all()


def test_stitch__keeps_the_own_slab_where_it_is_alone() -> None:
    """To the last unit: nothing is resampled that need not be."""
    upper, lower = two_slabs()
    body = stitch([lower, upper], like=1)
    alone = slice(body.first + 9, body.first + 20)
    np.testing.assert_array_equal(body.fat[alone], upper.fat[9:])
    np.testing.assert_array_equal(body.water[alone], upper.water[9:])
    single = stitch([upper], like=0)
    np.testing.assert_array_equal(single.fat, upper.fat)
    assert single.first == 0


@settings(max_examples=15)
@given(
    scale=st.floats(0.4, 2.5),
    overlap=st.floats(15, 40),
    slice_mm=st.sampled_from([3.0, 3.5, 4.0, 4.5]),
    fat=st.integers(100, 1500),
    water=st.integers(100, 1500),
)
def test_stitch__never_changes_a_fat_fraction(
    scale: float, overlap: float, slice_mm: float, fat: int, water: int
) -> None:
    """Property: weights and scale are the same for fat and water, whatever the slabs' brightness and place."""
    shape = (20, 4, 4)
    slabs = [
        constant(affine_of(shape, 4.5, 0.0), shape, fat, water),
        constant(affine_of(shape, slice_mm, overlap - 20 * slice_mm), shape, round(scale * fat), round(scale * water)),
    ]
    body = stitch(slabs, like=0)
    assert body.covered.all()
    np.testing.assert_allclose(body.fat, fat, rtol=0.02, atol=1)  # brightness of the slab whose grid it is
    np.testing.assert_allclose(fat_fraction(body.fat, body.water), 100 * fat / (fat + water), atol=0.5)


def test_stitch__takes_one_factor_for_fat_and_water() -> None:
    """A slab twice as bright is made half as bright; a fat-water swap in it is not mistaken for brightness."""
    shape = (20, 6, 6)
    own = constant(affine_of(shape, 4.5, 0.0), shape, 900, 300)
    swapped = constant(affine_of(shape, 4.5, -53.0), shape, 600, 1800)
    body = stitch([own, swapped], like=0)
    assert (body.fat[:4] == 300).all()
    assert (body.water[:4] == 900).all()


def test_stitch__does_not_scale_by_air() -> None:
    """Where the overlap shows no tissue, brightness is left alone."""
    shape = (20, 6, 6)
    own, other = constant(affine_of(shape, 4.5, 0.0), shape, 800, 200), constant(
        affine_of(shape, 4.5, -53.0), shape, 400, 100
    )  # fmt: skip
    own.fat[:9] = own.water[:9] = 0
    body = stitch([own, other], like=0)
    assert (body.fat[0] == 400).all()


def test_stitch__of_slabs_with_a_gap_says_where_nothing_is() -> None:
    """A slice is missing between them: zero, and not covered."""
    shape = (10, 4, 4)
    slabs = [constant(affine_of(shape, 4.0, bottom), shape, 500, 500) for bottom in (0.0, -60.0)]
    body = stitch(slabs, like=0)
    assert body.covered.tolist() == [True] * 10 + [False] * 5 + [True] * 10
    assert (body.fat[~body.covered] == 0).all()
    assert (body.fat[body.covered] == 500).all()


def test_stitch__of_oblique_slabs_follows_their_whole_affine() -> None:
    """A slab tilted by 8 degrees shows the same body."""
    shape = (16, 30, 30)
    angle = np.deg2rad(8.0)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    tilted = turn @ affine_of(shape, 4.0, -40.0)
    slabs = [ramp(affine_of(shape, 4.0, 0.0), shape), ramp(tilted, shape)]
    body = stitch(slabs, like=0)
    expected = ramp(body.affine, body.fat.shape)
    middle = np.s_[3:-3, 12:18, 3:-3]
    np.testing.assert_allclose(body.fat[middle].astype(int), expected.fat[middle], atol=10)


def test_slice_weights__fall_towards_both_ends() -> None:
    """And are never zero: a ghost is better than nothing."""
    weights = slice_weights(44, 4.5)
    np.testing.assert_array_equal(weights, weights[::-1])
    assert (np.diff(weights[:22]) >= 0).all()
    assert (weights > 0).all()
    assert weights[GHOST_SLICES - 1] <= 1e-4 < 0.1 < weights[GHOST_SLICES]
    assert weights[22] == 1


def test_bring_back__returns_a_mask_to_where_it_came_from() -> None:
    """Over a grid of whole slices and centred rows nothing is lost; other spacing keeps the volume."""
    upper, lower = two_slabs()
    mask = np.zeros(lower.fat.shape, bool)
    mask[4:18, 3:7, 2:9] = True
    taller = (30, *lower.fat.shape[1:])
    shifted = np.column_stack([lower.affine[:, :3], to_world(lower.affine, np.array([-3, 0, 0]))])
    there = bring_back(mask, lower.affine, shifted, taller)
    np.testing.assert_array_equal(there[3:27], mask)
    np.testing.assert_array_equal(bring_back(there, shifted, lower.affine, mask.shape), mask)
    onto_upper = bring_back(mask, lower.affine, upper.affine, upper.fat.shape)
    # The upper slab begins at 0 mm, where the mask is cut; slices are taken whole.
    in_reach = mask[14:].sum() * 3.5
    assert onto_upper.sum() * 4.5 == pytest.approx(in_reach, abs=4.5 * mask[14].sum())
    assert onto_upper[:, 5:9].sum() == onto_upper.sum()  # two more rows on either side
