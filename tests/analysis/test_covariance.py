from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.analysis.covariance import leverage, sandwich
from bmx.analysis.regression import regress
from bmx.errors import AnalysisError
from tests.analysis.r_models import MODELS, assert_agrees, people, r_says

MODEL_NAMES = sorted(MODELS)


def test_people__are_those_of_the_script() -> None:
    # What makes this cohort a test: values missing, ties, zeros, unbalanced groups.
    cohort = people()
    assert cohort.isna().sum()[["bmff_spine", "bmd_spine", "bmi", "weight"]].tolist() == [9, 6, 3, 2]
    assert cohort["age"].nunique() == 10
    assert (cohort["lesions"] == 0).sum() > 20
    assert cohort["status"].value_counts().min() < 25
    assert "people.csv" in (Path(__file__).parent / "fixtures" / "models.R").read_text(encoding="utf-8")


@pytest.mark.parametrize("model", MODEL_NAMES)
@pytest.mark.parametrize("vcov", ["classical", "HC0", "HC1", "HC2", "HC3"])
def test_regress__robust_errors_are_those_of_r(model: str, vcov: str) -> None:
    fit = regress(people(), MODELS[model], vcov=vcov)  # type: ignore[arg-type]  # parametrized
    assert_agrees(fit.terms.set_index("term"), r_says(vcov, model))


@pytest.mark.parametrize("model", MODEL_NAMES)
@pytest.mark.parametrize("cluster", ["practice", "assessment_centre"])
def test_regress__clustered_errors_are_those_of_r(model: str, cluster: str) -> None:
    fit = regress(people(), MODELS[model], cluster=cluster)
    assert_agrees(fit.terms.set_index("term"), r_says(f"cluster {cluster}", model))
    assert fit.df == people()[cluster].nunique() - 1  # three centres leave 2 degrees of freedom
    assert fit.vcov == "cluster"


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_regress__weighted_fits_are_those_of_r(model: str) -> None:
    fit = regress(people(), MODELS[model], weights="weight")
    assert_agrees(fit.terms.set_index("term"), r_says("weighted", model))
    assert_agrees(fit.with_vcov("HC3").terms.set_index("term"), r_says("weighted HC3", model))
    clustered = regress(people(), MODELS[model], weights="weight", cluster="practice")
    assert_agrees(clustered.terms.set_index("term"), r_says("weighted cluster", model))
    for name, expected in r_says("weighted quality", model).iloc[0].items():
        np.testing.assert_allclose(getattr(fit.summary, str(name)), expected, rtol=1e-10)


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_regress__quality_is_that_of_r(model: str) -> None:
    summary = regress(people(), MODELS[model], vcov="HC3").summary
    for name, expected in r_says("quality", model).iloc[0].items():
        np.testing.assert_allclose(getattr(summary, str(name)), expected, rtol=1e-10)


def test_with_vcov__is_the_fit_made_so_from_the_start() -> None:
    cohort, formula = people(), MODELS["crossed"]
    fit = regress(cohort, formula)
    pd.testing.assert_frame_equal(fit.with_vcov("HC3").terms, regress(cohort, formula, vcov="HC3").terms)
    pd.testing.assert_frame_equal(fit.with_vcov("HC3").with_vcov("classical").terms, fit.terms)
    by_eid = cohort.set_index("eid")["practice"].sample(frac=1, random_state=0)  # in any order
    clustered = regress(cohort, formula, cluster="practice")
    pd.testing.assert_frame_equal(fit.with_vcov("cluster", cluster=by_eid).terms, clustered.terms)
    pd.testing.assert_frame_equal(clustered.with_vcov("classical").with_vcov("cluster").terms, clustered.terms)


def test_regress__one_cluster_for_each_is_hc1_up_to_its_factors() -> None:
    cohort = people().assign(alone=lambda table: "e" + table["eid"].astype(str))
    clustered, robust = regress(cohort, MODELS["main"], cluster="alone"), regress(cohort, MODELS["main"], vcov="HC1")
    np.testing.assert_allclose(clustered.terms["std_error"], robust.terms["std_error"])


def test_regress__who_has_no_cluster_or_weight_is_dropped_and_counted() -> None:
    cohort = people()
    fit = regress(cohort, "height ~ sex", weights="weight")
    assert fit.dropped.tolist() == ["weight", "weight"]
    cohort.loc[:3, "practice"] = None
    assert regress(cohort, "height ~ sex", cluster="practice").dropped.tolist() == ["practice"] * 4


def test_regress__says_that_clusters_are_few_and_weights_used() -> None:
    text = str(regress(people(), "height ~ sex", cluster="assessment_centre", weights="weight"))
    assert text.startswith("Weighted linear regression  height ~ sex")
    assert "cluster standard errors (2 df)" in text
    assert "note: weighted by weight" in text
    assert "note: 3 clusters of assessment_centre; few clusters: errors tend to be too small" in text


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_sandwich__does_not_depend_on_the_order_or_names_of_clusters(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, residuals = rng.normal(size=(30, 3)), rng.normal(size=30)
    clusters, inverse = pd.Series(rng.integers(0, 6, 30)), np.linalg.inv(X.T @ X)
    found = sandwich(X, inverse, residuals, "cluster", clusters=clusters)
    order = rng.permutation(30)
    named = clusters.map(lambda number: f"practice {9 - number}")[order]
    np.testing.assert_allclose(sandwich(X[order], inverse, residuals[order], "cluster", clusters=named), found)
    # Row by row, as Liang and Zeger (1986) write it.
    meat = sum(
        np.outer(score, score) for score in (residuals[clusters == c] @ X[clusters == c] for c in clusters.unique())
    )
    G = clusters.nunique()
    np.testing.assert_allclose(found, inverse @ meat @ inverse * G / (G - 1) * 29 / 27)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_leverage__adds_up_to_the_number_of_terms(seed: int) -> None:
    X = np.random.default_rng(seed).normal(size=(20, 4))
    hat = leverage(X, np.linalg.inv(X.T @ X))
    np.testing.assert_allclose(hat.sum(), 4)
    np.testing.assert_allclose(hat, np.diag(X @ np.linalg.inv(X.T @ X) @ X.T))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vcov": "cluster"}, "vcov='cluster' needs to know who belongs together: cluster='assessment_centre'"),
        ({"vcov": "HC3", "cluster": "practice"}, "cluster='practice' and vcov='HC3' contradict each other"),
        ({"cluster": "one"}, "all 140 participants are in one cluster, expected at least 2"),
        ({"cluster": "practise"}, "no column 'practise'; the closest are practice"),
        ({"weights": "lesions"}, r"\d+ of 140 weights lesions are not positive, as 0; leave those participants out"),
        ({"weights": "practice"}, "the weights practice are text, as 'p14'; expected positive numbers"),
    ],
)
def test_regress__teaches_about_clusters_and_weights(options: dict[str, str], message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        regress(people().assign(one="here"), "height ~ sex", **options)  # type: ignore[arg-type]  # wrong on purpose


def test_with_vcov__teaches() -> None:
    cohort = people()
    fit = regress(cohort, "height ~ sex")
    with pytest.raises(AnalysisError, match="needs to know who belongs together: cluster=data"):
        fit.with_vcov("cluster")
    with pytest.raises(AnalysisError, match="40 of 140 participants of the sample have no practice"):
        fit.with_vcov("cluster", cluster=cohort.set_index("eid")["practice"][:100])
