"""The table of phenotypes that comes with simulated participants, as the Research Analysis Platform exports it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bmx.phenotypes.fields import load_fields, platform_column

PHENOTYPES = "phenotypes.csv"

_EXPORTED = (
    "sex", "age", "height", "bmi", "assessment_centre", "bmd_spine", "tscore_spine", "bmd_femoral_neck",
    "tscore_femoral_neck", "bmd_total_hip", "tscore_total_hip", "bmd_femoral_shaft", "android_fat", "gynoid_fat",
    "legs_fat", "trunk_fat", "total_fat", "vat_mass",
)  # fmt: skip
"""Phenotypes of a simulated person, in the order of the table's columns."""


def write_phenotypes(path: Path, people: pd.DataFrame) -> None:
    """Write a table as the Research Analysis Platform exports it: sex as code, VAT in grams."""
    table = people.assign(
        sex=(people["sex"] == "Male").astype(int),
        age=people["age"].astype(int),
        vat_mass=(people["vat_mass"] * 1000).round().astype(int),
        assessment_centre=np.array([11025, 11026, 11027])[people["eid"] % 3],
    )
    decimals = {"bmi": 4, "bmd_spine": 3, "bmd_femoral_neck": 3, "bmd_total_hip": 3, "bmd_femoral_shaft": 3}
    decimals |= dict.fromkeys(("android_fat", "gynoid_fat", "legs_fat", "trunk_fat", "total_fat"), 1)
    known = load_fields()
    columns = {"eid": "eid"} | {name: platform_column(known[name], instance=2) for name in _EXPORTED}
    table[list(columns)].round(decimals).rename(columns=columns).to_csv(path, index=False)
