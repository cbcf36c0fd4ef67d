"""The signal of a two-point Dixon acquisition: from protons to two echoes, and from two echoes to fat and water.

What a spoiled gradient echo makes of a tissue: T1 weighting at the protocol's repetition time and flip angle, T2* decay
until each echo, and a fat spectrum of six peaks that beat against water. None of this can be undone with two
echoes; it is why a two-point fat fraction isn't a PDFF.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bmx.acquisition import CONTRASTS, FIELD_STRENGTH_T, FLIP_ANGLE_DEG, REPETITION_TIME_MS
from bmx.types import FloatVolume

PROTON_MHZ_PER_T = 42.577
"""Gyromagnetic ratio of the proton, divided by 2π."""

FAT_PEAKS: tuple[tuple[float, float], ...] = (
    (-3.80, 0.087), (-3.40, 0.693), (-2.60, 0.128), (-1.94, 0.004), (-0.39, 0.039), (0.60, 0.049),
)  # fmt: skip
"""Shift from water (ppm) and share of each peak of human fat (Hamilton et al. 2011, NMR Biomed 24:784)."""

_opposed, _in = CONTRASTS["opposed_phase"].echo_time_ms, CONTRASTS["in_phase"].echo_time_ms
assert _opposed is not None
assert _in is not None
ECHO_TIMES_MS: tuple[float, float] = (_opposed, _in)
"""Of the opposed-phase and the in-phase echo."""


def steady_state(t1_ms: float) -> float:
    """Signal of a spoiled gradient echo relative to full relaxation and a 90° pulse, without T2* decay.

    Examples
    --------
    >>> round(steady_state(300), 3), round(steady_state(1000), 3)
    (0.104, 0.053)
    """
    flip = np.deg2rad(FLIP_ANGLE_DEG)
    left = np.exp(-REPETITION_TIME_MS / t1_ms)
    return float(np.sin(flip) * (1 - left) / (1 - np.cos(flip) * left))


def fat_phasor(echo_time_ms: float) -> complex:
    """Signal of pure fat at an echo, relative to the sum of its peaks in phase; T2* apart.

    Examples
    --------
    >>> opposed, in_phase = (fat_phasor(echo) for echo in ECHO_TIMES_MS)
    >>> opposed.real < -0.7, in_phase.real > 0.7
    (True, True)
    """
    turns = echo_time_ms / 1000 * PROTON_MHZ_PER_T * FIELD_STRENGTH_T
    return complex(sum(share * np.exp(2j * np.pi * ppm * turns) for ppm, share in FAT_PEAKS))


class Echoes(NamedTuple):
    """Noise-free signal of water and of fat at the two echoes, each before the fat peaks beat (arbitrary units)."""

    water_opposed: FloatVolume
    water_in: FloatVolume
    fat_opposed: FloatVolume
    fat_in: FloatVolume

    def signals(self) -> tuple[npt.NDArray[np.complex64], npt.NDArray[np.complex64]]:
        """Complex signal at the opposed-phase and the in-phase echo; the phase of water is zero."""
        opposed, in_phase = (np.complex64(fat_phasor(echo)) for echo in ECHO_TIMES_MS)
        return self.water_opposed + opposed * self.fat_opposed, self.water_in + in_phase * self.fat_in


class Separated(NamedTuple):
    """Water and fat as a two-point Dixon reconstruction gives them."""

    water: FloatVolume
    fat: FloatVolume


def separate(opposed: npt.NDArray[Any], in_phase: npt.NDArray[Any]) -> Separated:
    """Two-point separation of phase-corrected echoes: half of the sum and half of the difference, as magnitudes.

    Parameters
    ----------
    opposed, in_phase : (...) float, real part of each echo; opposed is negative where fat dominates

    Examples
    --------
    >>> separate(np.float32([-0.75, 0.5]), np.float32([1.0, 0.5]))
    Separated(water=array([0.125, 0.5  ], dtype=float32), fat=array([0.875, 0.   ], dtype=float32))
    """
    return Separated(np.abs(in_phase + opposed) / 2, np.abs(in_phase - opposed) / 2)


def two_point_fat_percent(echoes: Echoes) -> FloatVolume:
    """Noise-free fat fraction 100·F/(F + W) that two points show, (...) float32 percent; NaN without signal."""
    opposed, in_phase = echoes.signals()
    water, fat = separate(opposed.real, np.abs(in_phase))
    total = water + fat
    percent = np.full(np.shape(total), np.nan, np.float32)
    np.divide(100 * fat, total, out=percent, where=total > 1e-3)
    return percent
