from __future__ import annotations

import numpy as np

from bmx.simulation.painting.bellies import Frame, Row, packed

X = np.linspace(-60, 60, 121, dtype=np.float32)[None, None, :]
Y = np.linspace(-40, 40, 81, dtype=np.float32)[None, :, None]
Z = np.linspace(-100, 100, 41, dtype=np.float32)[:, None, None]
ONE = np.ones_like(Z)
FRAME = Frame(0 * ONE, 0 * ONE, ONE, ONE, 1.0)


def belly(out: float, low: float = -200, high: float = 200) -> list[Row]:
    return [(low, out, 0, 18, 18, 0), ((low + high) / 2, out, 0, 18, 18, 0), (high, out, 0, 18, 18, 0)]


def pack(*bellies: list[Row], gap_mm: float = 2.0, frame: Frame = FRAME) -> np.ndarray:
    flat = np.zeros((41, 81, 121), np.float32)
    return packed(X, Y, Z, bellies, frame, gap_mm=gap_mm, bulge_mm=4, wobble=flat)


def test_packed__a_lone_belly_is_an_ellipse_and_its_bulge() -> None:
    """Oracle: a circle of 18 mm that swells by 4 mm."""
    circle = np.hypot(X, Y) - 22
    np.testing.assert_allclose(pack(belly(0))[20], circle[0], atol=1e-3)


def test_packed__two_bellies_that_press_on_each_other_keep_their_gap() -> None:
    """Between them lies fat of the width asked for; without a gap there is none."""
    line = pack(belly(-15), belly(15), gap_mm=4.0)[20, 40]
    between = np.abs(X[0, 0]) < 12
    assert (line[between] > 0).sum() == 3  # points 1 mm apart, strictly inside 4 mm
    assert not (pack(belly(-15), belly(15), gap_mm=0.0)[20, 40, between] > 0).any()


def test_packed__a_belly_thins_out_towards_its_ends_and_ends() -> None:
    """No belly is cut off: its section shrinks to nothing."""
    rows: list[Row] = [(-60, 0, 0, 2, 2, 0), (0, 0, 0, 18, 18, 0), (60, 0, 0, 2, 2, 0)]
    area = (pack(rows) < 0).sum(axis=(1, 2))
    assert area[20] == area.max()
    assert np.all(np.diff(area[:21].astype(int)) >= 0)
    assert area[np.abs(Z.ravel()) > 56].max() < 0.03 * area.max()


def test_packed__the_left_is_the_mirror_of_the_right() -> None:
    """Oracle: `wide` carries the sign of the side."""
    mirrored = Frame(FRAME.x, FRAME.y, -FRAME.wide, FRAME.deep, 1.0)
    rows: list[Row] = [(-200, 9, 3, 20, 10, 30), (200, 12, 3, 20, 10, 30)]
    np.testing.assert_allclose(pack(rows), pack(rows, frame=mirrored)[:, :, ::-1], atol=1e-4)
