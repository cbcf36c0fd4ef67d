from __future__ import annotations

import numpy as np
import pytest

from bmx.simulation.painting.textures import Texture


def line(low: float, high: float, count: int) -> np.ndarray:
    return np.linspace(low, high, count, dtype=np.float32)


def test_at__belongs_to_the_body_not_to_the_grid() -> None:
    """Two grids that share a point see the same value there: neighbouring slabs agree."""
    texture = Texture.draw(np.random.default_rng(0), 20)
    coarse = texture.at(line(-200, 200, 21), line(-100, 100, 11), line(0, 200, 11))
    fine = texture.at(line(-200, 200, 41), line(-100, 100, 21), line(100, 200, 11))
    np.testing.assert_allclose(fine[::2, ::2, ::2], coarse[5:], atol=1e-5)


def test_at__has_mean_zero_and_unit_spread() -> None:
    """So that `marbling` is what its docstring says."""
    texture = Texture.draw(np.random.default_rng(1), 15)
    values = texture.at(line(-240, 240, 97), line(-180, 180, 73), line(-500, 500, 201))
    assert values.mean() == pytest.approx(0, abs=0.05)
    assert values.std() == pytest.approx(1, abs=0.05)


def test_at__varies_over_the_grain_that_was_asked_for() -> None:
    """Points much nearer than the grain are alike, points much farther are not."""
    texture = Texture.draw(np.random.default_rng(2), (30, 30, 30))
    values = texture.at(line(-200, 200, 401), line(-150, 150, 30), line(-400, 400, 60))
    near, far = (np.corrcoef(values[:, :, :-step].ravel(), values[:, :, step:].ravel())[0, 1] for step in (3, 120))
    assert near > 0.95
    assert abs(far) < 0.15


def test_at__goes_on_beyond_its_block() -> None:
    """A hand outside the block is no error."""
    texture = Texture.draw(np.random.default_rng(3), 40)
    assert np.isfinite(texture.at(line(-400, 400, 5), line(-300, 300, 5), line(-900, 900, 5))).all()
