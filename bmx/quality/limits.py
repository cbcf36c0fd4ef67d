"""The numbers that decide what passes quality control."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bmx.core.physics import VIOLATED
from bmx.errors import did_you_mean
from bmx.regions import REGIONS
from bmx.variables import QC_FLAGS

PLAUSIBLE_BMFF: Mapping[str, tuple[float, float]] = {
    "spine": (6.0, 83.0),
    "femoral_head": (74.0, 100.0),
    "total_hip": (53.0, 100.0),
    "femoral_diaphysis": (48.0, 100.0),
}
"""Percent. Two-point values of the literature for people of 60-69 years, men and women (spine 42 ± 9 and 47 ± 9, head
92 ± 3 and 90 ± 4, hip 86 ± 5 and 81 ± 7, shaft 84 ± 6 and 80 ± 8), 4 SD to either side of the sex that lies further
out. An exchange of fat and water lies far outside in the femur; a spine near 50 % looks the same both ways."""

SIDES_BMFF: Mapping[str, float] = {"femoral_head": 8.0, "total_hip": 14.0, "femoral_diaphysis": 16.0}
"""Percentage points: twice the larger SD between people of those values. Two femora of one person differ by less."""

DOUBTFUL = ("implausible_bmff", "physics_violated", "swap_suspected", "sides_disagree")
"""Flags that the paper hasn't, with which a value is not used unless one asks for it."""


def _plausible() -> Mapping[str, tuple[float, float]]:
    return dict(PLAUSIBLE_BMFF)


def _sides() -> Mapping[str, float]:
    return dict(SIDES_BMFF)


@dataclass(frozen=True, slots=True)
class Limits:
    """What `bmx.qc.flag` judges by. The right femur has the limits of the left.

    Raises
    ------
    ValueError
        If a flag or a region isn't one, or a limit can't be met.
    """

    small_sd: float = 2.5
    """A volume more than this many SD below the mean is small (paper 3.2)."""

    outlier_sd: float = 3.0
    """A centre of mass more than this many SD from the mean, along any axis, is an outlier (paper 2.6)."""

    body_position: bool = True
    """Whoever lies too high or low in the scanner does so with all regions: a centre of mass that lies away head-foot
    as far as the participant's other regions do is no outlier. False gives the paper's rule alone."""

    confidence: float = 0.5
    """Below it the network is unsure; 0 to 1. Our choice."""

    confidence_spread: float = 6.0
    """So many robust SDs (1.4826 times the median deviation) below the cohort's median it is unsure, too, if at least
    20 participants tell. Where a head lies outside its slab, networks draw something else, and are only a little less
    sure than of a head. Our choice; infinity leaves it out."""

    physics: float = VIOLATED
    """Residual of in = W + F or opposed = |W - F| from which on images aren't what they are called."""

    bmff: Mapping[str, tuple[float, float]] = field(default_factory=_plausible)
    """Lowest and highest plausible mean BMFF by region, percent; `PLAUSIBLE_BMFF` of regions that aren't named.
    `(-math.inf, math.inf)` is no limit."""

    sides_bmff: Mapping[str, float] = field(default_factory=_sides)
    """How far left and right may lie apart, percentage points; `SIDES_BMFF` of regions that aren't named. `math.inf`
    is no limit."""

    sides_volume: float = 2.0
    """How many times larger than the other side a mask may be. Our choice."""

    doubtful: tuple[str, ...] = DOUBTFUL
    """Flags with which a value that the paper would use is `doubtful`; `()` gives the paper's outcomes alone."""

    def __post_init__(self) -> None:
        for name in self.doubtful:
            if name not in QC_FLAGS:
                raise ValueError(f"no QC flag is called {name!r}; {did_you_mean(name, QC_FLAGS)}")
        for what in ("small_sd", "outlier_sd", "confidence_spread", "physics", "sides_volume"):
            if not getattr(self, what) > 0:
                raise ValueError(f"{what} is {getattr(self, what)}; expected more than 0, or math.inf for no limit")
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"confidence is {self.confidence}; expected 0 to 1")
        _check_names("bmff", self.bmff, REGIONS)
        _check_names("sides_bmff", self.sides_bmff, SIDES_BMFF)
        for region, ends in self.bmff.items():
            if len(ends) != 2 or not ends[0] < ends[1]:
                raise ValueError(
                    f"the limits bmff of {region} are {ends}; expected the lowest, then the highest, in percent"
                )
        for region, points in self.sides_bmff.items():
            if not points >= 0:
                raise ValueError(f"the limit sides_bmff of {region} is {points}; expected 0 or more percentage points")
        object.__setattr__(self, "bmff", {**PLAUSIBLE_BMFF, **self.bmff})
        object.__setattr__(self, "sides_bmff", {**SIDES_BMFF, **self.sides_bmff})

    @property
    def attrs(self) -> dict[str, Any]:
        """What flagged results say of how they were judged."""
        attrs: dict[str, Any] = {
            "qc_small_sd": self.small_sd,
            "qc_outlier_sd": self.outlier_sd,
            "qc_body_position": self.body_position,
            "qc_confidence": self.confidence,
            "qc_confidence_spread": self.confidence_spread,
            "qc_physics": self.physics,
            "qc_sides_volume": self.sides_volume,
            "qc_doubtful": " ".join(self.doubtful),
        }
        attrs |= {f"qc_bmff_{region}": list(ends) for region, ends in self.bmff.items()}
        return attrs | {f"qc_sides_bmff_{region}": points for region, points in self.sides_bmff.items()}


def _check_names(name: str, given: Iterable[str], known: Mapping[str, Any]) -> None:
    for region in given:
        if region not in known:
            raise ValueError(f"the limits {name} name {region!r}; {did_you_mean(region, known)}")


def base_region(region: str) -> str:
    """The region that a right-side one mirrors.

    Examples
    --------
    >>> base_region("total_hip_right"), base_region("spine")
    ('total_hip', 'spine')
    """
    return region.removesuffix("_right")
