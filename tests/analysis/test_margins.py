from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bmx.analysis.margins import reference_grid
from bmx.analysis.regression import regress
from bmx.errors import AnalysisError
from tests.analysis.r_models import LOGISTIC, MODELS, assert_agrees, by_group, people, r_says

NEWTON = 1e-6


def test_means__are_those_of_emmeans() -> None:
    fit = regress(people(), MODELS["crossed"])
    assert_agrees(by_group(fit.means("sex"), "sex"), r_says("means sex", "crossed"))
    assert_agrees(by_group(fit.means("sex", at={"bmi": 25}), "sex"), r_says("means sex at bmi 25", "crossed"))
    expected = r_says("means status,sex", "crossed")
    both = by_group(fit.means(["status", "sex"]), "status", "sex")
    assert_agrees(both.loc[list(expected.index)], expected)  # R lets the first change fastest


def test_means__of_a_logistic_model_are_those_of_emmeans() -> None:
    found = regress(people(), LOGISTIC["both"], family="binomial").means("status")
    assert_agrees(by_group(found, "status"), r_says("logistic means status", "both"), rtol=NEWTON)
    np.testing.assert_allclose(found["probability"], 1 / (1 + np.exp(-found["estimate"])))


def test_means__of_one_factor_alone_are_the_means_of_the_groups() -> None:
    found = regress(people(), "bmd_spine ~ status").means("status").set_index("status")
    pd.testing.assert_series_equal(found["estimate"], people().groupby("status")["bmd_spine"].mean(), check_names=False)


def test_means__other_groups_count_equally_however_many_they_are() -> None:
    cohort = people()
    cells = cohort.pivot_table("bmd_spine", "sex", "status")
    found = regress(cohort, MODELS["groups"]).means("sex")
    np.testing.assert_allclose(found["estimate"], cells.mean(axis=1))


def test_means__of_codes_are_named_by_whole_numbers() -> None:
    found = regress(people(), MODELS["crossed"]).means("assessment_centre")
    assert found["assessment_centre"].tolist() == [11025, 11026, 11027]


def test_means__of_a_quantity_at_values() -> None:
    found = regress(people(), MODELS["main"]).means(["sex", "bmi"], at={"bmi": [20, 25]})
    assert found[["sex", "bmi"]].to_numpy().tolist() == [["Female", 20], ["Female", 25], ["Male", 20], ["Male", 25]]
    slope = regress(people(), MODELS["main"]).params["bmi"]
    np.testing.assert_allclose(np.diff(found["estimate"])[[0, 2]], 5 * slope)


def test_slopes__are_those_of_emtrends() -> None:
    fit = regress(people(), MODELS["crossed"])
    assert_agrees(by_group(fit.slopes("bmff_spine", by="sex"), "sex"), r_says("slopes sex", "crossed"))
    assert_agrees(by_group(fit.slopes("bmff_spine"), *[]), r_says("slopes all", "crossed"))
    logistic = regress(people(), LOGISTIC["both"], family="binomial").slopes("height", by="sex")
    assert_agrees(by_group(logistic, "sex"), r_says("logistic slopes sex", "both"), rtol=NEWTON)


def test_slopes__of_a_curve_are_those_where_one_looks() -> None:
    fit = regress(people(), MODELS["curve"])
    # R divides the difference over a hundred-thousandth of the range: iterative.
    assert_agrees(by_group(fit.slopes("age", at={"age": 62}), *[]), r_says("slopes age 62", "curve"), rtol=1e-3)
    estimate = fit.params
    found = fit.slopes("age", at={"age": [60, 65]})
    exact = estimate["age"] + 2 * estimate["I(age ** 2)"] * np.array([60, 65])
    np.testing.assert_allclose(found["estimate"], exact, rtol=1e-7)
    assert found["age"].tolist() == [60, 65]


def test_slopes__share_one_variance_and_so_differ_from_separate_fits() -> None:
    cohort = people()
    simple = regress(cohort, "bmd_spine ~ bmff_spine * sex").slopes("bmff_spine", by="sex").set_index("sex")
    for sex in ("Female", "Male"):
        alone = regress(cohort, "bmd_spine ~ bmff_spine", where=cohort["sex"] == sex).terms.iloc[1]
        assert simple.loc[sex, "estimate"] == pytest.approx(alone["estimate"])
        assert simple.loc[sex, "std_error"] != pytest.approx(alone["std_error"], rel=0.01)
        assert simple.loc[sex, "df"] > alone["df"]


def test_reference_grid__rows_times_estimates_are_the_means() -> None:
    fit = regress(people(), MODELS["crossed"])
    groups, rows = reference_grid(fit, ["status"])
    assert groups["status"].tolist() == ["control", "osteopaenic", "osteoporotic"]
    np.testing.assert_allclose(rows @ fit.params.to_numpy(), fit.means("status")["estimate"])


@pytest.mark.parametrize(
    ("x", "at", "message"),
    [
        ("bmff", None, "'bmff' is not a variable of 'bmd_spine ~ .*'; it has bmff_spine, sex, status"),
        ("bmi", None, r"bmi is a quantity and has no groups: say where to look, at=\{'bmi': \[...\]\}"),
        ("sex", {"bmi": [20, 25]}, "has several values, expected one; or name bmi beside the groups"),
        ("sex", {"status": "frail"}, "status is frail in new data, which the model has not seen; it knows control"),
        ("sex", {"age": 60}, "'age' is not a variable of"),
    ],
)
def test_means__teaches(x: str, at: dict[str, object] | None, message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        regress(people(), MODELS["crossed"]).means(x, at=at)


def test_slopes__teaches() -> None:
    fit = regress(people(), MODELS["crossed"])
    with pytest.raises(AnalysisError, match=r"sex stands for groups and has no slope; see means\('sex'\)"):
        fit.slopes("sex")
    with pytest.raises(AnalysisError, match="bmi is in by= too"):
        fit.slopes("bmi", by="bmi")
