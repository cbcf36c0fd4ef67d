"""BMFF of simulated people: means and SDs by sex and region, and how the regions go together.

The distance of each region from the fat fraction of pure fat has a gamma distribution, and the regions of a person are
tied through correlated normal numbers: means, SDs and correlations come out as declared, no value passes the cap or
sticks to it, and the spine, far from the cap, is nearly normal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import gammainccinv, ndtr

from bmx.regions import REGIONS

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]

BMFF_CAP = 95.0
"""Percent; marrow cannot seem fatter than pure fat does in a two-point image."""

BMFF_FLOOR = 10.0
"""Percent; below it there is nobody but one spine in ten thousand."""

BMFF_PERCENT: dict[str, dict[str, tuple[float, float]]] = {
    "Male": {
        "spine": (42, 9), "femoral_head": (92, 3), "total_hip": (86, 5), "femoral_diaphysis": (84, 6),
    },
    "Female": {
        "spine": (47, 9), "femoral_head": (90, 4), "total_hip": (81, 7), "femoral_diaphysis": (80, 8),
    },
}  # fmt: skip
"""Mean and SD of BMFF by sex and region, percent: values of the literature for people of 60-69 years."""

BMFF_CORRELATION: dict[str, dict[tuple[str, str], float]] = {
    "Male": {
        ("spine", "femoral_head"): 0.115, ("spine", "total_hip"): 0.327, ("spine", "femoral_diaphysis"): 0.17,
        ("femoral_head", "total_hip"): 0.72, ("femoral_head", "femoral_diaphysis"): 0.37,
        ("total_hip", "femoral_diaphysis"): 0.575,
    },
    "Female": {
        ("spine", "femoral_head"): 0.343, ("spine", "total_hip"): 0.381, ("spine", "femoral_diaphysis"): 0.17,
        ("femoral_head", "total_hip"): 0.72, ("femoral_head", "femoral_diaphysis"): 0.37,
        ("total_hip", "femoral_diaphysis"): 0.477,
    },
}  # fmt: skip
"""Within a sex: the roots of Table 4's R² where it gives the sex; else what makes both together come to its R²."""


@dataclass(frozen=True, slots=True, eq=False)
class MarrowLaw:
    """How BMFF is distributed in one sex; regions in the order of `REGIONS`."""

    mean: Vector
    """(region,) percent."""
    sd: Vector
    """(region,) percent."""
    correlation: Matrix
    """(region, region), of BMFF."""
    latent_correlation: Matrix
    """(region, region), of the normal numbers that BMFF is made from."""

    @property
    def covariance(self) -> Matrix:
        """(region, region), of BMFF."""
        return self.correlation * np.outer(self.sd, self.sd)

    def from_normal(self, normal: Vector) -> Vector:
        """BMFF (region,) in percent from correlated standard normal numbers (region,), of which more is fatter."""
        return np.maximum(BMFF_CAP - _distance(normal, self.mean, self.sd), BMFF_FLOOR)


@cache
def marrow_law(sex: str) -> MarrowLaw:
    """The law of one sex."""
    mean, sd = (np.array([BMFF_PERCENT[sex][region][part] for region in REGIONS], dtype=float) for part in (0, 1))
    correlation, latent = np.eye(len(REGIONS)), np.eye(len(REGIONS))
    for (at, one), (to, other) in combinations(enumerate(REGIONS), 2):
        wanted = BMFF_CORRELATION[sex][one, other]
        correlation[at, to] = correlation[to, at] = wanted
        latent[at, to] = latent[to, at] = _latent(wanted, mean[[at, to]], sd[[at, to]])
    return MarrowLaw(mean, sd, correlation, latent)


def _distance(normal: Vector, mean: Vector, sd: Vector) -> Vector:
    """Gamma variable with the mean and SD of the distance from the cap, percent."""
    shape = ((BMFF_CAP - mean) / sd) ** 2
    return np.asarray(gammainccinv(shape, ndtr(normal)) * (BMFF_CAP - mean) / shape)


def _latent(wanted: float, mean: Vector, sd: Vector) -> float:
    """Correlation that normal numbers need for two regions' BMFF to have the correlation wanted; by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    weights = weights / weights.sum()

    def missed(latent: float) -> float:
        one = _distance(nodes[:, None], mean[:1], sd[:1])
        other = _distance(latent * nodes[:, None] + np.sqrt(1 - latent**2) * nodes, mean[1:], sd[1:])
        product = (one - BMFF_CAP + mean[0]) * (other - BMFF_CAP + mean[1]) / np.prod(sd)
        return float(weights @ product @ weights) - wanted

    return float(brentq(missed, 0, 0.99, xtol=1e-4))
