"""Age, height and body mass index of simulated people, drawn together with their BMFF."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from bmx.regions import REGIONS
from bmx.simulation.marrow_fat import Matrix, marrow_law

AGE_SHARES = {60: 8, 61: 8, 62: 8.5, 63: 10, 64: 12, 65: 13, 66: 12, 67: 11, 68: 9.5, 69: 8}
"""Percent of people by age: quartiles 63, 65 and 67 years (Table 1)."""

HEIGHT_CM = {"Male": (175.5, 6.3), "Female": (162.5, 6.3)}
"""Mean and SD."""

BMI_RANGE = (18.5, 25.0)
"""kg m-2, within which the paper chose its people; of the many just above 25 it took none."""

BMI = {"Male": (23.84, 1.55), "Female": (23.07, 2.27)}
"""Mean and SD of the normal distribution that `BMI_RANGE` is cut from: quartiles come near Table 1."""

BMI_MEAN = {"Male": 23.24, "Female": 22.41}
"""What is left after the cut, kg m-2."""

SPINE_WITH_AGE = 0.15
"""Correlation of spine BMFF with age; the paper finds one there and none in the femur."""

HIP_WITH_BMI = -0.12
"""Correlation of total hip BMFF with BMI, which other regions share as far as they go with the hip."""


def draw_build(sex: str, rng: np.random.Generator) -> dict[str, Any]:
    """Draw age (years), height (cm), bmi (kg m-2) and `bmff_<region>` (percent) of one person."""
    normal = _root(sex) @ rng.standard_normal(2 + len(REGIONS))
    ages, shares = list(AGE_SHARES), np.cumsum(list(AGE_SHARES.values()))
    age = ages[int(np.searchsorted(shares, 100 * ndtr(normal[0])))]
    height = np.round(rng.normal(*HEIGHT_CM[sex]) * 2) / 2
    bmff = marrow_law(sex).from_normal(normal[2:])
    return {
        "age": float(age),
        "height": float(height),
        "bmi": _bmi(sex, normal[1]),
        **{f"bmff_{region}": float(value) for region, value in zip(REGIONS, bmff, strict=True)},
    }


def _bmi(sex: str, normal: float) -> float:
    mean, sd = BMI[sex]
    low, high = (ndtr((edge - mean) / sd) for edge in BMI_RANGE)
    return float(np.clip(mean + sd * ndtri(low + (high - low) * ndtr(normal)), *BMI_RANGE))


@cache
def _root(sex: str) -> Matrix:
    """Cholesky factor of the correlations of age, BMI and the regions."""
    latent = marrow_law(sex).latent_correlation
    place = {region: at for at, region in enumerate(REGIONS)}
    with_age = np.array([SPINE_WITH_AGE * (region == "spine") for region in REGIONS])
    with_bmi = HIP_WITH_BMI * latent[place["total_hip"]]
    return np.linalg.cholesky(
        np.block([[np.eye(2), np.vstack([with_age, with_bmi])], [np.column_stack([with_age, with_bmi]), latent]])
    )
