"""How well two masks agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def dice(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Dice coefficient 2·|A ∩ B| / (|A| + |B|).

    Parameters
    ----------
    a, b : (...) bool or 0/1, same shape

    Returns
    -------
    0 to 1; NaN where both masks are empty: there was nothing to agree on.

    Examples
    --------
    >>> dice(np.array([1, 1, 0, 0]), np.array([0, 1, 1, 0]))
    0.5
    >>> dice(np.array([1, 0]), np.array([0, 0])), dice(np.zeros(2), np.zeros(2))
    (0.0, nan)
    """
    if a.shape != b.shape:
        raise ValueError(f"two masks to compare must lie on one grid; found {a.shape} and {b.shape}")
    inside_a, inside_b = a.astype(np.bool_), b.astype(np.bool_)
    both = int(np.count_nonzero(inside_a)) + int(np.count_nonzero(inside_b))
    return 2 * int(np.count_nonzero(inside_a & inside_b)) / both if both else float("nan")
