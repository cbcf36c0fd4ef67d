from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bmx.regions import REGIONS
from bmx.simulation.marrow_fat import BMFF_CAP, BMFF_CORRELATION, BMFF_FLOOR, BMFF_PERCENT, marrow_law
from bmx.simulation.people import draw_people


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return draw_people(5000, seed=7)


@pytest.mark.parametrize("sex", ["Male", "Female"])
@pytest.mark.parametrize("region", REGIONS)
def test_marrow_law__people_have_the_fat_fractions_of_their_sex(people: pd.DataFrame, sex: str, region: str) -> None:
    """Mean and SD as declared, though nobody's marrow is fatter than pure fat looks."""
    mean, sd = BMFF_PERCENT[sex][region]
    bmff = people.loc[people["sex"] == sex, f"bmff_{region}"]
    assert bmff.between(BMFF_FLOOR, BMFF_CAP).all()
    assert bmff.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(len(bmff)))
    assert bmff.std() == pytest.approx(sd, rel=0.1)


def test_marrow_law__nobody_sticks_to_the_cap(people: pd.DataFrame) -> None:
    """Cut values would be a spike of equal people, and their marrow would have no spread."""
    heads = people["bmff_femoral_head"]
    assert heads.is_unique
    assert (heads > BMFF_CAP - 0.05).mean() < 0.02


@pytest.mark.parametrize("sex", ["Male", "Female"])
def test_marrow_law__regions_go_together_as_in_table_4(people: pd.DataFrame, sex: str) -> None:
    """Within a sex, each correlation within its sampling error."""
    some = people[people["sex"] == sex]
    for (one, other), wanted in BMFF_CORRELATION[sex].items():
        found = some[f"bmff_{one}"].corr(some[f"bmff_{other}"])
        assert np.arctanh(found) == pytest.approx(np.arctanh(wanted), abs=5 / np.sqrt(len(some))), (one, other)


@pytest.mark.parametrize(
    ("one", "other", "r2", "n"),
    [
        ("spine", "femoral_head", 0.017, 627),
        ("spine", "total_hip", 0.056, 673),
        ("spine", "femoral_diaphysis", 0.008, 675),
        ("femoral_head", "total_hip", 0.553, 629),
        ("femoral_head", "femoral_diaphysis", 0.170, 610),
        ("total_hip", "femoral_diaphysis", 0.282, 646),
    ],
)
def test_marrow_law__both_sexes_together_come_to_the_papers_r2(
    people: pd.DataFrame, one: str, other: str, r2: float, n: int
) -> None:
    """Table 4, "Both": the difference between the sexes counts, too. Within two of the paper's standard errors."""
    found = people[f"bmff_{one}"].corr(people[f"bmff_{other}"])
    assert np.arctanh(found) == pytest.approx(np.arctanh(np.sqrt(r2)), abs=2 / np.sqrt(n - 3))


def test_marrow_law__spine_marrow_is_fatter_in_older_people(people: pd.DataFrame) -> None:
    """The paper finds that in the spine and in no part of the femur."""
    by_age = people[["age", *(f"bmff_{region}" for region in REGIONS)]].corr()["age"]
    assert by_age["bmff_spine"] > 0.08
    assert by_age[["bmff_femoral_head", "bmff_total_hip", "bmff_femoral_diaphysis"]].abs().max() < 0.06


@pytest.mark.parametrize("sex", ["Male", "Female"])
def test_marrow_law__more_is_fatter(sex: str) -> None:
    """Monotonic, and safe far out: a number of 9 SDs is not infinity."""
    law = marrow_law(sex)
    steps = np.array([law.from_normal(np.full(len(REGIONS), normal)) for normal in (-9.0, -1.0, 0.0, 1.0, 9.0)])
    assert (np.diff(steps[1:], axis=0) > 0).all()
    assert (steps >= BMFF_FLOOR).all()
    assert (steps <= BMFF_CAP).all()
