from __future__ import annotations

import numpy as np
import pytest

from bmx.acquisition import SLABS
from bmx.core.vertebral_bodies import vertebral_marrow
from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.bodies import draw_body, slab_affine
from bmx.simulation.marrow_masks import spine_mask
from bmx.simulation.painting.grid import Grid
from bmx.simulation.painting.spine import posterior_elements, vertebra_reach, vertebral_body
from bmx.simulation.people import draw_people, person_at
from bmx.types import Mask


def vertebrae(grid: Grid, anatomy: Anatomy) -> tuple[Mask, Mask]:
    """Bodies, and arches with their processes."""
    bodies, arches = np.zeros(grid.shape, np.bool_), np.zeros(grid.shape, np.bool_)
    for one in anatomy.spine.vertebrae:
        box = grid.around(one.centre, vertebra_reach(one))
        if box is not None:
            bodies |= grid.mask(box, grid.distance(box, vertebral_body, one))
        x, y, z = np.asarray(one.centre) + np.array((0, -one.radius_y - 24, -8)) @ one.axes
        box = grid.around((float(x), float(y), float(z)), (one.radius_x + 30, 38, 34))
        if box is not None:
            arches |= grid.mask(box, grid.distance(box, posterior_elements, one))
    return bodies, arches


@pytest.mark.parametrize("who", [0, 3])
def test_vertebral_marrow__finds_the_marrow_of_simulated_spines(who: int) -> None:
    """Against marrow known from the anatomy, from whole vertebrae and from bodies alone, and of the paper's volume."""
    anatomy = draw_body(person_at(draw_people(who + 1, 3), who), 3)
    slab, affine = SLABS[2], slab_affine(2)
    grid = Grid((slab.slices, slab.rows, slab.columns), affine)
    truth = spine_mask(grid, anatomy)
    bodies, arches = vertebrae(grid, anatomy)
    for found in (
        vertebral_marrow(bodies | arches, affine),
        vertebral_marrow(bodies, affine, arches=False),
    ):
        assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.87
        assert found.sum() == pytest.approx(truth.sum(), rel=0.15)
        assert (found & arches & ~bodies).sum() < 0.05 * found.sum()


def test_vertebral_marrow__an_empty_mask_has_none() -> None:
    assert not vertebral_marrow(np.zeros((5, 5, 5), np.bool_), np.eye(3, 4)).any()


def test_vertebral_marrow__says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="give one participant at a time"):
        vertebral_marrow(np.zeros((1, 5, 5, 5), np.bool_), np.eye(3, 4))
    with pytest.raises(ValueError, match=r"finite, found .* without one"):
        vertebral_marrow(np.zeros((5, 5, 5), np.bool_), np.full((3, 4), np.nan))
