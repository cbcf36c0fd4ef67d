from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.mixed_linear_model import MixedLM

from bmx.analysis.mixed_models import mixed
from bmx.analysis.random_intercept import fit_random_intercept
from bmx.errors import AnalysisError
from bmx.variables import QC_OUTCOME

FIXTURES = Path(__file__).parent / "fixtures"
REGIONS = ["spine", "femoral_head", "total_hip", "femoral_diaphysis"]
MODELS = ["bmff ~ region * sex", "bmff ~ region + sex + age", "bmff ~ bone + sex", "bmff ~ 1"]


def long() -> pd.DataFrame:
    """The cohort of R, a row for each participant and region."""
    cohort = pd.read_csv(FIXTURES / "groups_cohort.csv")
    parts = [
        cohort[["eid", "sex", "bone", "age"]].assign(region=region, bmff=cohort[f"bmff_{region}"]) for region in REGIONS
    ]
    return pd.concat(parts, ignore_index=True)


def of_r(name: str, formula: str) -> pd.DataFrame:
    table = pd.read_csv(FIXTURES / f"groups_{name}.csv")
    return table[table["formula"] == formula]


@pytest.mark.parametrize("formula", MODELS)
def test_mixed__gives_the_numbers_of_lmertest(formula: str) -> None:
    """Estimates and errors to 1e-7, degrees of freedom to 1e-6, variances to 1e-7; both are iterative."""
    table = long().dropna()  # R had one table for all models
    fit = mixed(table, formula, groups="eid")
    expected = of_r("mixed", formula)
    # R's names are region and level without brackets.
    ours = fit.terms.set_index(
        fit.terms["term"].str.replace(r"[\[\]]", "", regex=True).replace("Intercept", "(Intercept)")
    )
    found = ours.loc[expected["term"]]
    for name, rtol in (("estimate", 1e-7), ("std_error", 1e-7), ("df", 1e-6), ("conf_low", 1e-6), ("conf_high", 1e-6)):
        np.testing.assert_allclose(found[name], expected[name], rtol=rtol, atol=1e-7, err_msg=name)
    (variances,) = of_r("variances", formula).itertuples()
    assert fit.variances is not None
    np.testing.assert_allclose(fit.variances, [variances.participant, variances.residual], rtol=1e-7, atol=1e-9)
    assert fit.summary.loglik == pytest.approx(variances.loglik, rel=1e-10)
    assert fit.summary.aic == pytest.approx(variances.aic, rel=1e-10)


@pytest.mark.parametrize("formula", MODELS[:3])
def test_mixed__tests_terms_as_lmertest(formula: str) -> None:
    found = mixed(long().dropna(), formula, groups="eid").anova(type=3).set_index("term")
    expected = of_r("mixed_tests", formula).set_index("term")
    for name, rtol in (("df", 0), ("df_residual", 1e-4), ("statistic", 1e-5)):
        np.testing.assert_allclose(found.loc[expected.index, name], expected[name], rtol=rtol, err_msg=name)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), spread=st.sampled_from([0.0, 0.5, 3.0]))
def test_fit_random_intercept__is_the_best_of_all(seed: int, spread: float) -> None:
    """Property: an independent likelihood, written with whole matrices, is nowhere higher than at our estimates."""
    rng = np.random.default_rng(seed)
    groups = np.sort(rng.integers(0, 12, 40))
    groups = np.unique(groups, return_inverse=True)[1]
    X = np.column_stack([np.ones(40), rng.normal(size=40)])
    y = 50 + X[:, 1] + spread * rng.normal(size=groups.max() + 1)[groups] + rng.normal(size=40)
    fit = fit_random_intercept(X, y, groups)

    def loglik(between: float, within: float) -> float:
        V = within * np.eye(40) + between * (groups[:, None] == groups)
        inverse = np.linalg.inv(V)
        A = X.T @ inverse @ X
        r = y - X @ np.linalg.solve(A, X.T @ inverse @ y)
        logs = np.linalg.slogdet(V)[1] + np.linalg.slogdet(A)[1]
        return float(-0.5 * (logs + r @ inverse @ r + 38 * np.log(2 * np.pi)))

    assert fit.loglik == pytest.approx(loglik(fit.between, fit.within), abs=1e-7)
    for factor in (0.8, 0.99, 1.01, 1.25):
        assert loglik(fit.between * factor, fit.within) <= fit.loglik + 1e-9
        assert loglik(fit.between, fit.within * factor) <= fit.loglik + 1e-9
    assert loglik(fit.between + 0.01, fit.within) <= fit.loglik + 1e-9


def test_fit_random_intercept__agrees_with_statsmodels() -> None:
    """Another program and another algorithm; it gives no degrees of freedom, and standard errors to some digits."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(80), 4)
    X = np.column_stack([np.ones(320), rng.normal(65, 3, 320)])
    y = 20 + 0.4 * X[:, 1] + 4 * rng.normal(size=80)[groups] + 3 * rng.normal(size=320)
    theirs = MixedLM(y, X, groups).fit(reml=True)
    ours = fit_random_intercept(X, y, groups)
    np.testing.assert_allclose(ours.estimate, theirs.fe_params, rtol=1e-4)
    np.testing.assert_allclose(ours.within, theirs.scale, rtol=1e-4)


def cohort(table: pd.DataFrame) -> xr.Dataset:
    """The same as joined results: BMFF on participant and region, the rest beside it."""
    wide = table.pivot_table(index="eid", columns="region", values="bmff", dropna=False)
    people = table.drop_duplicates("eid").set_index("eid").loc[wide.index]
    data = xr.Dataset(
        {"bmff": (("participant", "region"), wide.to_numpy()), "sex": ("participant", people["sex"].to_numpy(object))},
        {"participant": wide.index.to_numpy(), "region": wide.columns.to_numpy(object)},
    )
    return data.assign(qc_outcome=xr.full_like(data["bmff"], QC_OUTCOME["ok"]).astype(np.uint8))


def test_mixed__of_a_dataset_is_that_of_the_long_table() -> None:
    table = long()
    flat = mixed(table, "bmff ~ region * sex", groups="eid")
    lazy = mixed(cohort(table).chunk(participant=50), "bmff ~ region * sex")
    pd.testing.assert_frame_equal(lazy.terms, flat.terms, rtol=1e-9)
    assert lazy.summary.n == flat.summary.n == table["bmff"].notna().sum()


def test_mixed__finds_participants_of_where_by_their_eid() -> None:
    """A selection in another order, and of more people, is the same selection."""
    data = cohort(long())
    women = (data["sex"] == "Female").to_series()
    expected = mixed(data, "bmff ~ region", where=women.to_numpy()).terms
    more = pd.concat([women[::-1], pd.Series(True, [-5])])
    for where in (women[::-1], more, xr.DataArray(more.to_numpy(), {"participant": more.index}, "participant")):
        pd.testing.assert_frame_equal(mixed(data, "bmff ~ region", where=where).terms, expected)


def test_mixed__is_not_asked_what_only_regress_answers() -> None:
    """Least squares on the same rows would take a person's values for those of several."""
    fit = mixed(long(), "bmff ~ region", groups="eid")
    with pytest.raises(AnalysisError, match="one covariance of its estimates"):
        fit.with_vcov("HC3")
    with pytest.raises(AnalysisError, match="influence is of one participant's value"):
        _ = fit.influence
    with pytest.raises(AnalysisError, match="have no prediction interval"):
        fit.predict(interval="prediction")
    with pytest.raises(AnalysisError, match="a table with one row for each value and columns region, found a Dataset"):
        fit.predict(cohort(long()))
    new = fit.predict(pd.DataFrame({"region": ["spine"]}), interval="confidence")
    assert new["estimate"].item() == pytest.approx(fit.params["Intercept"] + fit.params["region[spine]"])


def test_mixed__refuses_rows_of_nobody() -> None:
    table = long()
    table["eid"] = table["eid"].where(table.index != 3)
    with pytest.raises(AnalysisError, match=r"1 of \d+ rows have no eid, and so belong to nobody"):
        mixed(table, "bmff ~ region", groups="eid")


def test_mixed__leaves_out_what_failed_qc_and_says_how_many() -> None:
    data = cohort(long())
    data["qc_outcome"][:7, 0] = QC_OUTCOME["small"]
    there = int(data["bmff"][:7, 0].notnull().sum())  # noqa: PD004  # xarray's word
    strict = mixed(data, "bmff ~ region")
    assert (strict.dropped == "bmff failed QC").sum() == there
    with pytest.warns(UserWarning, match=rf"{there} bmff"):
        kept = mixed(data, "bmff ~ region", qc=None)
    assert kept.summary.n == strict.summary.n + there


def test_mixed__prints_both_spreads_and_how_many_participants() -> None:
    text = str(mixed(long(), "bmff ~ region + sex", groups="eid"))
    assert "Mixed model  bmff ~ region + sex + (1 | eid)" in text
    assert "SD between eids" in text
    assert "889 values of 240 eids" in text


def test_mixed__says_that_people_are_no_more_alike_than_others() -> None:
    fit = mixed(long().dropna(), "bmff ~ bone + sex", groups="eid")
    assert any("the variance between eids is 0" in note for note in fit.notes)


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("bmff ~ regoin", {}, "no column 'regoin'.*did you mean region"),
        ("bmff ~ region", {"df": "kenward"}, "df='kenward' is not known"),
        ("bmff ~ region", {"where": [True]}, "expected true or false for each of 960"),
        ("bmff ~ region", {"groups": "row"}, "each row has one value.*use regress"),
    ],
)
def test_mixed__refuses(formula: str, options: dict[str, object], message: str) -> None:
    table = long().assign(row=np.arange(960))
    with pytest.raises(AnalysisError, match=message):
        mixed(table, formula, **{"groups": "eid", **options})  # type: ignore[arg-type]


def test_mixed__wants_values_by_region() -> None:
    data = cohort(long())
    with pytest.raises(AnalysisError, match=r"none of sex has a value for each region.*flat names .* are for regress"):
        mixed(data, "sex ~ sex")
