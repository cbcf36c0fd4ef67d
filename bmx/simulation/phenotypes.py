"""The table of phenotypes that comes with simulated participants, as the Research Analysis Platform exports it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bmx.phenotypes.fields import load_fields, platform_column

PHENOTYPES = "phenotypes.csv"

ICD10_COLUMN = "p41270"
"""Diagnoses of all visits, `|` between codes; a field of many values, and so none that `bmx.phenotypes` reads."""

_EXPORTED = (
    "sex", "year_of_birth", "age", "height", "bmi", "height_imaging", "weight_imaging", "assessment_centre",
    "diabetes_doctor", "bmd_spine", "tscore_spine", "bmd_femoral_neck", "tscore_femoral_neck", "bmd_femoral_neck_right",
    "tscore_femoral_neck_right", "bmd_total_hip", "tscore_total_hip", "bmd_total_hip_right", "tscore_total_hip_right",
    "bmd_femoral_shaft", "bmd_femoral_shaft_right", "bmd_femoral_troch", "android_fat", "gynoid_fat", "legs_fat",
    "trunk_fat", "total_fat", "vat_mass",
)  # fmt: skip
"""Phenotypes of a simulated person, in the order of the table's columns."""


def write_phenotypes(path: Path, people: pd.DataFrame) -> None:
    """Write a table as the Research Analysis Platform exports it: sex as code, VAT in grams, ICD-10 codes in a cell.

    What `people` (`bmx.simulation.people.draw_people`) don't have is made from what they have: height and weight before
    imaging from height and BMI, the year of birth from the age; nobody has diabetes, as in the paper.
    """
    metres = people["height"] / 100
    imaged = 2015 + people["eid"] // 3 % 6
    table = people.assign(
        sex=(people["sex"] == "Male").astype(int),
        age=_whole(people["age"]),
        year_of_birth=_whole(imaged - people["age"]),
        height_imaging=_whole(people["height"]),
        weight_imaging=_whole(people["bmi"] * metres**2),
        assessment_centre=np.array([11025, 11026, 11027])[people["eid"] % 3],
        diabetes_doctor=0,
        vat_mass=_whole(people["vat_mass"] * 1000),
    )
    decimals = {"bmi": 4}
    decimals |= {name: 3 for name in _EXPORTED if name.startswith("bmd_")}
    decimals |= {name: 1 for name in _EXPORTED if name.endswith("_fat")}
    known = load_fields()
    columns = {"eid": "eid"} | {name: platform_column(known[name], instance=2) for name in _EXPORTED}
    columns["icd10"] = ICD10_COLUMN
    table[list(columns)].round(decimals).rename(columns=columns).to_csv(path, index=False)


def _whole(numbers: pd.Series[float]) -> pd.Series[int]:
    """Whole numbers; what is missing stays missing."""
    return numbers.round().astype("Int64")
