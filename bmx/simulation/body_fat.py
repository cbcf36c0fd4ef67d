"""Body fat of simulated people by DXA, drawn after bone density so that the paper's larger models hold, too.

Legs fat, trunk fat, android fat and visceral fat are normal given what BMFF, sex and BMI leave of the densities
(`bmx.simulation.density`), with such covariances that adding them to Models 4.2, 5.5, 6.2 and 7.2 gives them the
coefficients of the paper's largest models. The smaller of those follow from how the fat variables go together, and
men's denser bones turn out to be, in part, their leaner legs, as in the paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from bmx.simulation.build import BMI_MEAN
from bmx.simulation.density import DENSITY_MODELS, residual_covariance
from bmx.simulation.marrow_fat import BMFF_PERCENT, Matrix, Vector


@dataclass(frozen=True, slots=True)
class FatVariable:
    """One fat variable in one sex, at the sex's mean BMI."""

    mean: float
    """%, or for VAT the cube root of grams: as such it is about normal in both sexes."""
    bmi: float
    """Per kg m-2."""
    sd: float
    """Of what BMI doesn't tell."""


FAT_VARIABLES: dict[str, dict[str, FatVariable]] = {
    "Male": {
        "legs_fat": FatVariable(21.1, 1.0, 3.3), "android_fat": FatVariable(29.6, 3.6, 7.3),
        "trunk_fat": FatVariable(28.2, 2.8, 6.0), "vat_mass": FatVariable(9.35, 0.60, 1.55),
        "gynoid_fat": FatVariable(24.3, 0.8, 4.6), "total_fat": FatVariable(24.9, 1.7, 4.5),
    },
    "Female": {
        "legs_fat": FatVariable(36.5, 1.0, 4.8), "android_fat": FatVariable(33.0, 3.0, 8.0),
        "trunk_fat": FatVariable(33.8, 2.3, 5.8), "vat_mass": FatVariable(7.1, 0.55, 1.55),
        "gynoid_fat": FatVariable(38.3, 0.7, 4.7), "total_fat": FatVariable(34.3, 1.6, 4.2),
    },
}  # fmt: skip
"""By sex: what gives the means and SDs of Table 1."""

FAT_CORRELATION: dict[tuple[str, str], float] = {
    ("legs_fat", "android_fat"): 0.62, ("legs_fat", "trunk_fat"): 0.68, ("legs_fat", "vat_mass"): 0.15,
    ("legs_fat", "gynoid_fat"): 0.93, ("legs_fat", "total_fat"): 0.88, ("android_fat", "trunk_fat"): 0.982,
    ("android_fat", "vat_mass"): 0.65, ("android_fat", "gynoid_fat"): 0.70, ("android_fat", "total_fat"): 0.91,
    ("trunk_fat", "vat_mass"): 0.62, ("trunk_fat", "gynoid_fat"): 0.76, ("trunk_fat", "total_fat"): 0.94,
    ("vat_mass", "gynoid_fat"): 0.25, ("vat_mass", "total_fat"): 0.47, ("gynoid_fat", "total_fat"): 0.91,
}  # fmt: skip
"""Within a sex, given BMI; the paper's standard errors say how close android and trunk fat, or VAT, must be."""

DENSITY_WITH_FAT: dict[str, dict[str, float]] = {
    "bmd_spine": {"legs_fat": -0.007, "vat_mass": 0.052, "android_fat": 0.0005},
    "bmd_femoral_neck": {"legs_fat": -0.004, "android_fat": -0.007, "trunk_fat": 0.009},
    "bmd_total_hip": {"legs_fat": -0.005, "vat_mass": -0.013},
    "bmd_femoral_shaft": {"legs_fat": -0.0063, "vat_mass": 0.003, "android_fat": -0.0105, "trunk_fat": 0.0115},
}
"""g cm-2 per % or per kg of VAT: Models 4.6, 5.12, 6.4 and 7.7, each within what its interval allows where that
brings the smaller models, which leave some of these out, nearer to theirs."""

FAT_WITH_MARROW: dict[str, dict[str, float]] = {
    "spine": {"android_fat": 0.15, "trunk_fat": 0.15, "vat_mass": 0.15, "total_fat": 0.12, "gynoid_fat": 0.08},
    "femoral_diaphysis": {"android_fat": -0.10, "trunk_fat": -0.08, "vat_mass": -0.15, "total_fat": -0.04},
}
"""SDs of a fat variable per SD of BMFF: the signs are the paper's (its supplement has the numbers)."""

_LEAST_PERCENT = 5.0
_LEAST_KILOGRAMS = 0.02


def draw_body_fat(person: Mapping[str, Any], unexplained: Vector, rng: np.random.Generator) -> dict[str, float]:
    """Draw fat variables of a person with sex, bmi and `bmff_<region>`.

    Parameters
    ----------
    person : of `draw_build`
    unexplained : (site,) g cm-2, from `draw_density`

    Returns
    -------
    `android_fat`, `gynoid_fat`, `legs_fat`, `trunk_fat`, `total_fat` (%) and `vat_mass` (kg) by name.
    """
    sex = str(person["sex"])
    weights, root = _given_density(sex)
    deviation = weights @ unexplained + root @ rng.standard_normal(len(root))
    for region, links in FAT_WITH_MARROW.items():
        mean, sd = BMFF_PERCENT[sex][region]
        for place, name in enumerate(FAT_VARIABLES[sex]):
            deviation[place] += (
                links.get(name, 0.0) * FAT_VARIABLES[sex][name].sd * (person[f"bmff_{region}"] - mean) / sd
            )
    values = {}
    for (name, variable), own in zip(FAT_VARIABLES[sex].items(), deviation, strict=True):
        values[name] = float(variable.mean + variable.bmi * (person["bmi"] - BMI_MEAN[sex]) + own)
    vat = max(0.0, values.pop("vat_mass")) ** 3 / 1000
    percent = {name: max(_LEAST_PERCENT, value) for name, value in values.items()}
    return percent | {"vat_mass": max(_LEAST_KILOGRAMS, vat)}


@cache
def _given_density(sex: str) -> tuple[Matrix, Matrix]:
    """Weights (fat, site) of the unexplained density, and Cholesky factor (fat, fat) of what remains."""
    names = list(FAT_VARIABLES[sex])
    sd = np.array([variable.sd for variable in FAT_VARIABLES[sex].values()])
    covariance = np.diag(sd**2)
    for (one, other), value in FAT_CORRELATION.items():
        at, to = names.index(one), names.index(other)
        covariance[at, to] = covariance[to, at] = value * sd[at] * sd[to]
    # A kilogram of VAT is worth fewer cube roots of grams where there is more of it.
    kilograms = 3 * FAT_VARIABLES[sex]["vat_mass"].mean ** 2 / 1000
    coefficients = np.array(
        [
            [DENSITY_WITH_FAT[site].get(name, 0.0) * (kilograms if name == "vat_mass" else 1.0) for name in names]
            for site in DENSITY_MODELS
        ]
    )
    with_density = covariance @ coefficients.T
    weights = np.linalg.solve(residual_covariance(sex), with_density.T).T
    return weights, np.linalg.cholesky(covariance - weights @ with_density.T)
