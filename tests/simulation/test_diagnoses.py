from __future__ import annotations

import pandas as pd
import pytest

from bmx.errors import PhenotypeError
from bmx.simulation.density import bone_group
from bmx.simulation.diagnoses import is_skeletal, split_codes, with_diagnoses
from bmx.simulation.people import draw_people


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    drawn = draw_people(5000, seed=7)
    drawn["group"] = [bone_group(person) for person in drawn.to_dict("records")]
    drawn["codes"] = drawn["icd10"].map(split_codes)
    return drawn


def test_draw_diagnoses__two_people_in_five_have_one_of_the_skeleton(people: pd.DataFrame) -> None:
    """Table 3, last column: 290 of 696, within sampling error of both."""
    skeletal = people["codes"].map(lambda codes: any(map(is_skeletal, codes)))
    assert skeletal.mean() == pytest.approx(290 / 696, abs=0.04)
    assert (people["icd10"] == "").mean() == pytest.approx(0.14, abs=0.05)


def test_draw_diagnoses__osteoporosis_is_known_where_bone_is_thin(people: pd.DataFrame) -> None:
    """A code says more than a T-score knows and less: not everybody with osteoporosis has been told."""
    known = people["codes"].map(lambda codes: any(code.startswith(("M80", "M81")) for code in codes))
    share = known.groupby(people["group"]).mean()
    assert share["control"] < 0.02 < share["osteoporotic"] < 0.4
    assert share["control"] < share["osteopaenic"] < share["osteoporotic"]


def test_draw_diagnoses__are_possible_for_the_sex(people: pd.DataFrame) -> None:
    """N40 and C61 are of the prostate, N81 of the womb."""
    of_men, of_women = (set(people.loc[people["sex"] == sex, "codes"].explode()) for sex in ("Male", "Female"))
    assert {"N40", "C61"} <= of_men - of_women
    assert "N814" in of_women - of_men


def test_with_diagnoses__adds_once_and_leaves_the_person_alone(people: pd.DataFrame) -> None:
    """A bodily fault calls it on whoever has the fault, perhaps with a code they have already."""
    person = {"eid": 1000001, "icd10": "I10|M545"}
    once = with_diagnoses(person, ["M419"])
    assert once == {"eid": 1000001, "icd10": "I10|M419|M545"}
    assert with_diagnoses(once, ["M419"]) == once
    assert with_diagnoses(person, []) == person == {"eid": 1000001, "icd10": "I10|M545"}
    healthy = people.loc[people["icd10"] == ""].iloc[0].to_dict()
    assert with_diagnoses(healthy, ("S320", "C859", "S320"))["icd10"] == "C859|S320"


@pytest.mark.parametrize("code", ["M41.9", "m419", "M4", "M419|I10", "", "scoliosis"])
def test_with_diagnoses__refuses_what_the_field_does_not_hold(code: str) -> None:
    """A dot would be a code that no map knows, a bar another person's diagnosis."""
    with pytest.raises(PhenotypeError, match="expected a letter and two to four digits without a dot, as M419"):
        with_diagnoses({"icd10": ""}, [code])


@pytest.mark.parametrize(
    "code", ["M169", "M179", "M419", "M485", "M545", "M809", "M819", "S320", "S720", "Z966", "C859"]
)
def test_is_skeletal__counts_what_the_paper_looked_for(code: str) -> None:
    """Joints, spine, fractures of thin bone, implants and lymphoma; not every M or S."""
    assert is_skeletal(code)
    assert not any(map(is_skeletal, ("I10", "M791", "S610", "C509", "Z864")))
