"""Bone mineral density of simulated people, which follows from BMFF, sex and BMI as in the paper, and T-scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np

from bmx.regions import REGIONS
from bmx.simulation.marrow_fat import BMFF_PERCENT, Matrix, Vector, marrow_law


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
    """g cm-2; what the paper's AIC says."""


DENSITY_MODELS: dict[str, DensityModel] = {
    "bmd_spine": DensityModel("spine", -0.005, 0.158, 0.023, 1.04, 0.1215),
    "bmd_femoral_neck": DensityModel("total_hip", -0.014, 0.113, 0.010, 0.84, 0.1085),
    "bmd_total_hip": DensityModel("total_hip", -0.016, 0.156, 0.018, 0.87, 0.114),
    "bmd_femoral_shaft": DensityModel("femoral_diaphysis", -0.015, 0.152, 0.018, 1.03, 0.139),
}
"""By phenotype: Table 5 Model 4.2, Table 6 Model 5.5, Table 7 Model 6.2, Table 8 Model 7.2."""

NECK_BESIDE_HIP = {"spine": -0.002, "femoral_head": -0.010}
"""Femoral neck BMD, g cm-2 per point of BMFF that total hip BMFF doesn't tell: Models 5.1-5.3 and 5.9-5.12."""

RESIDUAL_CORRELATION: dict[tuple[str, str], float] = {
    ("bmd_spine", "bmd_femoral_neck"): 0.75, ("bmd_spine", "bmd_total_hip"): 0.75,
    ("bmd_spine", "bmd_femoral_shaft"): 0.65, ("bmd_femoral_neck", "bmd_total_hip"): 0.85,
    ("bmd_femoral_neck", "bmd_femoral_shaft"): 0.75, ("bmd_total_hip", "bmd_femoral_shaft"): 0.87,
}  # fmt: skip
"""Whose spine is denser than the model says has a denser femur, too; with these the groups' T-scores are Table 1's."""

YOUNG_ADULT: dict[str, dict[str, tuple[float, float]]] = {
    "Male": {
        "tscore_spine": (1.263, 0.109), "tscore_femoral_neck": (1.046, 0.156), "tscore_total_hip": (1.033, 0.143),
    },
    "Female": {
        "tscore_spine": (1.166, 0.119), "tscore_femoral_neck": (1.056, 0.183), "tscore_total_hip": (1.039, 0.167),
    },
}  # fmt: skip
"""Mean and SD of BMD that T-scores are counted from, g cm-2: those that give Table 1 its group sizes and T-scores."""

SIDE_SD = {"femoral_neck": 0.030, "total_hip": 0.025, "femoral_shaft": 0.040}
"""Right femur against left, g cm-2."""

BoneGroup = Literal["control", "osteopaenic", "osteoporotic"]

_LEAST = 0.3
"""g cm-2; no scanner prints less of a living person."""


def draw_density(person: Mapping[str, Any], rng: np.random.Generator) -> tuple[dict[str, float], Vector]:
    """Draw densities of a person with sex, bmi and `bmff_<region>`.

    Returns
    -------
    `bmd_<site>` (g cm-2) and `tscore_<site>` (SDs, one decimal) by name; and (site,) what no BMFF, sex or BMI
    explains of the densities of `DENSITY_MODELS`, g cm-2.
    """
    sex, male = str(person["sex"]), person["sex"] == "Male"
    unexplained = np.linalg.cholesky(residual_covariance(sex)) @ rng.standard_normal(len(DENSITY_MODELS))
    beside = dict.fromkeys(DENSITY_MODELS, 0.0)
    beside["bmd_femoral_neck"] = sum(
        weight * (person[f"bmff_{region}"] - BMFF_PERCENT[sex][region][0])
        for region, weight in zip(REGIONS, _neck_weights(sex), strict=True)
    )
    values = {}
    for (site, model), residual in zip(DENSITY_MODELS.items(), unexplained, strict=True):
        expected = (
            model.typical
            + model.bmff * (person[f"bmff_{model.exposure}"] - BMFF_PERCENT["Female"][model.exposure][0])
            + model.male * male
            + model.bmi * (person["bmi"] - 22.5)
            + beside[site]
        )
        values[site] = max(_LEAST, float(expected + residual))
    values["bmd_femoral_troch"] = max(_LEAST, 0.82 * values["bmd_total_hip"] + float(rng.normal(0, 0.035)))
    for site, sd in SIDE_SD.items():
        values[f"bmd_{site}_right"] = max(_LEAST, values[f"bmd_{site}"] + float(rng.normal(0, sd)))
    for name, (mean, sd) in YOUNG_ADULT[sex].items():
        for side in ("", "_right"):
            if (density := values.get(name.replace("tscore", "bmd") + side)) is not None:
                values[name + side] = float(np.round((density - mean) / sd, 1))
    return values, unexplained


def bone_group(person: Mapping[str, Any]) -> BoneGroup:
    """WHO group by the lowest of the T-scores of spine, left femoral neck and left total hip; -1.0 is still control.

    Examples
    --------
    >>> bone_group({"tscore_spine": 0.3, "tscore_femoral_neck": -1.1, "tscore_total_hip": -1.0})
    'osteopaenic'
    """
    lowest = min(person[name] for name in YOUNG_ADULT["Female"])
    if lowest <= -2.5:
        return "osteoporotic"
    return "osteopaenic" if lowest < -1 else "control"


@cache
def residual_covariance(sex: str) -> Matrix:
    """(site, site), g2 cm-4: what BMFF of all regions, sex and BMI leave of the densities, in their order."""
    sites = list(DENSITY_MODELS)
    correlation = np.eye(len(sites))
    for (one, other), value in RESIDUAL_CORRELATION.items():
        at, to = sites.index(one), sites.index(other)
        correlation[at, to] = correlation[to, at] = value
    sd = np.array([model.residual_sd for model in DENSITY_MODELS.values()])
    weights, law = _neck_weights(sex), marrow_law(sex)
    told = weights @ law.covariance @ weights
    neck = sites.index("bmd_femoral_neck")
    sd[neck] = np.sqrt(sd[neck] ** 2 - told)
    return correlation * np.outer(sd, sd)


@cache
def _neck_weights(sex: str) -> Vector:
    """`NECK_BESIDE_HIP` as weights (region,) on BMFF, g cm-2 per point.

    What the hip tells is taken off, so that Model 5.5, which has the hip alone, stays what it is.
    """
    law, regions = marrow_law(sex), list(REGIONS)
    covariance, hip = law.covariance, regions.index("total_hip")
    weights = np.array([NECK_BESIDE_HIP.get(region, 0.0) for region in regions])
    weights[hip] -= weights @ covariance[hip] / covariance[hip, hip]
    return np.asarray(weights)
