"""Random fields that belong to the body, not to a slab: neighbouring slabs see the same streaks and the same marrow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.interpolate import BSpline

from bmx.types import FloatVolume

_HALF_MM = (280.0, 210.0, 640.0)
"""Half extent (x, y, z) of the block around the body in which a texture varies; beyond, it goes on unchanged."""


@dataclass(frozen=True, slots=True)
class Texture:
    """A smooth random field over the body: mean 0, SD about 1."""

    coefficients: npt.NDArray[np.float32]
    """(z, y, x), of cubic B-splines on equal steps."""

    @classmethod
    def draw(cls, rng: np.random.Generator, grain_mm: float | tuple[float, float, float]) -> Texture:
        """Draw a field whose bumps are `grain_mm` apart, along x, y and z."""
        grains = (grain_mm,) * 3 if isinstance(grain_mm, float | int) else grain_mm
        counts = [max(int(np.ceil(2 * half / grain)), 2) + 3 for half, grain in zip(_HALF_MM, grains, strict=True)]
        values = rng.standard_normal(counts[::-1], dtype=np.float32)
        # The sum of squares of a cubic B-spline's weights is about 0.48 an axis.
        return cls(values / np.float32(0.48**1.5))

    def at(self, x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], z: npt.NDArray[np.float32]) -> FloatVolume:
        """Values on the grid of these positions (mm): (len(z), len(y), len(x)) float32."""
        (along_z, in_z), (along_y, in_y), (along_x, in_x) = (
            _weights(positions, half, count)
            for positions, half, count in zip((z, y, x), _HALF_MM[::-1], self.coefficients.shape, strict=True)
        )
        # One axis after another: far cheaper than interpolating point by point.
        field = np.matmul(along_y, self.coefficients[in_z, in_y, in_x] @ along_x.T)
        values: FloatVolume = (along_z @ field.reshape(len(field), -1)).reshape(len(along_z), *field.shape[1:])
        return values


def _weights(positions: npt.NDArray[np.float32], half: float, count: int) -> tuple[npt.NDArray[np.float32], slice]:
    """Weight at each position of the B-splines that reach one, and which of `count` these are."""
    steps = count - 3
    knots = np.arange(-3, steps + 4) * (2 * half / steps) - half
    inside = np.clip(positions.astype(np.float64), -half, half * (1 - 1e-9))
    weights = BSpline.design_matrix(inside, knots, 3)
    used = slice(int(weights.indices.min()), int(weights.indices.max()) + 1)
    return weights.toarray().astype(np.float32)[:, used], used
