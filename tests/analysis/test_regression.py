from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bmx.analysis.regression import regress
from bmx.errors import AnalysisError

FIXTURES = Path(__file__).parent / "fixtures"
R_TERMS = pd.read_csv(FIXTURES / "lm_terms.csv")
R_SUMMARY = pd.read_csv(FIXTURES / "lm_summary.csv").set_index("formula")


def r_cohort() -> pd.DataFrame:
    return pd.read_csv(FIXTURES / "cohort.csv")


def as_bmx_writes(r_term: str) -> str:
    """R's name of a term in ours."""
    for r, ours in (
        ("(Intercept)", "Intercept"), ("sexMale", "sex[Male]"), ("sexFemale", "sex[Female]"),
        ("I(bmi^2)", "I(bmi ** 2)"),
        ("C(assessment_centre)11026", "C(assessment_centre)[11026]"),
        ("C(assessment_centre)11027", "C(assessment_centre)[11027]"),
    ):  # fmt: skip
        r_term = r_term.replace(r, ours)
    return r_term


@pytest.mark.parametrize("formula", list(R_SUMMARY.index))
def test_regress__gives_the_numbers_of_r(formula: str) -> None:
    fit = regress(r_cohort(), formula.replace("^", "**"))
    expected = R_TERMS[R_TERMS["formula"] == formula].assign(term=lambda terms: terms["term"].map(as_bmx_writes))
    assert fit.terms["term"].tolist() == expected["term"].tolist()  # and in R's order
    for name in ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high", "vif"):
        np.testing.assert_allclose(
            fit.terms[name].to_numpy(float), expected[name].to_numpy(float), rtol=1e-7, err_msg=name
        )
    for name in ("n", "adj_r2", "r2", "sigma", "f", "loglik", "aic", "bic"):
        found = getattr(fit.summary, name)
        np.testing.assert_allclose(found, R_SUMMARY.loc[formula, name], rtol=1e-10, atol=1e-12, err_msg=name)
    assert fit.summary.df_residual == R_SUMMARY.loc[formula, "df"]


@pytest.mark.parametrize("vcov", ["HC0", "HC1", "HC2", "HC3"])
def test_regress__robust_errors_change_what_is_said_of_a_term_and_nothing_else(vcov: str) -> None:
    formula = "bmd_spine ~ bmff_spine + sex"
    robust, classical = regress(r_cohort(), formula, vcov=vcov), regress(r_cohort(), formula)  # type: ignore[arg-type]  # parametrized
    np.testing.assert_array_equal(robust.terms["estimate"], classical.terms["estimate"])
    assert (robust.terms["std_error"] != classical.terms["std_error"]).all()
    assert robust.summary == classical.summary  # the classical F among it
    assert f"{vcov} standard errors" in str(robust)


def test_regress__residuals_and_fitted_are_of_the_sample() -> None:
    cohort = r_cohort().set_index("eid")
    fit = regress(cohort, "bmd_spine ~ bmff_spine + sex + bmi")
    assert fit.sample.tolist() == cohort.dropna().index.tolist()
    pd.testing.assert_series_equal(
        fit.fitted + fit.residuals, cohort["bmd_spine"][fit.sample], check_names=False, check_index_type=False
    )
    assert set(fit.dropped.index) == set(cohort.index) - set(fit.sample)
    assert fit.dropped.value_counts().to_dict() == {"bmff_spine": 6, "bmd_spine": 4, "bmi": 1}
    assert (fit.summary.n, fit.summary.n_dropped) == (79, 11)


def test_regress__dataset_and_table_give_the_same() -> None:
    cohort = r_cohort().set_index("eid")
    results = xr.Dataset(
        {
            "bmff": (("participant", "region"), cohort[["bmff_spine"]].to_numpy()),
            "qc_outcome": (("participant", "region"), np.ones((90, 1), np.uint8)),
        },
        {"participant": cohort.index.to_numpy(), "region": ["spine"]},
    )
    for name in ("sex", "bmi", "bmd_spine"):
        results[name] = ("participant", cohort[name].to_numpy())
    formula = "bmd_spine ~ bmff_spine + sex + bmi"
    pd.testing.assert_frame_equal(regress(results.chunk(participant=20), formula).terms, regress(cohort, formula).terms)


def test_regress__region_lets_bmff_mean_one_region() -> None:
    cohort = r_cohort()
    here, spelled = regress(cohort, "bmd_spine ~ bmff", region="spine"), regress(cohort, "bmd_spine ~ bmff_spine")
    assert here.terms["estimate"].tolist() == spelled.terms["estimate"].tolist()
    assert here.terms["term"].tolist() == ["Intercept", "bmff"]
    assert here.terms["region"].unique().tolist() == ["spine"]
    pd.testing.assert_series_equal(here.dropped, spelled.dropped)


def test_regress__where_selects_and_does_not_drop() -> None:
    cohort = r_cohort()
    women = regress(cohort, "bmd_spine ~ bmff_spine", where=cohort["sex"] == "Female")
    complete = cohort[cohort["sex"] == "Female"].dropna(subset=["bmd_spine", "bmff_spine"])
    slope, intercept = np.polyfit(complete["bmff_spine"], complete["bmd_spine"], 1)
    np.testing.assert_allclose(women.terms["estimate"], [intercept, slope])
    assert women.summary.n + women.summary.n_dropped == (cohort["sex"] == "Female").sum()


def test_regress__a_variable_of_the_caller_never_leaks() -> None:
    bmff_femur = np.arange(90.0)  # would be found by patsy, and by formulaic's default context
    assert len(bmff_femur) == 90
    with pytest.raises(AnalysisError, match="no column 'bmff_femur'; the closest are bmff_spine"):
        regress(r_cohort(), "bmd_spine ~ bmff_femur")


def test_regress__sex_has_female_as_reference_whoever_comes_first() -> None:
    cohort = r_cohort().sort_values("sex", ascending=False)
    assert regress(cohort, "bmd_spine ~ sex").terms["term"].tolist() == ["Intercept", "sex[Male]"]


def test_regress__terms_are_tidy_and_frozen() -> None:
    fit = regress(r_cohort(), "bmd_spine ~ bmff_spine")
    assert fit.terms.columns.tolist() == [
        "outcome", "region", "term", "estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high",
        "n", "vif",
    ]  # fmt: skip
    with pytest.raises(AttributeError):
        fit.formula = "y ~ x"  # type: ignore[misc]  # what is tested


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("bmd_spine ~ bmff_spin", "no column 'bmff_spin'; the closest are bmff_spine"),
        ("bmd_spine ~ bmff", "no column 'bmff'; the closest are bmff_spine"),
        ("bmd_spine ~ assessment_centre", r"assessment_centre holds codes, .*: did you mean C\(assessment_centre\)\?"),
        ("bmd_spine ~ BMI", "no column 'BMI'; the closest are bmi"),
        ("bmd_spine ~ centre", r"centre holds codes, not a quantity: did you mean C\(centre\)\?"),
        (
            "bmd_spine ~ text",
            r"text holds numbers as text, as '.*': make them numbers with pd.to_numeric\(data\['text'\]",
        ),
        ("bmd_spine ~ bmi + one", "one is constant: 1 in all 84 rows; leave it out"),
        ("bmd_spine ~ 0 + nil + bmi", "nil is constant: 0 in all"),
        ("bmd_spine ~ bmi + age + double", "double is collinear with bmi: it follows from them exactly"),
        ("bmd_spine ~ bmd_spine", "the terms give bmd_spine exactly"),
        ("one ~ bmi", "the outcome one is 1 in all 88 rows"),
        ("empty ~ bmi", r"none of 90 participants has every variable .*\(90 empty\)"),
        ("bmd_spine ~ date", "date holds dates; make it a number first"),
    ],
)
def test_regress__teaches(formula: str, message: str) -> None:
    cohort = r_cohort().assign(
        one=1,
        nil=0,
        empty=np.nan,
        double=lambda table: 2 * table["bmi"] - 3,
        date=pd.Timestamp("2015-08-30"),
        centre=lambda table: table["assessment_centre"],
        text=lambda table: table["age"].astype(str),
    )
    with pytest.raises(AnalysisError, match=message):
        regress(cohort, formula)


def test_regress__text_that_is_meant_as_categories_is_taken() -> None:
    cohort = r_cohort().assign(centre=lambda table: table["assessment_centre"].astype(str))
    labels = ["Intercept", "C(centre)[11026]", "C(centre)[11027]"]
    assert regress(cohort, "bmd_spine ~ C(centre)").terms["term"].tolist() == labels
    made = cohort.assign(centre=cohort["assessment_centre"].astype("category"))
    assert regress(made, "bmd_spine ~ centre").terms["term"].tolist()[1:] == ["centre[11026]", "centre[11027]"]


def test_regress__numbers_beside_none_are_numbers() -> None:
    # Such a column has dtype object, and each value would become a category.
    cohort = r_cohort()
    mixed = cohort.assign(bmi=cohort["bmi"].astype(object).where(cohort["bmi"].notna(), None))
    assert str(regress(mixed, "bmd_spine ~ bmi")) == str(regress(cohort, "bmd_spine ~ bmi"))


def test_regress__where_selects_nobody() -> None:
    with pytest.raises(AnalysisError, match=r"there is no participant to fit: .* where= selects none"):
        regress(r_cohort(), "bmd_spine ~ bmi", where=np.zeros(90, dtype=bool))


def test_regress__fewer_rows_than_terms() -> None:
    with pytest.raises(
        AnalysisError, match=r"3 rows for 3 terms \(Intercept, bmff_spine, bmi\).*1 were dropped: 1 bmff"
    ):
        regress(r_cohort()[2:].assign(bmff_spine=[np.nan, 1, 2, 4] + [5] * 84)[:4], "bmd_spine ~ bmff_spine + bmi")


def test_regress__bone_density_of_zero_says_how_many() -> None:
    cohort = r_cohort()
    cohort.loc[[3, 8], "bmd_spine"] = 0
    with pytest.raises(AnalysisError, match=r"2 of 90 values of bmd_spine are 0; .* make it missing"):
        regress(cohort, "bmd_spine ~ bmi")


def test_regress__sex_as_numbers_is_refused() -> None:
    # Elsewhere 1 is male and 2 female: guessing would turn a coefficient round.
    with pytest.raises(AnalysisError, match="sex is coded as numbers, expected 'Female' and 'Male'"):
        regress(r_cohort().assign(sex=lambda table: (table["sex"] == "Male").astype(int)), "bmd_spine ~ sex")


def test_regress__missing_can_be_refused() -> None:
    with pytest.raises(AnalysisError, match="10 rows lack a value: 6 bmff_spine, 4 bmd_spine"):
        regress(r_cohort(), "bmd_spine ~ bmff_spine", missing="refuse")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"family": "poisson"}, "family='poisson' is not known; expected 'gaussian' or 'binomial'"),
        ({"vcov": "HC4"}, "vcov='HC4' is not known; expected 'classical' or 'HC0'"),
        ({"qc": "all"}, "qc='all' is not known; expected 'passed' or None"),
        ({"missing": "fill"}, "missing='fill' is not known; expected 'drop' or 'refuse'"),
        ({"confidence": 95}, "confidence=95 is not a level"),
        ({"region": "spin"}, r"no region is called 'spin'; .* \(did you mean spine\?\)"),
        ({"where": [True]}, "expected true or false for each of 90 participants"),
    ],
)
def test_regress__unknown_option(options: dict[str, object], message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        regress(r_cohort(), "bmd_spine ~ bmi", **options)  # type: ignore[arg-type]  # wrong on purpose


def test_regress__hc3_that_does_not_exist() -> None:
    alone = r_cohort().assign(only=lambda table: (table.index == 5).astype(float))
    with pytest.raises(AnalysisError, match="HC3 does not exist here: one participant alone decides a term"):
        regress(alone, "bmd_spine ~ only", vcov="HC3")
