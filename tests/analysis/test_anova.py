from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from bmx.analysis.regression import regress
from bmx.errors import AnalysisError
from tests.analysis.r_models import LOGISTIC, MODELS, assert_agrees, people, r_says

TYPES = (1, 2, 3)
FIXTURES = Path(__file__).parent / "fixtures"


@pytest.mark.parametrize("model", sorted(MODELS))
@pytest.mark.parametrize("number", TYPES)
def test_anova__is_that_of_r(model: str, number: int) -> None:
    found = regress(people(), MODELS[model]).anova(number)
    assert_agrees(found.set_index("term"), r_says(f"anova {number}", model))
    assert found.attrs["type"] == number


@pytest.mark.parametrize("model", sorted(MODELS))
def test_anova__of_a_weighted_fit_is_that_of_r(model: str) -> None:
    found = regress(people(), MODELS[model], weights="weight").anova(2)
    assert_agrees(found.set_index("term"), r_says("weighted anova 2", model))


@pytest.mark.parametrize("model", sorted(MODELS))
def test_anova__with_robust_errors_is_walds_f(model: str) -> None:
    found = regress(people(), MODELS[model], vcov="HC3").anova(3)
    expected = r_says("anova HC3", model).drop("Residual")
    assert_agrees(found.set_index("term"), expected[["df", "statistic", "p_value"]])


@pytest.mark.parametrize("model", sorted(LOGISTIC))
@pytest.mark.parametrize("number", TYPES)
def test_anova__of_a_logistic_model_is_rs_likelihood_ratio(model: str, number: int) -> None:
    found = regress(people(), LOGISTIC[model], family="binomial").anova(number)
    assert_agrees(found.set_index("term"), r_says(f"logistic anova {number}", model)[["df", "lr_chisq", "p_value"]])


def test_anova__type_3_does_not_depend_on_the_reference() -> None:
    # With treatment contrasts the test of sex would be that of sex among the reference of status alone.
    one = regress(people(), "bmd_spine ~ sex * status").anova(3)
    other = regress(people(), "bmd_spine ~ sex * C(status, contr.treatment('osteoporotic'))").anova(3)
    np.testing.assert_allclose(one["sum_sq"], other["sum_sq"])
    assert one["term"].tolist() == ["sex", "status", "sex:status", "Residual"]


def test_anova__type_2_agrees_with_statsmodels() -> None:
    cohort = people().dropna(subset=["bmd_spine", "bmi", "bmff_spine"])
    found = regress(cohort, "bmd_spine ~ bmff_spine * sex + bmi").anova("II").set_index("term")
    theirs = anova_lm(ols("bmd_spine ~ bmff_spine * sex + bmi", cohort).fit(), typ=2)
    np.testing.assert_allclose(found["sum_sq"], theirs.loc[found.index, "sum_sq"])


@pytest.mark.parametrize("number", TYPES)
def test_anova__of_one_term_is_the_f_of_the_whole(number: int) -> None:
    fit = regress(people(), "bmd_spine ~ status")
    found = fit.anova(number).set_index("term")
    assert found.loc["status", "statistic"] == pytest.approx(fit.summary.f)
    assert found.loc["Residual", "df"] == fit.df_residual


def test_anova__sums_of_type_1_add_up_to_the_total() -> None:
    fit = regress(people(), MODELS["crossed"])
    assert fit.anova(1)["sum_sq"].sum() == pytest.approx(fit.summary.null_deviance)


def test_anova__without_an_intercept() -> None:
    fit = regress(people(), "bmd_spine ~ 0 + bmff_spine + bmi")
    assert fit.anova(1)["sum_sq"].sum() == pytest.approx(fit.summary.null_deviance)
    assert fit.anova(2)["term"].tolist() == ["bmff_spine", "bmi", "Residual"]


def test_anova__of_the_intercept_alone_is_its_residuals() -> None:
    found = regress(people(), "bmd_spine ~ 1").anova(2)
    assert found["term"].tolist() == ["Residual"]
    assert found["df"].tolist() == [133]


def test_anova__teaches() -> None:
    fit = regress(people(), MODELS["main"])
    with pytest.raises(AnalysisError, match="type=4 is not known; expected 1, 2 or 3"):
        fit.anova(4)
    with pytest.raises(AnalysisError, match="which HC3 standard errors do not have; use type=3"):
        fit.with_vcov("HC3").anova(2)


@pytest.mark.parametrize("variable", ["bmff_spine", "bmff_femoral_head", "lesions"])
def test_anova__of_two_crossed_factors_is_r_type_three(variable: str) -> None:
    """Unbalanced, with sum contrasts: Prism's two-way analysis of variance."""
    cohort = pd.read_csv(FIXTURES / "groups_cohort.csv").set_index("eid")
    found = regress(cohort, f"{variable} ~ bone * sex", qc=None).anova(3).set_index("term")
    r = pd.read_csv(FIXTURES / "groups_two_way.csv").set_index(["variable", "term"]).loc[variable]
    for term in ("bone", "sex", "bone:sex"):
        ours, theirs = found.loc[term], r.loc[term]
        np.testing.assert_allclose(
            ours[["sum_sq", "df", "statistic", "p_value"]].to_numpy(float),
            theirs[["sum_sq", "df", "statistic", "p_value"]].to_numpy(float), rtol=1e-8,
        )  # fmt: skip
