from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bmx.plot.scatter import draw_agreement


def agreement(true: list[float], measured: list[float], usable: list[bool], mark: int | None = None) -> Axes:
    axes = Figure().add_subplot()
    draw_agreement(axes, np.array(true), np.array(measured), usable=np.array(usable), colour="red", mark=mark)
    return axes


def points(axes: Axes) -> list[int]:
    return [len(collection.get_offsets()) for collection in axes.collections]


def test_draw_agreement__counts_only_what_can_be_used() -> None:
    axes = agreement([40, 50, 60, np.nan, 70], [41, 49, 80, 50, np.nan], [True, True, False, True, True])
    assert points(axes) == [2, 1]
    assert axes.texts[0].get_text() == "n = 2\nmean absolute error 1.0\nbias +0.0 points"
    rounded = agreement([40, 50], [41, 48.96], [True, True])
    assert rounded.texts[0].get_text().endswith("bias +0.0 points")  # not -0.0


def test_draw_agreement__has_equal_axes_around_all_points() -> None:
    axes = agreement([40, 50, 60], [41, 49, 88], [True, True, False])
    assert axes.get_xlim() == axes.get_ylim() == (30, 90)
    assert axes.get_aspect() == 1


def test_draw_agreement__rings_one_participant() -> None:
    assert points(agreement([40, 50], [41, 49], [True, True], mark=1)) == [2, 0, 1]
    assert points(agreement([40, 50], [41, np.nan], [True, True], mark=1)) == [1, 0]


def test_draw_agreement__of_nothing_says_so() -> None:
    assert agreement([np.nan], [np.nan], [True]).texts[0].get_text() == "n = 0"
