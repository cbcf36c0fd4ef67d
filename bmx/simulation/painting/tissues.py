"""What tissues are made of, and the signal that each gives at the two echoes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bmx.core.dixon_signal import ECHO_TIMES_MS, Echoes, steady_state, two_point_fat_percent

Field = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Tissue:
    """Protons and relaxation of one tissue at 1.5 T."""

    protons: float
    """Density of visible protons relative to water."""
    t1_ms: float
    """Of its water; that of fat is `FAT_T1_MS` everywhere."""
    r2_star: float
    """1/T2* of its water component alone, per second."""
    r2_star_fat: float
    """1/T2* where it is all fat: in marrow, more fat goes with fewer trabeculae."""
    fat_percent: float
    """Two-point fat fraction that it shows unless another is painted."""


FAT_T1_MS = 290.0

TISSUES: dict[str, Tissue] = {
    "air": Tissue(0.0, 1000, 30, 30, 0),
    "fat": Tissue(0.95, 900, 25, 18, 93.5),
    "visceral_fat": Tissue(0.92, 900, 35, 22, 88),
    "muscle": Tissue(0.80, 950, 32, 25, 5),
    "cortex": Tissue(0.06, 600, 350, 350, 20),
    "marrow": Tissue(0.88, 900, 68, 24, 50),
    "depleted_marrow": Tissue(0.80, 1100, 420, 420, 10),
    "sclerosis": Tissue(0.45, 1000, 190, 160, 40),
    "disc": Tissue(0.80, 900, 22, 22, 3),
    "annulus": Tissue(0.45, 900, 80, 60, 5),
    "cartilage": Tissue(0.70, 900, 45, 40, 4),
    "csf": Tissue(1.0, 3500, 5, 5, 1),
    "cord": Tissue(0.85, 850, 18, 18, 3),
    "liver": Tissue(0.72, 700, 38, 30, 5),
    "spleen": Tissue(0.85, 1050, 25, 25, 2),
    "kidney": Tissue(0.85, 950, 22, 22, 3),
    "bowel": Tissue(0.80, 800, 45, 40, 6),
    "stomach": Tissue(0.75, 700, 40, 40, 5),
    "urine": Tissue(1.0, 3500, 4, 4, 1),
    "heart": Tissue(0.80, 1000, 30, 30, 4),
    "blood": Tissue(0.75, 1300, 12, 12, 2),
    "lung": Tissue(0.18, 1100, 600, 400, 5),
    "gas": Tissue(0.0, 1000, 30, 30, 0),
    "skin": Tissue(0.55, 600, 70, 60, 25),
    "tendon": Tissue(0.15, 700, 300, 250, 8),
    "metal": Tissue(0.0, 1000, 30, 30, 0),
}
"""Relaxation times are those of the literature at 1.5 T, rounded; R2* of marrow includes its trabeculae."""


class Palette(Protocol):
    """Turns a tissue into what is painted."""

    channels: int
    """Values per point."""

    def colours(self, tissue: str, fat_percent: Field | float | None) -> tuple[Field | float, ...]:
        """Value of each channel where a point is all of this tissue."""
        ...


class DixonPalette:
    """Signal of water and fat at both echoes, the four fields of `Echoes`; 1 is pure fat, fresh after its pulse."""

    channels = len(Echoes._fields)

    def colours(self, tissue: str, fat_percent: Field | float | None) -> tuple[Field | float, ...]:
        """Value of each channel; `fat_percent` is the two-point fat fraction that the tissue shall show."""
        table = _echoes_by_fat_percent(tissue)
        percent = TISSUES[tissue].fat_percent if fat_percent is None else fat_percent
        index = np.clip(np.asarray(percent) * _STEPS_PER_PERCENT + 0.5, 0, len(table[0]) - 1).astype(np.int16)
        return tuple(channel[index] for channel in table)


_STEPS_PER_PERCENT = 10


@cache
def _echoes_by_fat_percent(tissue: str) -> Echoes:
    """Echoes of a tissue for each two-point fat fraction in steps of 0.1 %, as near as it can come to it."""
    kind = TISSUES[tissue]
    share = np.linspace(0, 1, 2001)
    rate = kind.r2_star + (kind.r2_star_fat - kind.r2_star) * share
    # Relative to fat: a point of pure fat at full density, before it decays, is 1.
    fat = kind.protons * share
    water = kind.protons * (1 - share) * steady_state(kind.t1_ms) / steady_state(FAT_T1_MS)
    decay = [np.exp(-rate * echo / 1000) for echo in ECHO_TIMES_MS]
    made = Echoes(*((part * one).astype(np.float32) for part in (water, fat) for one in decay))
    if kind.protons == 0:
        return Echoes(*(np.zeros(100 * _STEPS_PER_PERCENT + 1, np.float32) for _ in made))
    shown = two_point_fat_percent(made)
    # Beyond its highest point the curve turns: magnitudes can't show that water has become negative.
    turn = int(np.nanargmax(shown)) + 1
    wanted = np.arange(100 * _STEPS_PER_PERCENT + 1) / _STEPS_PER_PERCENT
    index = np.searchsorted(np.maximum.accumulate(np.nan_to_num(shown[:turn])), wanted).clip(0, turn - 1)
    return Echoes(*(channel[index] for channel in made))
