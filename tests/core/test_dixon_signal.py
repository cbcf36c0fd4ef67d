from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bmx.core.dixon_signal import (
    ECHO_TIMES_MS,
    FAT_PEAKS,
    Echoes,
    fat_phasor,
    separate,
    steady_state,
    two_point_fat_percent,
)


def test_steady_state__is_what_the_bloch_equations_reach() -> None:
    """Oracle: pulse after pulse, tip and recover, until nothing changes (transverse signal spoiled)."""
    for t1 in (290.0, 950.0):
        longitudinal = 1.0
        for _ in range(3000):
            signal = longitudinal * np.sin(np.deg2rad(10))
            longitudinal = 1 + (longitudinal * np.cos(np.deg2rad(10)) - 1) * np.exp(-6.69 / t1)
        assert steady_state(t1) == pytest.approx(signal, rel=1e-6)


def test_fat_phasor__beats_against_water_as_the_protocol_wants() -> None:
    """The main peak is opposed at the first echo and in phase at the second; the other peaks blur both."""
    assert sum(share for _, share in FAT_PEAKS) == pytest.approx(1, abs=0.01)
    opposed, in_phase = (fat_phasor(echo) for echo in ECHO_TIMES_MS)
    assert opposed.real < -0.7
    assert in_phase.real > 0.7
    assert abs(opposed) < 0.9
    assert fat_phasor(0) == pytest.approx(sum(share for _, share in FAT_PEAKS))


def of(water: float, fat: float, r2_star: float = 0.0) -> Echoes:
    decay = [np.exp(-r2_star * echo / 1000) for echo in ECHO_TIMES_MS]
    return Echoes(*(np.float32([part * one]) for part in (water, fat) for one in decay))


def test_two_point_fat_percent__rises_with_fat_and_lies_near_it_without_decay() -> None:
    """What T2* does to it is why it isn't a PDFF: 40 1/s add 4.5 points to pure water."""
    shares = np.linspace(0.0, 0.9, 10)
    shown = [float(two_point_fat_percent(of(1 - share, share))[0]) for share in shares]
    assert all(low < high for low, high in pairwise(shown))
    assert np.abs(np.array(shown) - 100 * shares).max() < 6
    assert float(two_point_fat_percent(of(1, 0, r2_star=40))[0]) == pytest.approx(4.5, abs=0.2)
    assert np.isnan(two_point_fat_percent(of(0, 0))[0])


def test_separate__gives_sum_and_difference() -> None:
    """In = W + F and opposed = |W - F| hold exactly where neither component is negative."""
    water, fat = np.float32([0.7, 0.2]), np.float32([0.1, 0.6])
    found = separate(water - fat, water + fat)
    np.testing.assert_allclose(found.water, water, atol=1e-6)
    np.testing.assert_allclose(found.fat, fat, atol=1e-6)
