from __future__ import annotations

import pandas as pd
import pytest

from bmx.analysis import regress
from bmx.simulation.people import draw_people


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return draw_people(5000, seed=7)


def _terms(people: pd.DataFrame, formula: str) -> pd.DataFrame:
    return regress(people, formula).terms.set_index("term")


@pytest.mark.parametrize(
    ("formula", "legs", "men"),
    [
        ("bmd_spine ~ bmff_spine + sex + bmi", -0.006, 0.061),
        ("bmd_femoral_neck ~ bmff_total_hip + sex + bmi", -0.0035, 0.056),
        ("bmd_total_hip ~ bmff_total_hip + sex + bmi", -0.005, 0.068),
        ("bmd_femoral_shaft ~ bmff_femoral_diaphysis + sex + bmi", -0.007, 0.038),
    ],
)
def test_draw_body_fat__leg_fat_takes_the_place_of_sex(
    people: pd.DataFrame, formula: str, legs: float, men: float
) -> None:
    """Models 4.3, 5.6, 6.3 and 7.3: density falls with leg fat, and little is left of the advantage of men."""
    without, added = _terms(people, formula), _terms(people, f"{formula} + legs_fat")
    assert added.loc["legs_fat", "conf_high"] < 0
    assert added.loc["legs_fat", "estimate"] == pytest.approx(legs, abs=0.002)
    assert added.loc["sex[Male]", "estimate"] == pytest.approx(men, abs=0.045)
    assert added.loc["sex[Male]", "estimate"] < without.loc["sex[Male]", "estimate"] - 0.04
    exposure = without.index[1]
    assert added.loc[exposure, "estimate"] == pytest.approx(without.loc[exposure, "estimate"], rel=0.1)


def test_draw_body_fat__visceral_fat_goes_with_dense_spines(people: pd.DataFrame) -> None:
    """Model 4.4; for the shaft (7.4) and the total hip (6.4) the sign is the other one."""
    extra = "+ sex + bmi + legs_fat + vat_mass"
    assert _terms(people, f"bmd_spine ~ bmff_spine {extra}").loc["vat_mass", "conf_low"] > 0.02
    assert _terms(people, f"bmd_total_hip ~ bmff_total_hip {extra}").loc["vat_mass", "estimate"] < 0
    assert _terms(people, f"bmd_femoral_shaft ~ bmff_femoral_diaphysis {extra}").loc["vat_mass", "conf_high"] < 0


def test_draw_body_fat__android_and_trunk_fat_are_hard_to_tell_apart(people: pd.DataFrame) -> None:
    """Model 7.7: nearly the same, with opposite signs; each alone (7.5, 7.6) is small."""
    alone = "bmd_femoral_shaft ~ bmff_femoral_diaphysis + sex + bmi + legs_fat"
    both = _terms(people, f"{alone} + vat_mass + android_fat + trunk_fat")
    assert both.loc["android_fat", "conf_high"] < 0 < both.loc["trunk_fat", "conf_low"]
    assert both.loc["android_fat", "vif"] > 15
    for name in ("android_fat", "trunk_fat"):
        assert -0.004 < _terms(people, f"{alone} + {name}").loc[name, "estimate"] < 0


def test_draw_body_fat__differs_by_sex_as_in_table_1(people: pd.DataFrame) -> None:
    """Women carry fat on the legs, men in the belly."""
    means = people.groupby("sex")[["legs_fat", "gynoid_fat", "total_fat", "vat_mass"]].mean()
    assert means.loc["Female"].to_dict() == pytest.approx(
        {"legs_fat": 36.4, "gynoid_fat": 38.3, "total_fat": 34.4, "vat_mass": 0.44}, rel=0.05
    )
    assert means.loc["Male"].to_dict() == pytest.approx(
        {"legs_fat": 21.1, "gynoid_fat": 24.3, "total_fat": 24.9, "vat_mass": 0.87}, rel=0.05
    )
    assert (people[["legs_fat", "android_fat", "trunk_fat", "vat_mass"]] > 0).all(axis=None)


@pytest.mark.parametrize("sex", ["Male", "Female"])
def test_draw_body_fat__goes_with_marrow_fat_as_the_paper_says(people: pd.DataFrame, sex: str) -> None:
    """Fatter bellies have fatter spines and, if anything, leaner shafts."""
    some = people[people["sex"] == sex]
    for name in ("android_fat", "trunk_fat", "vat_mass", "total_fat"):
        assert some[name].corr(some["bmff_spine"]) > 0
    assert some["vat_mass"].corr(some["bmff_femoral_diaphysis"]) < 0
