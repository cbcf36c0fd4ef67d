from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from bmx.core.dixon_signal import Echoes, two_point_fat_percent
from bmx.simulation.anatomy.body import Anatomy, draw_anatomy
from bmx.simulation.bodies import paint_body
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.skin import outlines
from bmx.simulation.painting.tissues import DixonPalette
from bmx.simulation.people import draw_people, person_at


def body(**changes: Any) -> Anatomy:
    return draw_anatomy(person_at(draw_people(1, 2), 0) | changes, np.random.default_rng(0))


def painted(anatomy: Anatomy, low: float, high: float, *, breath_mm: float = 0.0) -> Canvas:
    """The body between two heights, on coarse voxels."""
    slices = round((high - low) / 6)
    affine = np.array([[-4.0, 0, 0, 248], [0, -4.0, 0, 170], [0, 0, 6.0, low + 3]])
    canvas = Canvas((slices, 86, 125), affine, DixonPalette())
    paint_body(canvas, anatomy, breath_mm)
    return canvas


def fat_percent(canvas: Canvas) -> np.ndarray:
    return two_point_fat_percent(Echoes(*canvas.finish()))


def shell_mm(anatomy: Anatomy, z: float) -> float:
    """Mean thickness of the subcutaneous fat at a height."""
    canvas = Canvas((1, 86, 125), np.array([[-4.0, 0, 0, 248], [0, -4.0, 0, 170], [0, 0, 6.0, z]]), DixonPalette())
    lines = outlines(canvas, anatomy)
    return float((lines.fascia - lines.skin)[(lines.skin > -4) & (lines.skin < 0)].mean())


def test_paint_body__a_thigh_is_fat_around_muscle_around_bone() -> None:
    """Subcutaneous fat shows more than 85 %, most of the muscle less than 20 %, the marrow of the shaft much fat."""
    anatomy = body(bmff_femoral_diaphysis=85.0)
    canvas = painted(anatomy, -230, -170)
    percent = fat_percent(canvas)
    lines = outlines(canvas, anatomy)
    skin, fascia = (one.reshape(10, 2, 86, 125).mean(axis=1) for one in lines)
    assert np.nanmedian(percent[(skin < -4) & (fascia > 2)]) > 80
    assert np.nanmedian(percent[fascia < -6]) < 20
    x, y, z = np.meshgrid(canvas.x, canvas.y, canvas.z[::2] + 1.5, indexing="ij")
    femur = anatomy.femora[0]
    along = (femur.neck_end[2] - femur.isthmus_z) / (femur.neck_end[2] - femur.knee[2])
    centre = np.array(femur.neck_end) + along * np.subtract(femur.knee, femur.neck_end)
    near = np.hypot(x - centre[0], y - centre[1] - femur.bow * np.sin(np.pi * along)) < 4
    inside = (near & (np.abs(z - femur.isthmus_z) < 15)).transpose(2, 1, 0)
    assert np.nanmax(percent[inside]) > 70


def test_paint_body__nothing_lies_outside_the_skin_but_the_arms() -> None:
    """Two legs below, and nothing in the air around them."""
    anatomy = body()
    canvas = painted(anatomy, -330, -270)
    lines = outlines(canvas, anatomy)
    assert not canvas.painted[:, lines.skin > 4].any()
    assert ndimage.label((lines.skin < 0)[10])[1] == 2


@pytest.mark.parametrize("split", [250.0, 60.0, -100.0])
def test_paint_body__two_slabs_show_one_body(split: float) -> None:
    """Painted apart, the overlap of two slabs is the same to the last point: nothing is drawn while painting."""
    anatomy = body()
    above, below = painted(anatomy, split - 24, split + 60), painted(anatomy, split - 60, split + 24)
    np.testing.assert_allclose(above.painted[:, :16], below.painted[:, -16:], atol=2e-4)


def test_paint_body__breath_moves_the_liver_but_not_the_spine() -> None:
    """The diaphragm rises; bones stay where they are."""
    anatomy = body()
    rest, moved = painted(anatomy, 280, 400), painted(anatomy, 280, 400, breath_mm=12)
    changed = np.abs(rest.painted - moved.painted).max(axis=0) > 0.05
    x = np.abs(rest.x)
    spine = changed[:, (rest.y > -60) & (rest.y < -50)][:, :, x < 6]
    assert changed.mean() > 0.01
    assert spine.mean() < 0.05


@pytest.mark.parametrize("sex", ["Male", "Female"])
def test_draw_build__who_weighs_more_has_more_fat_under_the_skin(sex: str) -> None:
    """Lean to obese; women carry more of it on the hip."""
    shells = [shell_mm(body(sex=sex, bmi=bmi, vat_mass=vat), 150) for bmi, vat in ((17, 0.2), (22.5, 0.8), (35, 3))]
    assert shells[0] < shells[1] < shells[2]
    assert shells[2] > 2 * shells[0]


def test_draw_build__left_and_right_differ_and_so_do_people() -> None:
    """Nobody is symmetric, and no two are alike."""
    build = body().build
    assert not np.array_equal(build.leg_skin[0].left, build.leg_skin[1].right)
    assert build.arms[0].elbow[0] != -build.arms[1].elbow[0]
    other = draw_anatomy(person_at(draw_people(1, 2), 0), np.random.default_rng(1)).build
    assert other.organs.liver != build.organs.liver


@pytest.mark.parametrize(("height", "bmi"), [(145.0, 16.5), (203.0, 18.0), (150.0, 45.0)])
def test_paint_body__copes_with_unusual_bodies(height: float, bmi: float) -> None:
    """Very short, very tall, very lean, very obese: every height can be painted, and signals stay finite."""
    canvas = painted(body(height=height, bmi=bmi), -560, 556)
    assert np.isfinite(canvas.painted).all()
    assert canvas.painted.min() >= 0
    assert (canvas.painted[1] + canvas.painted[3] > 0.1).any(axis=(1, 2)).all()
