from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.regions import REGIONS
from bmx.simulation.people import BMFF_PERCENT, DENSITY_MODELS, YOUNG_ADULT, draw_people, draw_person, person_at
from bmx.variables import VARIABLES


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return draw_people(5000, seed=7)


@settings(max_examples=20)
@given(n=st.integers(1, 12), k=st.integers(1, 12), seed=st.integers(0, 2**31 - 1))
def test_draw_people__the_first_are_the_same_however_many_there_are(n: int, k: int, seed: int) -> None:
    """Property: a cohort can grow, and a task can draw its own participant."""
    fewer, more = sorted((n, k))
    pd.testing.assert_frame_equal(draw_people(fewer, seed), draw_people(more, seed).head(fewer))


def test_draw_people__other_seeds_give_other_people() -> None:
    """Training and evaluation must not meet the same people."""
    columns = ["age", "height", "bmi", "bmff_spine"]
    one, other = (draw_people(50, seed)[columns].apply(tuple, axis=1) for seed in (0, 1))
    assert not set(one) & set(other)


def test_draw_people__have_eids_as_uk_biobank_gives_them(people: pd.DataFrame) -> None:
    """Seven digits, each once, in no order."""
    assert people["eid"].is_unique
    assert people["eid"].between(1_000_000, 5_999_999).all()
    assert not people["eid"].is_monotonic_increasing


def test_draw_people__are_those_of_the_papers_table_1(people: pd.DataFrame) -> None:
    """Age 60-69, BMI 18.5-25, 62 % women; only declared phenotypes and regions."""
    assert people["age"].between(60, 69).all()
    assert people["bmi"].between(18.5, 25).all()
    assert (people["sex"] == "Female").mean() == pytest.approx(0.62, abs=4 * np.sqrt(0.62 * 0.38 / 5000))
    assert people.groupby("sex")["height"].mean().to_dict() == pytest.approx({"Male": 175.5, "Female": 162.5}, abs=0.7)
    assert set(people) - set(VARIABLES) == {"eid", *(f"bmff_{region}" for region in REGIONS)}


@pytest.mark.parametrize("sex", ["Male", "Female"])
@pytest.mark.parametrize("region", REGIONS)
def test_draw_people__have_the_fat_fractions_of_their_sex(people: pd.DataFrame, sex: str, region: str) -> None:
    """Mean and SD as declared; values are cut at 96 %, which narrows the femoral head a little."""
    mean, sd = BMFF_PERCENT[sex][region]
    bmff = people.loc[people["sex"] == sex, f"bmff_{region}"]
    assert bmff.between(15, 96).all()
    assert bmff.mean() == pytest.approx(mean, abs=0.8)
    assert bmff.std() == pytest.approx(sd, rel=0.15)


def test_draw_people__femoral_sites_go_together_and_the_spine_loosely(people: pd.DataFrame) -> None:
    """Table 4 of the paper: who has a fatty hip has a fatty shaft; the spine says little about either."""
    women = people.loc[people["sex"] == "Female", [f"bmff_{region}" for region in REGIONS]].corr()
    femoral = [women.loc["bmff_total_hip", f"bmff_{other}"] for other in ("femoral_head", "femoral_diaphysis")]
    assert min(femoral) > 0.5
    assert 0.1 < women.loc["bmff_spine", "bmff_total_hip"] < 0.4


@pytest.mark.parametrize("density", DENSITY_MODELS)
def test_draw_people__density_follows_the_papers_model(people: pd.DataFrame, density: str) -> None:
    """Oracle: least squares on 5,000 people finds the coefficients that made them, within 4 standard errors."""
    model = DENSITY_MODELS[density]
    design = np.column_stack(
        [np.ones(len(people)), people[f"bmff_{model.exposure}"], people["sex"] == "Male", people["bmi"]]
    ).astype(float)
    outcome = people[density].to_numpy()
    found, *_ = np.linalg.lstsq(design, outcome, rcond=None)
    residual = outcome - design @ found
    variance = residual @ residual / (len(people) - design.shape[1])
    error = np.sqrt(variance * np.diag(np.linalg.inv(design.T @ design)))
    intercept = model.typical - model.bmff * BMFF_PERCENT["Female"][model.exposure][0] - 22.5 * model.bmi
    made = np.array([intercept, model.bmff, model.male, model.bmi])
    assert np.all(np.abs(found - made) < 4 * error), (found, made, error)
    assert np.sqrt(variance) == pytest.approx(model.residual_sd, rel=0.05)


def test_draw_people__t_scores_are_those_of_their_density(people: pd.DataFrame) -> None:
    """(BMD - young mean) / young SD to one decimal, as a scanner prints it."""
    for name, (mean, sd) in YOUNG_ADULT.items():
        density = people[name.replace("tscore", "bmd")]
        assert (people[name] - (density - mean) / sd).abs().max() <= 0.05 + 1e-9


def test_draw_person__is_the_row_of_everybody(people: pd.DataFrame) -> None:
    """A worker draws its own participant alone; that must be the one in the phenotype table."""
    assert draw_person(int(people["eid"][3]), 7, 3) == person_at(people, 3)


def test_person_at__gives_one_row_by_its_names(people: pd.DataFrame) -> None:
    """What the bodies are made from."""
    person = person_at(people, 3)
    assert list(person) == list(people)
    assert person["eid"] == people["eid"][3]
    assert person["sex"] in ("Male", "Female")
