"""Whether four images can come from one two-point Dixon acquisition."""

from __future__ import annotations

import numpy as np

from bmx.types import FloatVolume, IntVolume

_BODY = 0.1
"""Signal that counts as body, relative to the brightest percent."""


def physics_residual(*, fat: IntVolume, water: IntVolume, in_phase: IntVolume, opposed_phase: IntVolume) -> FloatVolume:
    """How far in = W + F and opposed = |W - F| fail over the body.

    It catches wrong labels and mixed visits; not swaps of fat and water, to which both relations are blind.

    Parameters
    ----------
    fat, water, in_phase, opposed_phase : (z, y, x) uint16, arbitrary scanner units

    Returns
    -------
    (2,) float32, fraction of in-phase signal: the median absolute failure of each relation; NaN without a body.

    Examples
    --------
    >>> fat, water = np.full((2, 4, 4), 300, np.uint16), np.full((2, 4, 4), 100, np.uint16)
    >>> physics_residual(fat=fat, water=water, in_phase=fat + water, opposed_phase=fat - water)
    array([0., 0.], dtype=float32)
    >>> physics_residual(fat=fat, water=water, in_phase=fat - water, opposed_phase=fat + water)
    array([1., 1.], dtype=float32)
    """
    F, W, inside, opposed = (image.astype(np.float32) for image in (fat, water, in_phase, opposed_phase))
    body = (inside > 0) & (inside > _BODY * np.percentile(inside, 99))
    if not body.any():
        return np.full(2, np.nan, np.float32)
    F, W, inside, opposed = F[body], W[body], inside[body], opposed[body]
    failures = (np.abs(inside - (W + F)), np.abs(opposed - np.abs(W - F)))
    return np.array([np.median(failure / inside) for failure in failures], dtype=np.float32)
