from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from bmx.analysis.likelihood import deviance_of, maximise, profile_limit
from bmx.analysis.regression import regress
from bmx.errors import AnalysisError
from tests.analysis.r_models import ITERATIVE, LOGISTIC, assert_agrees, people, r_says

WALD = {"wald_low": "conf_low", "wald_high": "conf_high"}
NEWTON = 1e-6
"""R takes its standard errors from the step before the last."""


@pytest.mark.parametrize("model", sorted(LOGISTIC))
def test_regress__logistic_is_that_of_r(model: str) -> None:
    fit = regress(people(), LOGISTIC[model], family="binomial")
    terms = fit.terms.set_index("term")
    wald = terms.drop(columns=["conf_low", "conf_high"]).rename(columns=WALD)
    assert_agrees(wald, r_says("logistic", model), rtol=NEWTON)
    for name, expected in r_says("logistic quality", model).iloc[0].items():
        np.testing.assert_allclose(getattr(fit.summary, str(name)), expected, rtol=1e-10)
    # R's confint interpolates the profile; ours is the root.
    assert_agrees(terms, r_says("logistic profile", model), rtol=ITERATIVE)
    np.testing.assert_allclose(terms["odds_ratio_low"], np.exp(terms["conf_low"]))


@pytest.mark.parametrize("model", sorted(LOGISTIC))
def test_regress__robust_errors_of_a_logistic_model_are_those_of_r(model: str) -> None:
    fit = regress(people(), LOGISTIC[model], family="binomial")
    for vcov in ("HC0", "HC3"):
        found = fit.with_vcov(vcov)  # type: ignore[arg-type]  # both are
        assert_agrees(found.terms.set_index("term"), r_says(f"logistic {vcov}", model), rtol=NEWTON)
        assert found.interval == "z"
    clustered = regress(people(), LOGISTIC[model], family="binomial", cluster="practice")
    assert_agrees(clustered.terms.set_index("term"), r_says("logistic cluster", model), rtol=NEWTON)
    assert (clustered.df, clustered.interval) == (16, "t")


def test_regress__an_interval_by_profile_holds_what_the_likelihood_says() -> None:
    # By hand: at a limit, with the intercept at its best, the deviance has risen by 1.96 squared.
    cohort = people()
    fit = regress(cohort, "empty ~ height", family="binomial")
    y, x = cohort["empty"].to_numpy(float), cohort["height"].to_numpy()

    def best(slope: float) -> float:
        middle = float(np.mean(x) * slope)  # the intercept about which to look
        return minimize(
            lambda a: deviance_of(y, expit(a[0] - middle + slope * x)), [0.0], method="Nelder-Mead",
            options={"xatol": 1e-10, "fatol": 1e-10},
        ).fun  # fmt: skip

    for name in ("conf_low", "conf_high"):
        rise = best(fit.terms[name].iloc[1]) - fit.summary.deviance
        assert rise == pytest.approx(1.959963984540054**2, rel=1e-6)


def test_regress__wald_intervals_on_request_and_labelled() -> None:
    wald = regress(people(), LOGISTIC["height"], family="binomial", interval="wald")
    assert (wald.terms["conf_low"] == wald.terms["wald_low"]).all()
    assert "95% CI, Wald" in str(wald)
    assert "intervals by Wald's test, as p values" in wald.footnotes[0]
    profile = regress(people(), LOGISTIC["height"], family="binomial")
    assert "95% CI, profile" in str(profile)
    assert "p, Wald" in str(profile)
    assert "intervals by profile likelihood, p values by Wald's test" in profile.footnotes[0]


def test_regress__a_logistic_model_prints_odds_ratios() -> None:
    fit = regress(people(), "empty ~ sex", family="binomial")
    table = pd.crosstab(people()["sex"], people()["empty"]).to_numpy()
    ratio = table[1, 1] * table[0, 0] / table[1, 0] / table[0, 1]
    assert fit.terms["odds_ratio"].iloc[1] == pytest.approx(ratio)
    lines = str(fit).splitlines()
    assert lines[0].startswith("Logistic regression  empty ~ sex")
    assert lines[2].split()[:2] == ["sex[Male]", f"{ratio:.2f}"]
    assert lines[3].startswith(f"{people()['empty'].sum()} of 140 have the outcome   AIC ")


def test_maximise__agrees_with_a_general_optimiser_and_any_start() -> None:
    rng = np.random.default_rng(3)
    X = np.column_stack([np.ones(80), rng.normal(size=(80, 2))])
    y = (rng.uniform(size=80) < expit(X @ [0.3, 1.0, -2.0])).astype(float)
    best = maximise(X, y)
    slow = minimize(lambda b: deviance_of(y, np.clip(expit(X @ b), 1e-12, 1 - 1e-12)), np.zeros(3), tol=1e-12)
    np.testing.assert_allclose(best.estimate, slow.x, atol=1e-4)
    assert best.deviance <= slow.fun + 1e-9
    for start in rng.normal(0, 3, (5, 3)):
        np.testing.assert_allclose(maximise(X, y, start=start).estimate, best.estimate, rtol=1e-7)


def test_profile_limit__of_a_share_is_where_its_binomial_deviance_has_risen() -> None:
    y = np.repeat([0.0, 1.0], [30, 10])
    best = maximise(np.ones((40, 1)), y)
    for side in (-1, 1):
        limit = profile_limit(np.ones((40, 1)), y, best, 0, side, 0.9)
        assert deviance_of(y, np.full(40, expit(limit))) - best.deviance == pytest.approx(1.6448536269514722**2)
        assert side * (limit - best.estimate[0]) > 0


def test_regress__outcome_of_a_logistic_model_is_0_and_1() -> None:
    message = r"the outcome lesions has values 0, 1, 2, 3, ..., expected 0 and 1 for family='binomial'"
    with pytest.raises(AnalysisError, match=message):
        regress(people(), "lesions ~ sex", family="binomial")
    with pytest.raises(AnalysisError, match=r"the outcome .*none is 0 in all 140 rows"):
        regress(people().assign(none=0), "none ~ sex", family="binomial")
    truth = people().assign(yes=lambda table: table["empty"] == 1)  # true and false will do
    assert regress(truth, "yes ~ sex", family="binomial").summary.events == people()["empty"].sum()


def test_regress__weights_of_a_logistic_model_are_refused() -> None:
    with pytest.raises(AnalysisError, match="weights='weight' is for family='gaussian', found 'binomial'"):
        regress(people(), "empty ~ sex", family="binomial", weights="weight")
