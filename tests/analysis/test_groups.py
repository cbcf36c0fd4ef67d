from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bmx.analysis.associations import associate
from bmx.analysis.descriptives import describe
from bmx.analysis.group_statistics import group_statistics
from bmx.analysis.group_tests import dunn
from bmx.analysis.groups import compare_groups
from bmx.errors import AnalysisError

FIXTURES = Path(__file__).parent / "fixtures"
VARIABLES = ["bmff_spine", "bmff_femoral_head", "lesions", "vat_mass"]


def cohort() -> pd.DataFrame:
    return pd.read_csv(FIXTURES / "groups_cohort.csv").set_index("eid")


@pytest.mark.parametrize("row", pd.read_csv(FIXTURES / "groups_normality.csv").to_dict("records"),
                         ids=lambda row: f"{row['variable']} {row['sex']} {row['bone']}")  # fmt: skip
def test_group_statistics__gives_the_numbers_of_r(row: dict[str, float | str]) -> None:
    """nortest's Anderson-Darling, and quantiles of types 7 and 6, to 1e-8."""
    people = cohort()
    values = people.loc[(people["sex"] == row["sex"]) & (people["bone"] == row["bone"]), row["variable"]]
    seven, six = group_statistics(values), group_statistics(values, "weibull")
    assert seven.n == row["n"]
    found = [seven.mean, seven.sem, seven.median, seven.q1, seven.q3, six.q1, six.q3, seven.normal_p]
    expected = [row[name] for name in ("mean", "sem", "median", "q1_7", "q3_7", "q1_6", "q3_6", "p_value")]
    np.testing.assert_allclose(found, expected, rtol=1e-8)


@pytest.mark.parametrize("test", ["anova", "kruskal"])
@pytest.mark.parametrize("variable", VARIABLES)
def test_compare_groups__tests_all_groups_as_r(variable: str, test: str) -> None:
    found = compare_groups(cohort(), variable, "bone", within="sex", test=test).tests  # type: ignore[arg-type]
    r = pd.read_csv(FIXTURES / "groups_overall.csv")
    r = r[(r["variable"] == variable) & (r["test"] == test)].set_index("sex")
    for row in found.to_dict("records"):
        for name in ("statistic", "df", "df_residual", "p_value"):
            np.testing.assert_allclose(row[name], r.loc[row["stratum"], name], rtol=1e-8, err_msg=name)


@pytest.mark.parametrize("against", [None, "control"])
@pytest.mark.parametrize("adjust", ["sidak", "bonferroni", None])
@pytest.mark.parametrize("variable", VARIABLES)
def test_compare_groups__compares_means_as_emmeans(variable: str, adjust: str | None, against: str | None) -> None:
    """On the pooled SD of all groups, which a t test of two of them is not."""
    found = compare_groups(cohort(), variable, "bone", within="sex", against=against, test="anova", adjust=adjust).pairs
    r = pd.read_csv(FIXTURES / "groups_pairs.csv")
    how = "pairwise" if against is None else "trt.vs.ctrl"
    r = r[
        (r["variable"] == variable) & (r["test"] == "anova") & (r["how"] == how) & (r["method"] == (adjust or "none"))
    ]
    both = found.merge(r, left_on=["stratum", "contrast"], right_on=["sex", "contrast"], suffixes=("", "_r"))
    assert len(both) == len(found) == len(r)
    for name in ("estimate", "std_error", "statistic", "df", "conf_low", "conf_high"):
        np.testing.assert_allclose(both[name], both[f"{name}_r"], rtol=1e-8, err_msg=name)
    np.testing.assert_allclose(both["p_adjusted"], both["p_value_r"], rtol=1e-7, atol=1e-13)


@pytest.mark.parametrize("variable", VARIABLES)
def test_compare_groups__compares_ranks_as_rstatix(variable: str) -> None:
    """Dunn's test with ties; rstatix takes the first group from the second."""
    found = compare_groups(cohort(), variable, "bone", within="sex", test="kruskal").pairs
    r = pd.read_csv(FIXTURES / "groups_pairs.csv")
    r = r[(r["variable"] == variable) & (r["test"] == "dunn")]
    both = found.merge(r, left_on=["stratum", "contrast"], right_on=["sex", "contrast"], suffixes=("", "_r"))
    assert len(both) == 6
    np.testing.assert_allclose(both["statistic"], -both["statistic_r"], rtol=1e-8)
    np.testing.assert_allclose(both["p_adjusted"], both["p_value_r"], rtol=1e-8)


def test_compare_groups__one_group_that_is_not_normal_sends_all_to_ranks() -> None:
    assert set(compare_groups(cohort(), "bmff_spine", "bone", within="sex").tests["test"]) == {"anova"}
    found = compare_groups(cohort(), "lesions", "bone", within="sex")
    assert set(found.tests["test"]) == {"kruskal"}
    assert "groups are not normal (Anderson-Darling)" in found.notes[0]
    assert "Bonferroni for 3 tests of each stratum" in found.notes[-1]


def test_compare_groups__prints_n_and_what_was_adjusted() -> None:
    text = str(compare_groups(cohort(), "bmff_spine", "bone", within="sex"))
    assert text.startswith("bmff_spine by bone within sex")
    assert "Female, control 46" in text
    assert "P adjusted by Šídák for 3 tests of each stratum." in text
    assert "<table" in compare_groups(cohort(), "bmff_spine", "bone")._repr_html_()
    assert r"\toprule" in compare_groups(cohort(), "bmff_spine", "bone").to_latex()


def test_compare_groups__draws_every_participant() -> None:
    found = compare_groups(cohort(), "bmff_spine", "bone", within="sex")
    axes = found.plot().axes
    assert [one.get_title() for one in axes] == ["Female", "Male"]
    drawn = sum(
        len(points.get_offsets()) for one in axes for points in one.collections if points.get_offsets().size > 2
    )
    assert drawn >= len(found.values)


def test_dunn__of_two_groups_is_that_of_ranks() -> None:
    """Against the formula without ties: z = difference of mean ranks over sqrt(N(N+1)/12 (1/a + 1/b))."""
    found = dunn({"a": np.array([1.0, 3, 5]), "b": np.array([2.0, 4, 6, 7])}, None)
    expected = (9 / 3 - 19 / 4) / np.sqrt(7 * 8 / 12 * (1 / 3 + 1 / 4))
    assert found["statistic"][0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variable": "bmff_spne"}, "no column 'bmff_spne'"),
        ({"by": "sex", "where": cohort()["sex"] == "Male"}, "sex has a single group, Male"),
        ({"against": "contrl"}, "no group is called 'contrl'.*did you mean control"),
        ({"test": "t"}, "test='t' is not known"),
        ({"adjust": "sidack"}, "adjust='sidack' is not known"),
        ({"variable": "sex", "by": "bone"}, "sex holds text"),
    ],
)
def test_compare_groups__refuses(options: dict[str, object], message: str) -> None:
    asked = {"variable": "bmff_spine", "by": "bone", **options}
    with pytest.raises(AnalysisError, match=message):
        compare_groups(cohort(), **asked)  # type: ignore[arg-type]


def test_compare_groups__says_its_level_its_families_and_what_it_could_not_test() -> None:
    """Women have three groups and men two; no group is large enough for a test of normality."""
    table = pd.DataFrame({
        "y": [1.0, 2, 3, 4, 5, 6, 1, 2, 4, 5], "g": [*"aabbcc", *"aabb"], "sex": ["Female"] * 6 + ["Male"] * 4
    })  # fmt: skip
    found = compare_groups(table, "y", "g", within="sex", confidence=0.5)
    assert "50% CI" in found.layout.cells
    assert "since no group departs from normal (Anderson-Darling; 5 of 5 groups are too small to be tested)" in str(
        found
    )
    assert "Female: p adjusted by Šídák for 3 tests; Male: p adjusted by Šídák for 1 test" in str(found)


def test_compare_groups__of_values_that_are_all_the_same_is_refused() -> None:
    table = pd.DataFrame({"y": [1.0] * 4, "g": [*"aabb"]})
    with pytest.raises(AnalysisError, match="all values are the same; there is nothing to compare"):
        compare_groups(table, "y", "g", test="anova")


def test_compare_groups__says_that_it_used_what_failed_qc() -> None:
    table = pd.DataFrame(
        {"bmff_spine": [1.0, 2, 3, 4], "qc_outcome_spine": ["ok", "small", "ok", "ok"], "g": [*"aabb"]}
    )
    with pytest.warns(UserWarning, match="1 bmff_spine"):
        found = compare_groups(table, "bmff_spine", "g", qc=None)
    assert "Used although they failed QC (qc=None): 1 bmff_spine." in str(found)
    with pytest.warns(UserWarning, match="1 bmff_spine"):
        assert "used although they failed QC" in str(describe(table, "bmff_spine", "g", qc=None))
    with pytest.warns(UserWarning, match="1 bmff_spine"):
        assert "used although they failed QC" in str(
            associate(table.assign(x=[1.0, 3, 2, 5]), "x", "bmff_spine", qc=None)
        )
