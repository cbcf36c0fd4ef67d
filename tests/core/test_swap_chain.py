from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bmx.core.swap_chain import solve_chain


@given(slabs=st.integers(1, 5), seed=st.integers(0, 10_000))
def test_solve_chain__is_the_best_of_all_labellings(slabs: int, seed: int) -> None:
    """Property: against every labelling tried one by one, and so is the margin of each label."""
    rng = np.random.default_rng(seed)
    own, across, along = rng.normal(size=(slabs, 2)), rng.normal(size=slabs), rng.normal(size=(slabs - 1, 2))

    def worth(labels: np.ndarray) -> float:
        same = labels[:, 0] == labels[:, 1]
        return float((own * labels).sum() + (across * same).sum() + (along * (labels[1:] == labels[:-1])).sum())

    everything = [np.array(flat).reshape(slabs, 2) for flat in product((0, 1), repeat=2 * slabs)]
    values = np.array([worth(labels) for labels in everything])
    best = everything[int(values.argmax())]
    found = solve_chain(own, across, along)
    np.testing.assert_array_equal(found.swapped, best.astype(bool))
    for place in np.ndindex(slabs, 2):
        ones = np.array([labels[place] == 1 for labels in everything])
        np.testing.assert_allclose(found.margin[place], abs(values[ones].max() - values[~ones].max()))


def test_solve_chain__of_no_slab_is_empty() -> None:
    assert solve_chain(np.zeros((0, 2)), np.zeros(0), np.zeros((0, 2))).swapped.shape == (0, 2)
