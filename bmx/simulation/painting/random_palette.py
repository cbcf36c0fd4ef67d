"""Contrasts that no scanner has: what a network must not rely on is drawn anew for every image."""

from __future__ import annotations

import numpy as np

from bmx.simulation.painting.tissues import TISSUES, DixonPalette, Field

_SILENT = ("air", "gas", "metal")


class RandomPalette:
    """One channel whose contrast is random.

    Three times in four it is some mixture of the water and the fat of a Dixon exam, in which each tissue
    is brighter or darker by chance; otherwise every tissue has any brightness at all.
    """

    channels = 1

    def __init__(self, rng: np.random.Generator) -> None:
        self._dixon = DixonPalette()
        self._weights = _mixture(rng)
        spread = rng.uniform(0.1, 0.5)
        self._gain = {tissue: np.float32(np.exp(rng.normal(0, spread))) for tissue in TISSUES}
        self._any = {tissue: np.float32(rng.uniform(0, 1)) for tissue in TISSUES}
        self._slope = {tissue: np.float32(rng.uniform(-0.6, 0.6) / 100) for tissue in TISSUES}
        self._lawless = rng.random() < 1 / 4

    def colours(self, tissue: str, fat_percent: Field | float | None) -> tuple[Field | float, ...]:
        """Brightness of the tissue, about 0 to 1."""
        if tissue in _SILENT:
            return (0.0,)
        if self._lawless:
            typical = TISSUES[tissue].fat_percent
            percent = typical if fat_percent is None else fat_percent
            bright: Field = np.abs(self._any[tissue] + self._slope[tissue] * np.asarray(percent - typical, np.float32))
            return (bright,)
        _, water, _, fat = self._dixon.colours(tissue, fat_percent)
        mixed: Field = self._gain[tissue] * (self._weights[0] * np.asarray(water) + self._weights[1] * np.asarray(fat))
        return (mixed,)


def _mixture(rng: np.random.Generator) -> tuple[np.float32, np.float32]:
    """Weights of water and fat: water alone, fat alone, or both."""
    kind = rng.integers(4)
    water = 0.0 if kind == 0 else rng.uniform(1.0, 2.0)
    fat = rng.uniform(0.0, 0.15) if kind in (1, 2) else rng.uniform(0.3, 1.0)
    return np.float32(water), np.float32(fat)
