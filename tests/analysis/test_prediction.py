from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bmx.analysis.regression import regress
from bmx.errors import AnalysisError
from tests.analysis.r_models import LOGISTIC, MODELS, assert_agrees, people, r_says

NEW = pd.DataFrame({"bmff_spine": [30, 45, 60], "sex": ["Male", "Female", "Male"], "bmi": [20, 23, 25]})


@pytest.mark.parametrize("interval", ["confidence", "prediction"])
def test_predict__is_that_of_r(interval: str) -> None:
    found = regress(people(), MODELS["main"]).predict(NEW, interval=interval)  # type: ignore[arg-type]  # parametrized
    assert_agrees(found, r_says(f"predict {interval}", "main"))


def test_predict__of_a_logistic_model_is_rs_probability() -> None:
    new = pd.DataFrame({"height": [150, 180], "sex": ["Female", "Male"], "status": "control"})
    fit = regress(people(), LOGISTIC["both"], family="binomial")
    assert_agrees(fit.predict(new), r_says("logistic predict", "both"), rtol=1e-6)
    bounded = fit.predict(new, interval="confidence")
    assert ((bounded["conf_low"] > 0) & (bounded["conf_high"] < 1)).all()
    np.testing.assert_allclose(fit.predict()["estimate"], fit.fitted)
    with pytest.raises(AnalysisError, match="a prediction interval of an outcome of 0 and 1 says nothing"):
        fit.predict(new, interval="prediction")


@pytest.mark.parametrize("model", sorted(MODELS))
def test_predict__of_the_sample_is_what_was_fitted(model: str) -> None:
    cohort = people()
    fit = regress(cohort, MODELS[model])
    pd.testing.assert_series_equal(fit.predict()["estimate"], fit.fitted, check_names=False)
    # The whole cohort, with its missing values and in any order.
    shuffled = cohort.sample(frac=1, random_state=0).set_index("eid")
    found = fit.predict(shuffled)["estimate"]
    np.testing.assert_allclose(found[fit.sample], fit.fitted)
    lacking = shuffled[list(fit.basis.predictors())].isna().any(axis=1)  # type: ignore[union-attr]  # it has one
    assert (found.isna() == lacking).all()


def test_predict__splines_keep_their_knots() -> None:
    # Knots put anew through three people would give another curve.
    fit = regress(people(), "bmd_spine ~ bs(age, df=4) + scale(bmi)")
    some = people().dropna(subset=["bmi", "bmd_spine"]).set_index("eid")[:3]
    np.testing.assert_allclose(fit.predict(some)["estimate"], fit.fitted[some.index])


def test_predict__takes_a_dataset_and_full_names() -> None:
    cohort = people().set_index("eid")
    fit = regress(cohort, "bmd_spine ~ bmff + sex", region="spine")
    full = fit.predict(cohort[["bmff_spine", "sex"]])
    new = xr.Dataset(
        {
            "bmff": (("participant", "region"), cohort[["bmff_spine"]].to_numpy()),
            "qc_outcome": (("participant", "region"), np.ones((len(cohort), 1), np.uint8)),
            "sex": ("participant", cohort["sex"].to_numpy()),
        },
        {"participant": cohort.index.to_numpy(), "region": ["spine"]},
    )
    np.testing.assert_allclose(fit.predict(new.chunk(participant=50))["estimate"], full["estimate"])


def test_combine__is_a_sum_of_estimates() -> None:
    fit = regress(people(), MODELS["main"])
    rows = np.array([[1.0, 45.0, 1.0, 23.0], [0.0, 1.0, 0.0, 0.0]])
    found = fit.combine(rows)
    np.testing.assert_allclose(found["estimate"], rows @ fit.params)
    for name in ("estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high"):
        assert found[name].iloc[1] == pytest.approx(fit.terms[name].iloc[1])
    with pytest.raises(AnalysisError, match="combinations have 2 columns, expected one for each of 4 terms: Intercept"):
        fit.combine(np.ones((1, 2)))


def test_design_matrix__is_that_of_the_fit() -> None:
    fit = regress(people(), MODELS["crossed"])
    assert fit.basis is not None
    found = fit.design_matrix()
    np.testing.assert_array_equal(found, fit.basis.design.X)
    assert found.columns.tolist() == fit.terms["term"].tolist() == fit.covariance.columns.tolist()  # type: ignore[union-attr]  # it has one
    assert found.index.tolist() == fit.sample.tolist()


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (NEW.drop(columns="bmi").assign(BMI=20), "new has no column 'bmi', which 'bmd_spine ~ .*' needs"),
        (NEW.assign(bmi="normal"), "bmi is a quantity of the model, and text in new data, as 'normal'"),
        (NEW.assign(sex="male"), "sex is male in new data, which the model has not seen; it knows Female, Male"),
    ],
)
def test_predict__teaches(new: pd.DataFrame, message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        regress(people(), MODELS["main"]).predict(new)


def test_predict__unknown_interval() -> None:
    with pytest.raises(
        AnalysisError, match="interval='both' is not known; expected 'confidence', 'prediction' or None"
    ):
        regress(people(), MODELS["main"]).predict(interval="both")  # type: ignore[arg-type]  # wrong on purpose


def test_predict__code_that_was_not_there() -> None:
    cohort = people()
    fit = regress(cohort, "height ~ C(assessment_centre)")
    message = "assessment_centre is 11028 in new data, which the model has not seen; it knows 11025, 11026, 11027"
    with pytest.raises(AnalysisError, match=message):
        fit.predict(cohort.assign(assessment_centre=11028))
    both = regress(cohort, "height ~ C(lesions) + age:lesions", where=cohort["lesions"] < 3)
    with pytest.raises(AnalysisError, match="a group has a value that the model has not seen"):
        both.predict(cohort.assign(lesions=9))


def test_predict__of_a_quantity_that_nobody_has_is_missing() -> None:
    found = regress(people(), MODELS["main"]).predict(NEW.assign(bmi=None))
    assert found.isna().all(axis=None)
