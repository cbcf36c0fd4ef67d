"""Who is simulated: sex, age, build, BMFF at each region, and DXA values that follow from them.

Distributions are those of Morris et al. 2024: Table 1 (age 60-69, BMI 18.5-25), the fat fractions
that go with them (60-69 years, two-point Dixon), and multivariable Models 4.2, 5.5, 6.2 and 7.2 for
bone mineral density.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bmx.regions import REGIONS

BMFF_PERCENT: dict[str, dict[str, tuple[float, float]]] = {
    "Male": {
        "spine": (42, 9), "femoral_head": (92, 3), "total_hip": (86, 5), "femoral_diaphysis": (84, 6),
    },
    "Female": {
        "spine": (47, 9), "femoral_head": (90, 4), "total_hip": (81, 7), "femoral_diaphysis": (80, 8),
    },
}  # fmt: skip
"""Mean and SD of BMFF by sex and region, percent."""

SHARED_BMFF = {"spine": 0.3, "femoral_head": 0.75, "total_hip": 0.85, "femoral_diaphysis": 0.7}
"""Loading of each region on one factor per person: femoral sites go together, the spine loosely (Table 4)."""


@dataclass(frozen=True, slots=True)
class DensityModel:
    """A multivariable model of the paper: BMD = intercept + Σ coefficient x covariate + residual."""

    exposure: str
    """Region whose BMFF predicts."""
    bmff: float
    """g cm-2 per percentage point."""
    male: float
    """g cm-2, men against women."""
    bmi: float
    """g cm-2 per kg m-2."""
    typical: float
    """g cm-2, a woman of BMI 22.5 with her sex's mean BMFF."""
    residual_sd: float
    """g cm-2; with it the adjusted R² comes near the paper's."""


DENSITY_MODELS: dict[str, DensityModel] = {
    "bmd_spine": DensityModel("spine", -0.005, 0.158, 0.023, 1.00, 0.12),
    "bmd_femoral_neck": DensityModel("total_hip", -0.014, 0.113, 0.010, 0.83, 0.10),
    "bmd_total_hip": DensityModel("total_hip", -0.016, 0.156, 0.018, 0.87, 0.11),
    "bmd_femoral_shaft": DensityModel("femoral_diaphysis", -0.015, 0.152, 0.018, 1.03, 0.13),
}
"""By phenotype: Table 5 Model 4.2, Table 6 Model 5.5, Table 7 Model 6.2, Table 8 Model 7.2."""

YOUNG_ADULT = {"tscore_spine": (1.18, 0.13), "tscore_femoral_neck": (0.98, 0.13), "tscore_total_hip": (1.00, 0.13)}
"""Mean and SD of BMD that a T-score is counted from, g cm-2."""


def draw_people(n: int, seed: int) -> pd.DataFrame:
    """Draw `n` people; the first k are the same whatever `n` is.

    Returns
    -------
    DataFrame, one row each: eid, sex, age (years), height (cm), bmi (kg m-2), `bmff_<region>`
    (percent, before it is painted into a body), DXA variables (names of `bmx.variables`).

    Examples
    --------
    >>> draw_people(2, seed=0)["sex"].tolist() == draw_people(5, seed=0)["sex"].tolist()[:2]
    True
    """
    eids = _distinct_eids(n, seed)
    return pd.DataFrame([draw_person(eid, seed, index) for index, eid in enumerate(eids)])


def person_at(people: pd.DataFrame, index: int) -> dict[str, Any]:
    """One row of `draw_people` by its names."""
    return {str(name): value for name, value in people.iloc[index].items()}


def _distinct_eids(n: int, seed: int) -> list[int]:
    rng = np.random.default_rng([seed, 2**31])
    eids: dict[int, None] = {}
    while len(eids) < n:
        eids[int(rng.integers(1_000_000, 6_000_000))] = None
    return list(eids)


def draw_person(eid: int, seed: int, index: int) -> dict[str, Any]:
    """Row `index` of `draw_people(…, seed)`, whose EID is known: one of many can be drawn without the others."""
    rng = np.random.default_rng([seed, index])
    sex = "Male" if rng.random() < 0.38 else "Female"
    male = sex == "Male"
    person: dict[str, Any] = {"eid": eid, "sex": sex, "age": float(rng.integers(60, 70))}
    person["height"] = float(np.round(rng.normal(175.5 if male else 162.5, 6.3) * 2) / 2)
    person["bmi"] = bmi = float(np.clip(rng.normal(23.2 if male else 22.5, 1.5), 18.5, 25))

    shared = rng.standard_normal()
    bmff: dict[str, float] = {}
    for region in REGIONS:
        mean, sd = BMFF_PERCENT[sex][region]
        loading = SHARED_BMFF[region]
        own = np.sqrt(1 - loading**2) * rng.standard_normal()
        bmff[region] = float(np.clip(mean + sd * (loading * shared + own), 15, 96))
        person[f"bmff_{region}"] = bmff[region]

    for name, model in DENSITY_MODELS.items():
        expected = (
            model.typical
            + model.bmff * (bmff[model.exposure] - BMFF_PERCENT["Female"][model.exposure][0])
            + model.male * male
            + model.bmi * (bmi - 22.5)
        )
        person[name] = float(max(0.3, expected + model.residual_sd * rng.standard_normal()))
    for name, (mean, sd) in YOUNG_ADULT.items():
        density = person[name.replace("tscore", "bmd")]
        assert isinstance(density, float)
        person[name] = float(np.round((density - mean) / sd, 1))

    fatness = (bmi - 22.5) / 1.5 + rng.standard_normal()
    for name, (men, women, sd) in {
        "android_fat": (29.0, 33.0, 6.0), "gynoid_fat": (24.3, 38.3, 3.2), "legs_fat": (21.1, 36.4, 3.2),
        "trunk_fat": (28.0, 32.5, 5.0), "total_fat": (24.5, 33.5, 3.8),
    }.items():  # fmt: skip
        person[name] = float(max(5.0, (men if male else women) + sd * (0.6 * fatness + 0.6 * rng.standard_normal())))
    person["vat_mass"] = float(max(0.05, (0.9 if male else 0.45) * np.exp(0.4 * fatness + 0.2 * rng.standard_normal())))
    return person
