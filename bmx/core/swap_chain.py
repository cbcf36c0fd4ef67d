"""Which sides of which slabs are exchanged as a whole: labels of a chain of slabs, solved exactly.

Each slab has two sides, each with a label: 0 as it should be, 1 exchanged. A side has evidence of its own; the two
sides of a slab are tied where tissue goes on across the midline, and each side to the same side of the next slab where
the two overlap. A slab is in one of four states, and the best sequence of states is found by Viterbi's algorithm.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

_STATES = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
"""Labels of the two sides."""


class Chain(NamedTuple):
    """The best labels, and how sure each is."""

    swapped: npt.NDArray[np.bool_]
    """(slab, side)"""
    margin: Numbers
    """(slab, side) by how much the best labelling with this label beats the best one with the other."""


def solve_chain(evidence: Numbers, across: Numbers, along: Numbers) -> Chain:
    """Label every side of every slab; exact.

    Parameters
    ----------
    evidence : (slab, side) for an exchange, against it where negative
    across : (slab,) how much both sides of a slab should have one label; negative if they should differ
    along : (slab - 1, side) the same of each side in one slab and the next

    Returns
    -------
    Chain

    Examples
    --------
    The middle slab has no evidence of its own, but looks like its exchanged neighbours:

    >>> evidence = np.array([[5.0, -5], [0, 0], [5, -5]])
    >>> solve_chain(evidence, np.zeros(3), np.ones((2, 2))).swapped.astype(int)
    array([[1, 0],
           [1, 0],
           [1, 0]])
    """
    if not len(evidence):
        return Chain(np.zeros((0, 2), np.bool_), np.zeros((0, 2)))
    same = np.where(_STATES[:, 0] == _STATES[:, 1], 1.0, 0.0)
    own = evidence @ _STATES.T + across[:, None] * same
    alike = (_STATES[:, None, :] == _STATES[None, :, :]).astype(np.float64)
    steps = [alike @ tie for tie in along]  # (state, next state)
    down, up = own.copy(), own.copy()
    for slab in range(1, len(own)):
        down[slab] += (down[slab - 1][:, None] + steps[slab - 1]).max(axis=0)
    for slab in range(len(own) - 2, -1, -1):
        up[slab] += (up[slab + 1][None, :] + steps[slab]).max(axis=1)
    # The best sequence that passes through each state of each slab.
    through = down + up - own
    best = np.stack(
        [[through[:, _STATES[:, side] == label].max(axis=1) for label in (0, 1)] for side in (0, 1)]
    )  # (side, label, slab)
    gain = (best[:, 1] - best[:, 0]).T
    return Chain(gain > 0, np.abs(gain))
