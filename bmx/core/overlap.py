"""How well two masks agree, or can be expected to."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit


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


def expected_dice(logits: npt.NDArray[np.float32]) -> float:
    """Dice that the mask of all positive logits would have if their probabilities were right.

    Of the candidates of `benchmarks/confidence.py` it predicts Dice best among those that cost next to nothing.

    Parameters
    ----------
    logits : (...) float32

    Returns
    -------
    0 to 1; 0 if no logit is positive.

    Examples
    --------
    >>> round(expected_dice(np.float32([9, 9, -9, -9])), 3), round(expected_dice(np.float32([9, 0.1, -0.1, -9])), 3)
    (1.0, 0.762)
    """
    probability = expit(logits)
    mask = logits > 0
    total = float(probability.sum()) + int(mask.sum())
    return 2 * float(probability[mask].sum()) / total if total else 0.0
