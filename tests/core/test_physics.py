from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.core.dixon_signal import Echoes
from bmx.core.physics import VIOLATED, assign_echoes, fat_of_pair, is_violated, physics_residual
from bmx.core.receiver import Receiver, dixon_images

REAL = Path(__file__).parents[2] / "../shared/data"


def phantom(noise: float, seed: int) -> dict[str, np.ndarray]:
    """A body of mixed fat and water in air, as a scanner would show it."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.05, 0.95, (8, 24, 24)).astype(np.float32)
    body = np.zeros_like(share)
    body[:, 6:18, 6:18] = 1
    water, fat = (1 - share) * body, share * body
    return dixon_images(Echoes(water, water, fat, fat), Receiver(400, noise, 0.1), rng)


@given(st.integers(0, 50))
def test_physics_residual__is_small_for_images_of_one_acquisition(seed: int) -> None:
    """At the noise of a real exam both relations hold within a few percent."""
    assert (physics_residual(**phantom(0.02, seed)) < 0.06).all()


def test_physics_residual__sees_exchanged_labels_but_not_swaps() -> None:
    """Exchanging in and water breaks both relations; exchanging fat and water breaks neither."""
    images = phantom(0.02, 0)
    swapped = images | {"fat": images["water"], "water": images["fat"]}
    np.testing.assert_array_equal(physics_residual(**swapped), physics_residual(**images))
    exchanged = images | {"in_phase": images["water"], "water": images["in_phase"]}
    assert (physics_residual(**exchanged) > 0.2).all()


def test_physics_residual__is_nan_without_a_body() -> None:
    """An empty slab says nothing about physics."""
    nothing = np.zeros((2, 3, 3), np.uint16)
    assert np.isnan(physics_residual(fat=nothing, water=nothing, in_phase=nothing, opposed_phase=nothing)).all()


def test_physics_residual__does_not_wrap() -> None:
    """|W - F| of unsigned integers would be 65,000 where fat prevails."""
    fat, water = np.full((2, 4, 4), 40_000, np.uint16), np.full((2, 4, 4), 20_000, np.uint16)
    residual = physics_residual(fat=fat, water=water, in_phase=fat + water, opposed_phase=fat - water)
    np.testing.assert_array_equal(residual, [0, 0])


def trunk(seed: int, *, noise: float = 0.02) -> dict[str, np.ndarray]:
    """A shell of fat around muscle, with marrow inside, on some slices."""
    rng = np.random.default_rng(seed)
    _, y, x = np.mgrid[0:1:4j, -1:1:120j, -1:1:150j].astype(np.float32)
    radius = np.hypot(x / 0.85, y / 0.7)
    share = np.where(radius > 0.85, 0.94, rng.uniform(0.06, 0.12)).astype(np.float32)
    share[np.hypot(x, y - 0.3) < 0.15] = 0.45
    inside = (radius < 1).astype(np.float32)
    water, fat = (1 - share) * inside, share * inside
    return dixon_images(Echoes(water, water, fat, fat), Receiver(500, noise, 0.1), rng)


ORDER = ("in_phase", "opposed_phase", "fat", "water")


@pytest.mark.parametrize("places", list(permutations(range(4))))
def test_assign_echoes__finds_them_in_any_order(places: tuple[int, ...]) -> None:
    """The signal alone says which image is which echo; fat and water are left open."""
    images = trunk(0)
    shuffled = [ORDER[place] for place in places]
    found = assign_echoes(np.stack([images[name] for name in shuffled]))
    assert found is not None
    assert (shuffled[found.in_phase], shuffled[found.opposed_phase]) == ("in_phase", "opposed_phase")
    assert {shuffled[place] for place in found.fat_and_water} == {"fat", "water"}


@pytest.mark.parametrize("replaced", ORDER)
def test_assign_echoes__says_nothing_of_mixed_images(replaced: str) -> None:
    """With an image of another place among them no assignment is right."""
    images = {**trunk(0), replaced: trunk(1)[replaced][:, ::-1, ::-1] // 3}
    assert assign_echoes(np.stack([images[name] for name in ORDER])) is None


def test_assign_echoes__says_nothing_of_what_obeys_both_ways() -> None:
    """Water alone: in phase, opposed and water are one image, and nobody can tell them apart."""
    water = np.full((2, 20, 20), 500, np.uint16)
    assert assign_echoes(np.stack([water, water, np.zeros_like(water), water])) is None
    assert assign_echoes(np.zeros((4, 2, 20, 20), np.uint16)) is None


@pytest.mark.parametrize("seed", range(5))
def test_residuals__lie_far_from_the_threshold(seed: int) -> None:
    """Right labels are far below it, each way to mistake an echo far above."""
    images = trunk(seed)
    assert physics_residual(**images).max() < VIOLATED / 2
    assert not is_violated(physics_residual(**images))
    for names in permutations(ORDER):
        wrong = {name: images[other] for name, other in zip(ORDER, names, strict=True)}
        assert is_violated(physics_residual(**wrong)) == (names[:2] != ORDER[:2])


@given(st.integers(0, 30))
@settings(max_examples=15)
def test_fat_of_pair__goes_by_the_shell(seed: int) -> None:
    """Whichever comes first."""
    images = trunk(seed)
    assert fat_of_pair(images["fat"], images["water"]) == 0
    assert fat_of_pair(images["water"], images["fat"]) == 1


def test_fat_of_pair__is_silent_where_the_shell_is() -> None:
    """Half a body exchanged, a body of one kind, no body, a body that fills the image: better nothing than a guess."""
    images = trunk(0)
    half = np.arange(150) < 75
    mixed = np.where(half, images["water"], images["fat"]), np.where(half, images["fat"], images["water"])
    assert fat_of_pair(*mixed) is None
    assert fat_of_pair(images["in_phase"], images["in_phase"] // 4) is None
    nothing = np.zeros((2, 50, 50), np.uint16)
    assert fat_of_pair(nothing, nothing) is None
    assert fat_of_pair(nothing + np.uint16(9), nothing + np.uint16(3)) is None


@pytest.mark.skipif(not REAL.is_dir(), reason="the real images lie beside the repository, not in it")
@pytest.mark.parametrize(("name", "coarser"), [("lumbar_dixon/TUM01_{}", 2), ("thigh_fat_fraction/{}", 3)])
def test_fat_of_pair__knows_fat_in_real_people(name: str, coarser: int) -> None:
    """A trunk and a thigh, made as coarse as the protocol's voxels; negative values are noise."""
    nibabel = pytest.importorskip("nibabel")
    fat, water = (
        np.moveaxis(np.asarray(nibabel.load(REAL / f"{name.format(kind)}.nii.gz").dataobj), 2, 0)
        for kind in ("fat", "water")
    )
    pair = [np.clip(image[:, ::coarser, ::coarser], 0, 65535).astype(np.uint16) for image in (fat, water)]
    assert fat_of_pair(*pair) == 0
    assert fat_of_pair(*pair[::-1]) == 1
