from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.regions import REGIONS
from bmx.simulation.density import bone_group
from bmx.simulation.people import draw_people, draw_person, person_at
from bmx.variables import VARIABLES

GROUPS = ("control", "osteopaenic", "osteoporotic")


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    drawn = draw_people(5000, seed=7)
    drawn["group"] = [bone_group(person) for person in drawn.to_dict("records")]
    return drawn


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
    assert people["age"].median() == 65
    assert people["bmi"].between(18.5, 25).all()
    assert (people["sex"] == "Female").mean() == pytest.approx(0.62, abs=4 * np.sqrt(0.62 * 0.38 / 5000))
    assert people.groupby("sex")["height"].mean().to_dict() == pytest.approx({"Male": 175.5, "Female": 162.5}, abs=0.7)
    assert not people.isna().any(axis=None)
    undeclared = {"eid", "group", *(f"bmff_{region}" for region in REGIONS)}
    assert set(people) - set(VARIABLES) == undeclared


@pytest.mark.parametrize(("sex", "sizes"), [("Male", (138, 146, 17)), ("Female", (134, 262, 70))])
def test_draw_people__fall_into_bone_groups_as_the_papers_do(
    people: pd.DataFrame, sex: str, sizes: tuple[int, int, int]
) -> None:
    """Table 1: shares of control, osteopaenic and osteoporotic people within binomial error."""
    groups = people.loc[people["sex"] == sex, "group"]
    for group, size in zip(GROUPS, sizes, strict=True):
        share = size / sum(sizes)
        assert (groups == group).mean() == pytest.approx(share, abs=3 * np.sqrt(share * (1 - share) / len(groups)))


@pytest.mark.parametrize(
    ("variable", "men", "women"),
    [
        ("bmi", (23.6, 23.3, 22.0), (22.9, 22.6, 21.7)),
        ("tscore_spine", (0.65, -1, -3), (0.15, -1.5, -2.8)),
        ("tscore_total_hip", (0.2, -1.12, -2.2), (0, -1.4, -2.22)),
        ("tscore_femoral_neck", (-0.3, -1.5, -2.45), (-0.15, -1.45, -2.11)),
        ("legs_fat", (20.9, 21.2, 21.3), (35.2, 36.9, 37.1)),
        ("trunk_fat", (29.1, 28.6, 24.3), (35.4, 33.3, 32.3)),
        ("vat_mass", (0.949, 0.784, 0.586), (0.407, 0.347, 0.296)),
    ],
)
def test_draw_people__have_the_variables_of_their_bone_group(
    people: pd.DataFrame, variable: str, men: tuple[float, ...], women: tuple[float, ...]
) -> None:
    """Table 1: within half an SD, though nothing but density makes the groups; the 17 osteoporotic men within one."""
    for sex, printed in {"Male": men, "Female": women}.items():
        for group, centre in zip(GROUPS, printed, strict=True):
            some = people.loc[(people["sex"] == sex) & (people["group"] == group), variable]
            few = (sex, group) == ("Male", "osteoporotic")
            assert some.median() == pytest.approx(centre, abs=(1.0 if few else 0.5) * some.std()), (sex, group)


def test_draw_person__is_the_row_of_everybody(people: pd.DataFrame) -> None:
    """A worker draws its own participant alone; that must be the one in the phenotype table."""
    assert draw_person(int(people["eid"][3]), 7, 3) == person_at(people.drop(columns="group"), 3)


def test_person_at__gives_one_row_by_its_names(people: pd.DataFrame) -> None:
    """What the bodies are made from."""
    person = person_at(people, 3)
    assert list(person) == list(people)
    assert person["eid"] == people["eid"][3]
    assert person["sex"] in ("Male", "Female")
