from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from bmx.acquisition import SLABS
from bmx.core.vertebrae import describe_vertebrae, split_vertebrae
from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.bodies import draw_body, simulate_participant, slab_affine
from bmx.simulation.faults.bodies import severe_scoliosis, vertebral_fracture
from bmx.simulation.labels import LABELS
from bmx.simulation.marrow_masks import known_structures, spine_mask
from bmx.simulation.painting.grid import Grid
from bmx.simulation.people import draw_people, person_at
from bmx.types import Affine, Mask

TRUNK = Grid((56, 80, 100), np.array([[-2.2, 0, 0, 110], [0, -2.2, 0, 70], [0, 0, 4.5, -20]]))
"""From the sacrum to the lower thorax."""
FACES = ndimage.generate_binary_structure(3, 1)
BODIES: dict[str, tuple[int, Callable[..., Any] | None]] = {
    "healthy": (0, None), "scoliosis": (1, severe_scoliosis), "fracture": (2, vertebral_fracture),
    "large": (3, None),
}  # fmt: skip


def body(name: str) -> Anatomy:
    who, fault = BODIES[name]
    anatomy = draw_body(person_at(draw_people(who + 1, 3), who), 3)
    return anatomy if fault is None else fault(anatomy, np.random.default_rng(who))[0]


def slab_of(anatomy: Anatomy, number: int = 2) -> tuple[Grid, Affine]:
    """The slab as the exam places it: by the collar bones, so that it lies elsewhere in people of other height."""
    slab, affine = SLABS[number], slab_affine(number)
    affine[2, 3] -= 490 * (1 - anatomy.size)
    return Grid((slab.slices, slab.rows, slab.columns), affine), affine


def until_one_part(mask: Mask) -> Mask:
    while ndimage.label(mask)[1] > 1:
        mask = ndimage.binary_dilation(mask, FACES)
    return mask


def assert_in_the_right_vertebra(found: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8], mask: Mask) -> None:
    """The same number of vertebrae as the truth, in its order, with >= 99 % of their voxels."""
    truth = np.where((labels > 0) & (labels < LABELS["sacrum"]) & mask, labels, 0)
    levels = np.unique(truth[truth > 0])  # T1 has the lowest number: from Superior
    assert found.max() == len(levels)
    numbered = np.searchsorted(levels, truth) + 1
    assert (found == numbered)[truth > 0].mean() >= 0.99
    np.testing.assert_array_equal(found > 0, mask)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("slab", [2, 3])
def test_split_vertebrae__finds_whole_bodies_and_their_marrow(name: str, slab: int) -> None:
    """The two kinds of masks there are: of other people's models, and the paper's."""
    anatomy = body(name)
    grid, affine = slab_of(anatomy, slab)
    labels, _ = known_structures(grid, anatomy)
    bones = (labels > 0) & (labels < LABELS["sacrum"])
    assert_in_the_right_vertebra(split_vertebrae(bones, affine), labels, bones)
    marrow = spine_mask(grid, anatomy)
    assert_in_the_right_vertebra(split_vertebrae(marrow, affine), labels, marrow)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("part", ["marrow", "bones"])
def test_split_vertebrae__separates_what_a_bad_segmentation_has_joined(name: str, part: str) -> None:
    """Grown until all hang together: at slices of 4.5 mm, thoracic discs are then filled from rim to rim."""
    anatomy = body(name)
    grid, affine = slab_of(anatomy)
    labels, _ = known_structures(grid, anatomy)
    grown = until_one_part(spine_mask(grid, anatomy) if part == "marrow" else (labels > 0) & (labels < 18))
    assert_in_the_right_vertebra(split_vertebrae(grown, affine), labels, grown)


def test_split_vertebrae__finds_the_vertebrae_of_a_whole_exam() -> None:
    """Truth and geometry as the simulated exam hands them out, not as this file makes them."""
    slab = simulate_participant(person_at(draw_people(1, 5), 0), (2,), 5)[2]
    labels = split_vertebrae(slab.masks["spine"], slab.affine)
    assert_in_the_right_vertebra(labels, slab.labels, slab.masks["spine"])


def boxes(*ranges: tuple[int, int], shape: tuple[int, int, int] = (90, 30, 36)) -> Mask:
    mask = np.zeros(shape, np.bool_)
    for low, high in ranges:
        mask[low:high, 4:26, 4:32] = True
    return mask


def test_split_vertebrae__keeps_a_flat_one() -> None:
    """A crushed vertebra of 6 mm between others of 20 must neither vanish nor be joined to its neighbour."""
    mask = boxes((2, 22), (27, 33), (38, 58), (63, 83))
    labels = split_vertebrae(mask, np.eye(3, 4))
    assert labels[[10, 30, 45, 70], 15, 15].tolist() == [4, 3, 2, 1]


def test_split_vertebrae__one_vertebra_is_one() -> None:
    """No gap, no border: nothing is divided for the sake of dividing."""
    assert split_vertebrae(boxes((10, 36)), np.eye(3, 4)).max() == 1


def test_split_vertebrae__follows_the_affine_not_the_array() -> None:
    """Superior is where the affine says: arrays upside down, or lying askew in the room, give the same."""
    anatomy = body("scoliosis")
    grid, affine = slab_of(anatomy)
    mask = spine_mask(grid, anatomy)
    labels = split_vertebrae(mask, affine)
    upside_down = affine.copy()
    upside_down[:, 3] += (len(mask) - 1) * affine[:, 2]
    upside_down[:, 2] *= -1
    np.testing.assert_array_equal(split_vertebrae(mask[::-1], upside_down)[::-1], labels)
    turned = np.deg2rad(20)
    oblique = np.array([[np.cos(turned), 0, np.sin(turned)], [0, 1, 0], [-np.sin(turned), 0, np.cos(turned)]]) @ affine
    assert (split_vertebrae(mask, oblique) == labels)[mask].mean() > 0.99


def test_split_vertebrae__an_empty_mask_has_none() -> None:
    """A participant without a spine mask is data, not an error."""
    labels = split_vertebrae(np.zeros((5, 4, 3), np.bool_), np.eye(3, 4))
    assert labels.shape == (5, 4, 3)
    assert not labels.any()
    assert describe_vertebrae(labels, np.eye(3, 4)) == ()


def test_split_vertebrae__a_single_voxel_is_a_vertebra() -> None:
    """The smallest mask has a line through it, too."""
    mask = np.zeros((5, 5, 5), np.bool_)
    mask[2, 2, 2] = True
    assert split_vertebrae(mask, np.eye(3, 4))[2, 2, 2] == 1


@pytest.mark.parametrize(
    ("mask", "affine", "message"),
    [
        (np.zeros((2, 5, 4, 3), np.bool_), np.eye(3, 4), r"found shape \(2, 5, 4, 3\); give one participant"),
        (np.zeros((5, 4, 3), np.bool_), np.full((3, 4), np.nan), "finite, found .* without one"),
    ],
)
def test_split_vertebrae__says_what_is_wrong(mask: Mask, affine: Affine, message: str) -> None:
    """An absent slab has an affine of NaN; numbers made of it would look like results."""
    with pytest.raises(ValueError, match=message):
        split_vertebrae(mask, affine)


def test_describe_vertebrae__counts_up_from_the_sacrum() -> None:
    """L5 lies on it; the truth knows each vertebra by name."""
    anatomy = body("healthy")
    truth, _ = known_structures(TRUNK, anatomy)
    affine = np.array([[-2.2, 0, 0, 110], [0, -2.2, 0, 70], [0, 0, 4.5, -20]])
    bones = (truth > 0) & (truth < LABELS["sacrum"])
    labels = split_vertebrae(bones, affine)
    facts = describe_vertebrae(labels, affine, sacrum=truth == LABELS["sacrum"])
    names = {number: name for name, number in LABELS.items()}
    assert [one.level for one in facts] == [names[number] for number in np.unique(truth[bones])]
    assert facts[-1].level == "L5"
    places = {vertebra.name: vertebra.centre for vertebra in anatomy.spine.vertebrae}
    for one in facts[1:]:  # the highest is cut
        assert np.linalg.norm(one.centroid - places[one.level or ""]) < 2.5
    assert [one.touches_edge for one in facts] == [True] + [False] * (len(facts) - 1)
    assert sum(one.volume for one in facts) == pytest.approx(bones.sum() * 2.2 * 2.2 * 4.5 / 1000)


def test_describe_vertebrae__names_none_without_an_anchor() -> None:
    """A wrong name is worse than a number: no sacrum, an empty one, one too far below, or one above."""
    labels = split_vertebrae(boxes((40, 60), (65, 85)), np.eye(3, 4))
    below, near, above = (boxes(part) for part in ((0, 8), (20, 30), (88, 90)))
    for sacrum in (None, np.zeros_like(below), below, above):
        assert [one.level for one in describe_vertebrae(labels, np.eye(3, 4), sacrum=sacrum)] == [None, None]
    assert [one.level for one in describe_vertebrae(labels, np.eye(3, 4), sacrum=near)] == ["L4", "L5"]


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (None, ["T11", "T12", "L1", "L2", "L3", "L4", "L5"]),
        (1, [None, "L1", "L2", "L3", "L4", "L5"]),
        (3, [None, None, None, "L3", "L4", "L5"]),
        (5, [None, None, None, None, None, "L5"]),
        (6, [None] * 6),
    ],
)
def test_describe_vertebrae__names_none_above_a_missing_one(missing: int | None, expected: list[str | None]) -> None:
    """Counted through, they would all be called one too low."""
    lows = [10 + 25 * place for place in range(7)][::-1]
    parts = [(low, low + 20) for place, low in enumerate(lows) if place != missing]
    labels = split_vertebrae(boxes(*parts, shape=(190, 30, 36)), np.eye(3, 4))
    found = describe_vertebrae(labels, np.eye(3, 4), sacrum=boxes((0, 6), shape=(190, 30, 36)))
    assert [one.level for one in found] == expected


@pytest.mark.parametrize("name", ["scoliosis", "fracture", "large"])
def test_describe_vertebrae__a_curve_or_a_fracture_is_no_gap(name: str) -> None:
    """From the sacrum to the lower thorax, whatever happened to the column."""
    truth, _ = known_structures(TRUNK, body(name))
    affine = np.array([[-2.2, 0, 0, 110], [0, -2.2, 0, 70], [0, 0, 4.5, -20]])
    levels = np.unique(truth[(truth > 0) & (truth < LABELS["sacrum"])])
    labels = np.where(truth < LABELS["sacrum"], np.searchsorted(levels, truth) + 1, 0).astype(np.uint8)
    labels[truth == 0] = 0
    names = {number: name for name, number in LABELS.items()}
    found = describe_vertebrae(labels, affine, sacrum=truth == LABELS["sacrum"])
    assert [one.level for one in found] == [names[number] for number in levels]


def test_describe_vertebrae__names_a_crushed_one_and_those_above() -> None:
    """Its centre lies nearer to both neighbours, and the next gap looks wide beside that."""
    labels = split_vertebrae(
        boxes((12, 32), (37, 57), (62, 68), (73, 93), (98, 118), shape=(130, 30, 36)), np.eye(3, 4)
    )
    sacrum = boxes((0, 8), shape=(130, 30, 36))
    found = describe_vertebrae(labels, np.eye(3, 4), sacrum=sacrum)
    assert [one.level for one in found] == ["L1", "L2", "L3", "L4", "L5"]


def test_describe_vertebrae__knows_where_acquisition_ended() -> None:
    """The store's z axis has a margin of fill: the edge is the last slice that was acquired."""
    labels = split_vertebrae(boxes((5, 25), (30, 50)), np.eye(3, 4))
    assert [one.touches_edge for one in describe_vertebrae(labels, np.eye(3, 4), native_slices=50)] == [True, False]
    assert [one.touches_edge for one in describe_vertebrae(labels, np.eye(3, 4))] == [False, False]


def test_describe_vertebrae__refuses_a_sacrum_on_another_grid() -> None:
    """Of another slab, for example."""
    with pytest.raises(ValueError, match=r"expected shape \(3, 3, 3\), found \(4, 3, 3\)"):
        describe_vertebrae(np.ones((3, 3, 3), np.uint8), np.eye(3, 4), sacrum=np.ones((4, 3, 3), np.bool_))
