from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure

from bmx.plot.overlays import View, draw_overlay
from bmx.types import Affine, Mask

AFFINE = np.array([[-2.0, 0, 0, 40], [0, -2.0, 0, 30], [0, 0, 5.0, -100]])
SHAPE = (12, 30, 40)
CORONAL, AXIAL = View("coronal", 1000, 1000, scale_bar=20), View("axial", 1000, 1000, scale_bar=20)


def overlay(mask: Mask, view: View, affine: Affine = AFFINE) -> Axes:
    axes = Figure().add_subplot()
    draw_overlay(axes, np.ones(SHAPE, np.float32), mask, affine, view=view, colour="red")
    return axes


def box(z: slice, y: slice, x: slice) -> Mask:
    mask = np.zeros(SHAPE, np.bool_)
    mask[z, y, x] = True
    return mask


def centre_of_outline(axes: Axes) -> tuple[float, float]:
    """Where the mask lies in the panel: 0, 0 is its lower left, 1, 1 its upper right corner."""
    (outline,) = (c for c in axes.collections if isinstance(c, QuadContourSet) and not c.filled)
    points = np.concatenate([path.vertices for path in outline.get_paths()])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    x, y = axes.transAxes.inverted().transform(axes.transData.transform(middle))
    return float(x), float(y)


def test_draw_overlay__shows_the_patients_left_on_the_right() -> None:
    # x counts towards Left: a high index is the patient's left, and radiologists expect it at the right.
    left = box(slice(2, 4), slice(10, 14), slice(30, 36))
    for view in (AXIAL, CORONAL):
        assert centre_of_outline(overlay(left, view))[0] == pytest.approx(33 / 40, abs=0.02)


def test_draw_overlay__shows_superior_and_anterior_at_the_top() -> None:
    mask = box(slice(9, 11), slice(2, 6), slice(10, 14))
    assert centre_of_outline(overlay(mask, CORONAL))[1] == pytest.approx(10 / 12, abs=0.02)
    assert centre_of_outline(overlay(mask, AXIAL))[1] == pytest.approx(1 - 4 / 30, abs=0.02)


@pytest.mark.parametrize(("view", "expected"), [(CORONAL, ["R", "L", "S", "I"]), (AXIAL, ["R", "L", "A", "P"])])
def test_draw_overlay__names_the_sides_of_the_body(view: View, expected: list[str]) -> None:
    texts = [text.get_text() for text in overlay(box(slice(2, 4), slice(3, 9), slice(3, 9)), view).texts]
    assert texts == [*expected, "20 mm"]


def test_draw_overlay__has_the_aspect_of_the_body() -> None:
    axes = overlay(box(slice(2, 4), slice(3, 9), slice(3, 9)), CORONAL)
    assert axes.get_aspect() == 1
    assert axes.images[0].get_extent() == [0, 40 * 2, 0, 12 * 5]
    bar = next(line for line in axes.lines if len(line.get_xdata()) == 2)
    assert np.ptp(bar.get_xdata()) == 20


def test_draw_overlay__cuts_where_most_of_the_mask_is() -> None:
    mask = box(slice(2, 3), slice(3, 5), slice(3, 5)) | box(slice(7, 8), slice(12, 20), slice(12, 20))
    axes = Figure().add_subplot()
    image = np.broadcast_to(np.arange(12.0)[:, None, None], SHAPE)
    draw_overlay(axes, image, mask, AFFINE, view=AXIAL, colour="red")
    assert (axes.images[0].get_array() == 7).all()


def test_draw_overlay__of_an_empty_mask_shows_the_image_alone() -> None:
    axes = overlay(np.zeros(SHAPE, np.bool_), View("axial", 30, 20, scale_bar=10))
    assert len(axes.images) == 1
    assert not [c for c in axes.collections if isinstance(c, QuadMesh | QuadContourSet)]
    assert axes.get_xlim() == (25, 55)
