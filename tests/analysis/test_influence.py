from __future__ import annotations

import numpy as np
import pytest

from bmx.analysis.regression import regress
from tests.analysis.r_models import LOGISTIC, MODELS, assert_agrees, people, r_says


@pytest.mark.parametrize("model", sorted(MODELS))
@pytest.mark.parametrize("weights", [None, "weight"])
def test_influence__is_that_of_r(model: str, weights: str | None) -> None:
    found = regress(people(), MODELS[model], weights=weights).influence
    expected = r_says("weighted influence" if weights else "influence", model)
    assert_agrees(found.loc[expected.index.astype(int)], expected)


@pytest.mark.parametrize("model", sorted(LOGISTIC))
def test_influence__of_a_logistic_model_is_that_of_r(model: str) -> None:
    found = regress(people(), LOGISTIC[model], family="binomial").influence
    expected = r_says("logistic influence", model)
    assert_agrees(found.loc[expected.index.astype(int)], expected, rtol=1e-6)


def test_influence__is_what_leaving_somebody_out_does() -> None:
    cohort = people()
    fit = regress(cohort, MODELS["main"])
    eid = fit.influence["cooks_distance"].idxmax()
    without = regress(cohort, MODELS["main"], where=cohort["eid"] != eid)
    moved = without.predict(cohort.set_index("eid").loc[fit.sample])["estimate"] - fit.fitted
    cook = np.sum(moved**2) / (len(fit.terms) * fit.summary.sigma**2)
    assert fit.influence.loc[eid, "cooks_distance"] == pytest.approx(cook)
    own = moved[eid] / (without.summary.sigma * np.sqrt(fit.influence.loc[eid, "leverage"]))
    assert fit.influence.loc[eid, "dffits"] == pytest.approx(-own)
