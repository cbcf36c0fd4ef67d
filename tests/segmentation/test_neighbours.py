from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.core.overlap import dice
from bmx.core.stitch import GHOST_SLICES, SlabPair
from bmx.models.base import Drawing, Side
from bmx.segmentation.neighbours import look_around
from bmx.types import Affine, IntVolume

SHAPE = (24, 16, 16)
MM = {3: 4.5, 4: 4.5, 5: 3.5}
"""Slices of the slabs; 4 lies from z = 0 upwards, 3 above it and 5 below, with 30 mm in common."""
TOP = {3: 186.0, 4: 108.0, 5: 30.0}


@dataclass
class BallModel:
    """Draws whatever is bright, and is sure of what lies in the middle of its window, as a network is."""

    region: str = "femoral_head"
    digest: str = "ball"
    simulated: bool = True
    sure: float = 0.9
    seen: list[int] = field(default_factory=list)
    """Lengths of the windows that it was shown."""

    def draw(self, fat: IntVolume, water: IntVolume, affine: Affine, *, side: Side = "left") -> Drawing:
        mask = (fat > 500).astype(np.uint8)
        self.seen.append(len(fat))
        filled = np.flatnonzero(mask.any(axis=(1, 2)))
        if not filled.size:
            return Drawing(mask, 0.0)
        off = abs(filled.mean() - (len(fat) - 1) / 2) / len(fat)
        return Drawing(mask, 0.95 if off < 0.3 else 0.5)


def exam(height: float, radius: float = 20.0, numbers: tuple[int, ...] = (3, 4, 5)) -> dict[int, SlabPair]:
    """Three slabs of a body with one bright ball whose middle lies at this world z (mm)."""
    slabs = {}
    for number in numbers:
        z = TOP[number] - (SHAPE[0] - 0.5 - np.arange(SHAPE[0])) * MM[number]
        y = x = (np.arange(16) - 7.5) * 4.0
        away = np.sqrt((z[:, None, None] - height) ** 2 + y[:, None] ** 2 + x**2)
        fat = np.where(away < radius, 900, 100).astype(np.uint16)
        affine = np.array([[-4.0, 0, 0, 30], [0, -4, 0, 30], [0, 0, MM[number], z[0]]])
        slabs[number] = SlabPair(fat, np.full(SHAPE, 100, np.uint16), affine)
    return slabs


def look(height: float, model: BallModel | None = None, **options: object) -> tuple[int, float, dict[int, SlabPair]]:
    """The slab in which the ball is found, and the Dice of its mask there."""
    slabs, model = exam(height, **options), model or BallModel()  # type: ignore[arg-type]
    found = look_around(model, slabs, 4, model.draw(*slabs[4]))
    return found.slab, dice(found.drawing.mask, slabs[found.slab].fat > 500), slabs


def test_look_around__leaves_alone_what_lies_where_it_belongs() -> None:
    """Nearly everybody: nothing more is drawn, and the very same drawing comes back."""
    slabs, model = exam(54.0), BallModel()
    first = model.draw(*slabs[4])
    found = look_around(model, slabs, 4, first)
    assert found.slab == 4
    assert found.drawing is first
    assert model.seen == [24]


@pytest.mark.parametrize(("height", "expected"), [(150.0, 3), (-20.0, 5)])
def test_look_around__finds_what_lies_beside_its_slab(height: float, expected: int) -> None:
    slab, agreement, _ = look(height)
    assert slab == expected
    assert agreement > 0.93


@pytest.mark.parametrize(("height", "expected"), [(98.0, 3), (92.0, 4), (7.0, 5), (18.0, 4)])
def test_look_around__takes_the_slab_that_holds_most_of_it(height: float, expected: int) -> None:
    """Slices that can be folded over count half: at 18 mm the ball lies whole in slab 4, and in slab 5 it is cut."""
    slab, agreement, _ = look(height)
    assert slab == expected
    assert agreement > 0.9


def test_look_around__windows_are_as_long_as_the_slab() -> None:
    model = BallModel()
    look(150.0, model)
    assert set(model.seen) == {24}
    assert len(model.seen) <= 1 + 6


def test_look_around__without_neighbours_keeps_what_it_has() -> None:
    model = BallModel()
    slab, _, _ = look(100.0, model, numbers=(4,))
    assert slab == 4
    assert len(model.seen) == 1


def test_look_around__of_a_body_without_the_region_finds_nothing() -> None:
    slabs, model = exam(54.0, radius=0), BallModel()
    found = look_around(model, slabs, 4, model.draw(*slabs[4]))
    assert found.slab == 4
    assert not found.drawing.mask.any()


def test_look_around__doesn_t_doubt_a_model_that_can_t_say() -> None:
    """Labels and functions of others have no confidence: what lies inside its slab is taken as drawn."""
    slabs, model = exam(54.0), BallModel(sure=float("nan"))
    first = model.draw(*slabs[4])._replace(confidence=float("nan"))
    assert look_around(model, slabs, 4, first).drawing is first


class SilentModel(BallModel):
    """Draws the same, and can't say how sure it is: labels and functions of others."""

    def __init__(self) -> None:
        super().__init__(sure=float("nan"))

    def draw(self, fat: IntVolume, water: IntVolume, affine: Affine, *, side: Side = "left") -> Drawing:
        return super().draw(fat, water, affine, side=side)._replace(confidence=float("nan"))


@pytest.mark.parametrize(("height", "expected"), [(150.0, 3), (98.0, 3), (7.0, 5), (-12.0, 5)])
def test_look_around__finds_what_a_model_that_can_t_say_draws_whole(height: float, expected: int) -> None:
    """Beside its slab it is found at the first window that shows it away from the ends."""
    model = SilentModel()
    slab, agreement, _ = look(height, model)
    assert slab == expected
    assert agreement > 0.9
    assert len(model.seen) < 1 + 6, "it went on though it had found it"


def test_look_around__of_a_model_that_can_t_say_takes_nothing_that_may_be_cut() -> None:
    """A ball that reaches from end to end of every window: what was drawn first is kept, or nothing."""
    slabs, model = exam(54.0, radius=200.0), SilentModel()
    first = model.draw(*slabs[4])
    assert look_around(model, slabs, 4, first).drawing is first
    empty, model = exam(54.0, radius=0), SilentModel()
    found = look_around(model, empty, 4, model.draw(*empty[4]))
    assert (found.slab, found.drawing.mask.any()) == (4, False)


@settings(max_examples=25)
@given(height=st.floats(-30, 165))
def test_look_around__finds_it_anywhere(height: float) -> None:
    """Property: wherever the ball lies, it is drawn whole if any slab holds it whole, clear of its folded ends."""
    slab, agreement, slabs = look(height)
    z = slabs[slab].affine[2, 3] + MM[slab] * np.arange(SHAPE[0])
    drawn = np.abs(z - height) < 20
    clear = [
        number for number in MM
        if height - 20 > (TOP[number] - (24 - GHOST_SLICES) * MM[number])
        and height + 20 < TOP[number] - GHOST_SLICES * MM[number]
    ]  # fmt: skip
    if clear:
        assert drawn.sum() * MM[slab] > 40 - 2 * MM[slab]
        assert agreement > 0.9
