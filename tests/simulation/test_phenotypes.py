from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bmx.phenotypes.fields import load_fields
from bmx.phenotypes.read import read_phenotypes
from bmx.simulation.diagnoses import with_diagnoses
from bmx.simulation.people import draw_people
from bmx.simulation.phenotypes import ICD10_COLUMN, write_phenotypes


@pytest.fixture
def people() -> pd.DataFrame:
    return draw_people(40, seed=3)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


NOT_DRAWN = {
    "imaging_date", "dxa_completed", "abdominal_mri_completed", "handedness", "ethnic_background", "icd10_date", "icd9",
    "self_reported_illness",
}  # fmt: skip
"""What the study doesn't use."""


def test_write_phenotypes__holds_every_field_of_the_study(people: pd.DataFrame, tmp_path: Path) -> None:
    """A field that is missing here would never be tried by the journey's tests; values come back up to rounding."""
    write_phenotypes(tmp_path / "table.csv", people)
    table = read_phenotypes(tmp_path / "table.csv", instance=2)
    assert set(table.data_vars) == set(load_fields()) - NOT_DRAWN
    for name in (set(load_fields()) & set(people)) - {"sex", "icd10"}:
        np.testing.assert_allclose(table[name], people[name], atol=0.051, err_msg=name)


def test_write_phenotypes__diagnoses_are_one_cell(people: pd.DataFrame, tmp_path: Path) -> None:
    """Codes with bars between, as the platform's table export writes a field of many values; nothing where none."""
    people.loc[5, "icd10"] = with_diagnoses(people.loc[5].to_dict(), ["M419", "Z966"])["icd10"]
    people.loc[6, "icd10"] = ""
    write_phenotypes(tmp_path / "table.csv", people)
    cells = [row[ICD10_COLUMN] for row in rows(tmp_path / "table.csv")]
    assert cells == people["icd10"].tolist()
    assert {"M419", "Z966"} <= set(cells[5].split("|"))
    assert cells[6] == ""


def test_write_phenotypes__measures_before_imaging_agree_with_those_of_the_visit(
    people: pd.DataFrame, tmp_path: Path
) -> None:
    """Also for someone whom a fault has made shorter than they were drawn."""
    people.loc[2, "height"] = 145.0
    write_phenotypes(tmp_path / "table.csv", people)
    table = read_phenotypes(tmp_path / "table.csv", instance=2)
    np.testing.assert_allclose(table["height_imaging"], people["height"], atol=0.5)
    bmi = table["weight_imaging"] / (table["height"] / 100) ** 2
    np.testing.assert_allclose(bmi, table["bmi"], atol=0.3)
    assert float(table["height_imaging"][2]) == 145
    assert set((table["age"] + table["year_of_birth"]).to_numpy()) <= set(range(2015, 2021))
    assert not table["diabetes_doctor"].any()


def test_write_phenotypes__what_is_missing_stays_missing(people: pd.DataFrame, tmp_path: Path) -> None:
    """One in seven imaged people has no DXA: an empty cell, neither zero nor an error."""
    people.loc[4, ["bmd_spine", "tscore_spine", "vat_mass"]] = np.nan
    write_phenotypes(tmp_path / "table.csv", people)
    assert rows(tmp_path / "table.csv")[4]["p23288_i2"] == ""
    table = read_phenotypes(tmp_path / "table.csv", instance=2)
    assert np.isnan(table[["bmd_spine", "tscore_spine", "vat_mass"]].isel(participant=4).to_array()).all()
    assert np.isfinite(table["vat_mass"]).sum() == len(people) - 1
