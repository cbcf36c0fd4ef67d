from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.core.swap_cut import cut, link

SHAPE = (2, 2, 3)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000))
def test_cut__is_the_best_of_all_labellings(seed: int) -> None:
    """Property: exact, against all 4,096 labellings of twelve voxels, some of which are outside."""
    rng = np.random.default_rng(seed)
    evidence = rng.normal(size=SHAPE).astype(np.float32)
    inside = rng.random(SHAPE) < 0.85
    shapes = [tuple(length - (axis == other) for other, length in enumerate(SHAPE)) for axis in range(3)]
    links = tuple(rng.random(shape).astype(np.float32) for shape in shapes)

    def worth(labels: np.ndarray) -> float:
        total = float(evidence[inside & labels].sum())
        for axis, price in enumerate(links):
            one, other = (np.take(labels, range(*ends), axis) for ends in ((0, SHAPE[axis] - 1), (1, SHAPE[axis])))
            both = np.logical_and(*(np.take(inside, range(*ends), axis)
                                    for ends in ((0, SHAPE[axis] - 1), (1, SHAPE[axis]))))  # fmt: skip
            total -= float(price[both & (one != other)].sum())
        return total

    best = max(worth(np.array(flat, bool).reshape(SHAPE) & inside) for flat in product((0, 1), repeat=12))
    found = cut(evidence, inside, links)  # type: ignore[arg-type]
    assert not (found & ~inside).any()
    assert worth(found) >= best - 0.02  # prices are rounded to thousandths


@given(seed=st.integers(0, 1000))
def test_link__doesn_t_change_when_all_is_exchanged(seed: int) -> None:
    """Property: a border's price must not depend on which side of it is right."""
    rng = np.random.default_rng(seed)
    contrast, brightness = rng.uniform(-1, 1, (2, 4, 5, 6)).astype(np.float32)
    inside = rng.random((4, 5, 6)) < 0.8
    for axis in range(3):
        np.testing.assert_allclose(link(contrast, brightness, inside, axis), link(-contrast, brightness, inside, axis))


def test_cut__leaves_everything_alone_without_evidence() -> None:
    nothing = np.zeros(SHAPE, np.float32)
    links = tuple(np.ones(shape, np.float32) for shape in ((1, 2, 3), (2, 1, 3), (2, 2, 2)))
    assert not cut(nothing, np.ones(SHAPE, bool), links).any()  # type: ignore[arg-type]
