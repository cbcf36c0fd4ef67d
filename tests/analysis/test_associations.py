from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from distributed import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.api import GLM, OLS, families

from bmx.analysis.associations import associate
from bmx.analysis.regression import regress
from bmx.errors import AnalysisError

FIXTURES = Path(__file__).parent / "fixtures"
R = pd.read_csv(FIXTURES / "groups_associations.csv")
OUTCOMES = ["bmd_spine", "vat_mass", "bmff_femoral_head", "fracture"]
EXPOSURES = ["bmff_spine", "bmff_total_hip", "age"]
NUMBERS = ["estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high", "n"]


def r_cohort() -> pd.DataFrame:
    return pd.read_csv(FIXTURES / "groups_cohort.csv").set_index("eid")


def traits(n: int = 300, q: int = 7, *, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    """People and traits, each trait with missing values of its own."""
    rng = np.random.default_rng(seed)
    people = pd.DataFrame(
        {
            "bmff": rng.normal(50, 8, n),
            "age": rng.normal(65, 3, n),
            "bmi": rng.normal(23, 2, n),
            "sex": np.where(rng.random(n) < 0.5, "Female", "Male"),
        },
        index=pd.RangeIndex(1, n + 1, name="participant"),
    )
    people.loc[people.index[rng.random(n) < 0.1], "bmi"] = np.nan
    values = rng.normal(size=(n, q)) * 10.0 ** np.arange(q) + 1000.0 * np.arange(q) + 0.02 * people[["bmff"]].to_numpy()
    values[rng.random((n, q)) < rng.uniform(0, 0.6, q)] = np.nan
    return people, values


@pytest.mark.parametrize(
    ("r_model", "options"),
    [
        ("plain", {"modifier": "sex"}),
        ("adjusted", {"covariates": ["bmi", "sex"]}),
    ],
)
def test_associate__gives_the_numbers_of_r(r_model: str, options: dict[str, Any]) -> None:
    """Closed forms to 1e-8; logistic fits to 1e-6: R's standard errors are those of its last step but one."""
    found = associate(r_cohort(), OUTCOMES, EXPOSURES, family="auto", **options).table
    expected = R[R["model"] == r_model].replace({"stratum": {"Both": "all"}})
    both = found.merge(expected, on=["exposure", "outcome", "stratum"], suffixes=("", "_r"))
    assert len(both) == len(found) == len(expected)
    linear = both["family"] == "gaussian"
    for name in NUMBERS:
        for rows, rtol in ((linear, 1e-8), (~linear, 1e-6)):
            np.testing.assert_allclose(both.loc[rows, name], both.loc[rows, f"{name}_r"], rtol=rtol, err_msg=name)
    np.testing.assert_allclose(both.loc[linear, "adj_r2"], both.loc[linear, "adj_r2_r"], rtol=1e-8, atol=1e-12)
    np.testing.assert_array_equal(both.loc[linear, "df"], both.loc[linear, "df_r"])
    assert (both.loc[~linear, "outcome"] == "fracture").all()


@pytest.mark.parametrize(("r_model", "covariates"), [("interaction", []), ("adjusted_interaction", ["bmi", "bone"])])
def test_associate__interaction_p_is_that_of_r(r_model: str, covariates: list[str]) -> None:
    found = associate(r_cohort(), OUTCOMES, EXPOSURES, covariates=covariates, modifier="sex", family="auto").table
    expected = R[(R["model"] == r_model) & R["term"].str.contains(":")]
    both = found[found["stratum"] == "all"].merge(expected, on=["exposure", "outcome"], suffixes=("", "_r"))
    assert len(both) == 12
    np.testing.assert_allclose(both["p_interaction"], both["p_value_r"], rtol=1e-6)
    linear = both["family"] == "gaussian"
    np.testing.assert_allclose(both.loc[linear, "p_interaction"], both.loc[linear, "p_value_r"], rtol=1e-8)


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(30, 700), st.booleans())
def test_associate__is_as_exact_as_one_fit_after_the_other(seed: int, n: int, single: bool) -> None:
    """Whatever is missing, and in whatever unit: beta to 1e-6 of its SE, SE to 1e-7 of itself."""
    people, values = traits(n, 5, seed=seed)
    if single:
        values = values.astype(np.float32)
    data = xr.Dataset.from_dataframe(people).assign(trait=(("participant", "kind"), values))
    data = data.assign_coords(kind=list("abcde"))
    table = associate(data, "trait", ["bmff", "age"], covariates=["bmi", "sex"]).table
    for _, row in table.iterrows():
        other = people["age"] * 0 if row["exposure"] == "bmff" else people["bmff"] * 0
        y = values[:, "abcde".index(row["outcome"][-1])].astype(float)
        X = np.column_stack([np.ones(n), people["bmi"], people["sex"] == "Male", people[row["exposure"]]]).astype(float)
        rows = np.isfinite(y) & np.isfinite(X).all(axis=1) & (other.to_numpy() == 0)
        fit = OLS(y[rows], X[rows]).fit()
        assert row["n"] == rows.sum()
        assert abs(row["estimate"] - fit.params[-1]) <= 1e-6 * fit.bse[-1]
        assert abs(row["std_error"] / fit.bse[-1] - 1) <= 1e-7
        np.testing.assert_allclose(row["adj_r2"], fit.rsquared_adj, atol=1e-8)


def test_associate__gives_what_regress_gives() -> None:
    cohort = r_cohort()
    table = associate(cohort, OUTCOMES[:3], EXPOSURES, covariates=["bmi", "C(bone)"], where=cohort["age"] < 66).table
    for _, row in table.iterrows():
        formula = f"{row['outcome']} ~ bmi + C(bone) + {row['exposure']}"
        fit = regress(cohort, formula, where=cohort["age"] < 66)
        last = fit.terms.iloc[-1]
        for name in NUMBERS:
            np.testing.assert_allclose(row[name], last[name], rtol=1e-8, err_msg=name)
        assert row["n_dropped"] == fit.summary.n_dropped


@pytest.mark.parametrize("chunks", [{"participant": -1, "kind": -1}, {"participant": 70, "kind": 3}])
@pytest.mark.parametrize("family", ["gaussian", "auto"])
def test_associate__any_chunking_gives_the_same(chunks: dict[str, int], family: Any, threads: Client) -> None:
    people, values = traits()
    values[:, 2] = np.where(np.isnan(values[:, 2]), np.nan, values[:, 2] > 2000)
    data = xr.Dataset.from_dataframe(people).assign(trait=(("participant", "kind"), values))
    whole = associate(data, "trait", "bmff", covariates=["bmi"], modifier="sex", family=family).table
    chunked = associate(data.chunk(chunks), "trait", "bmff", covariates=["bmi"], modifier="sex", family=family).table
    pd.testing.assert_frame_equal(whole, chunked, rtol=1e-9)
    with threads.as_current():
        on_client = associate(data.chunk(chunks), "trait", "bmff", covariates=["bmi"], modifier="sex", family=family)
    pd.testing.assert_frame_equal(chunked, on_client.table, rtol=1e-9)


def test_associate__an_array_a_dataset_of_columns_and_a_flat_table_give_the_same() -> None:
    people, values = traits()
    names = [f"trait_{i}" for i in range(7)]
    flat = people.join(pd.DataFrame(values, people.index, names))
    array = xr.Dataset.from_dataframe(people).assign(trait=(("participant", "kind"), values))
    array = array.assign_coords(kind=range(7))
    options: dict[str, Any] = {"covariates": ["bmi", "sex"], "where": people["age"].to_numpy() < 66}
    expected = associate(flat, names, "bmff", **options).table
    for data, outcomes in ((array, "trait"), (xr.Dataset.from_dataframe(flat), names)):
        pd.testing.assert_frame_equal(associate(data, outcomes, "bmff", **options).table, expected, rtol=1e-9)


def test_associate__a_variable_of_regions_is_one_outcome_per_region_without_those_that_failed_qc() -> None:
    rng = np.random.default_rng(0)
    data = xr.Dataset(
        {
            "bmff": (("participant", "region"), rng.normal(50, 5, (60, 2))),
            "qc_outcome": (("participant", "region"), np.where(rng.random((60, 2)) < 0.1, 2, 1).astype(np.uint8)),
            "age": ("participant", rng.normal(65, 3, 60)),
        },
        {"participant": np.arange(60), "region": ["spine", "total_hip"]},
    )
    found = associate(data, "bmff", "age")
    passed = (data["qc_outcome"] == 1).sum("participant").to_numpy()
    assert found.table["outcome"].tolist() == ["bmff_spine", "bmff_total_hip"]
    assert found.table["n"].tolist() == passed.tolist()
    assert found.qc_failed == 120 - passed.sum()
    assert f"{found.qc_failed} values failed QC and count as missing" in str(found)
    with pytest.warns(UserWarning, match="used although they failed QC"):
        assert associate(data, "bmff", "age", qc=None).table["n"].tolist() == [60, 60]


def test_associate__a_fit_that_fails_is_a_row_with_its_reason() -> None:
    cohort = r_cohort().assign(
        one=1.0,
        empty=np.nan,
        word="a",
        double=lambda data: 3 - 2 * data["bmff_spine"],
        endless=lambda data: data["vat_mass"].mask(data["age"] == 60, np.inf),
        few=lambda data: data["vat_mass"].where(np.arange(240) < 3),
        bmd_total_hip=0.0,
        women=lambda data: data["vat_mass"].where(data["sex"] == "Female"),
        flat=4.0,
    )
    outcomes = ["one", "empty", "word", "double", "endless", "few", "bmd_total_hip", "bmff_spine", "women", "bmd_spine"]
    found = associate(cohort, outcomes, ["bmff_spine", "flat"], covariates=["sex", "bmi"])
    reason = found.table.set_index(["exposure", "outcome"])["reason"]
    for outcome, why in {
        "one": "constant: 1 in all 228 rows",
        "empty": "no participant has a value together with the terms",
        "word": "holds text, as 'a'",
        "double": "the terms give it exactly, nothing is left to estimate",
        "endless": "infinite in ",
        "few": "3 rows for 4 terms, expected more rows than terms",
        "bmd_total_hip": "240 of 240 values of bmd_total_hip are 0; a bone density of 0 is a scan that failed",
        "bmff_spine": r"bmff_spine is also on the right side (sex + bmi + bmff_spine)",
        "women": "sex[Male] is constant or collinear in the ",
    }.items():
        assert reason["bmff_spine", outcome].startswith(why), outcome
    assert reason["bmff_spine", "bmd_spine"] == ""
    assert (reason["flat"].drop(["word", "bmd_total_hip"]) == "flat is constant: 4 in all 236 rows").all()
    assert len(found.failed) == 19
    assert found.failed[["estimate", "std_error", "p_value", "p_adjusted", "conf_low"]].isna().all(axis=None)
    assert found.n_tests == 1
    assert "19 fits could not be made (8: flat is constant: 4 in all 236 rows" in str(found)


def test_associate__says_which_binary_outcomes_have_no_logistic_fit() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=200)
    table = pd.DataFrame(
        {
            "x": x, "site": np.repeat(["a", "b"], 100), "split": (x > 0).astype(float), "never": 0.0,
            "rare": np.r_[1.0, np.zeros(199)], "score": np.arange(200.0), "some": rng.binomial(1, 0.3, 200),
            "only_b": np.r_[np.zeros(100), rng.binomial(1, 0.5, 100)],
        }
    )  # fmt: skip
    outcomes = ["split", "never", "rare", "score", "some", "only_b"]
    table = associate(table, outcomes, "x", covariates=["site"], family="binomial").table.set_index("outcome")
    reason = table["reason"]
    assert reason["split"].startswith("separated")
    assert reason["never"] == "no cases among 200 participants"
    assert reason["rare"] == "1 cases for 3 terms"
    assert reason["score"].startswith("not 0 and 1: holds 200 values, as 0, 1, 2; code cases as 1")
    assert reason["some"] == ""
    assert reason["only_b"].startswith("separated")
    assert np.isfinite(table.loc["some", "estimate"])


def test_associate__logistic_fits_are_those_of_statsmodels() -> None:
    people, _ = traits(500)
    people = people.dropna()
    rng = np.random.default_rng(2)
    for i, share in enumerate((0.03, 0.3, 0.9)):
        odds = np.log(share / (1 - share)) + 0.05 * (people["bmff"] - 50)
        people[f"ill_{i}"] = rng.binomial(1, 1 / (1 + np.exp(-odds)))
    found = associate(people, ["ill_0", "ill_1", "ill_2"], "bmff", covariates=["age", "sex"], family="binomial").table
    X = np.column_stack([np.ones(len(people)), people["age"], people["sex"] == "Male", people["bmff"]]).astype(float)
    for i, row in found.iterrows():
        fit = GLM(people[f"ill_{i}"], X, families.Binomial()).fit(tol=1e-14)
        np.testing.assert_allclose(row["estimate"], fit.params.iloc[-1], rtol=1e-8)
        np.testing.assert_allclose(row["std_error"], fit.bse.iloc[-1], rtol=1e-8)


def test_associate__a_stated_family_is_adjusted_for_and_none_is_called_unadjusted() -> None:
    paper = associate(r_cohort(), OUTCOMES[:2], "bmff_spine", n_tests=12)
    np.testing.assert_allclose(paper.table["p_adjusted"], np.minimum(1, 12 * paper.table["p_value"]))
    assert "p adjusted by Bonferroni for 12 tests" in str(paper)
    raw = associate(r_cohort(), OUTCOMES[:2], "bmff_spine", adjust=None)
    assert raw.table["p_adjusted"].isna().all()
    assert "p unadjusted, 2 tests" in str(raw)
    assert "p adjusted" not in str(raw)


def test_associate__strata_are_printed_where_the_interaction_is_significant() -> None:
    """As Table 4 does; the table holds all of them."""
    cohort = r_cohort().assign(mixed=lambda data: data["bmff_spine"] * np.where(data["sex"] == "Male", 1, -1))
    cohort["mixed"] += np.random.default_rng(0).normal(0, 5, len(cohort))
    found = associate(cohort, ["mixed", "vat_mass"], "bmff_spine", modifier="sex")
    assert found.table["stratum"].tolist() == ["all", "Female", "Male"] * 2
    assert found.layout()["stratum"].tolist() == ["all", "Female", "Male", "all"]
    assert found.layout(strata="always")["stratum"].tolist() == ["all", "Female", "Male"] * 2
    assert found.layout(strata="never")["stratum"].tolist() == ["all", "all"]


def test_associate__exports(tmp_path: Path) -> None:
    found = associate(r_cohort(), OUTCOMES[:2], EXPOSURES, modifier="sex")
    found.to_csv(tmp_path / "table4.csv")
    again = pd.read_csv(tmp_path / "table4.csv")
    np.testing.assert_array_equal(again["estimate"], found.table["estimate"])
    for text in (found.to_html(tmp_path / "t.html"), found.to_latex(tmp_path / "t.tex"), str(found)):
        assert "p adjusted by Bonferroni for 6 tests of each stratum" in text
    assert r"bmff\_spine" in (tmp_path / "t.tex").read_text()
    assert "<table" in found._repr_html_()


def test_associate__a_long_table_prints_the_smallest_p() -> None:
    people, values = traits(200, 60)
    flat = people.join(pd.DataFrame(values, people.index, [f"trait_{i}" for i in range(60)]))
    text = str(associate(flat, [f"trait_{i}" for i in range(60)], "bmff"))
    assert "the 20 smallest p of 60 rows; all in .table" in text
    assert len(text.splitlines()) < 30


@pytest.mark.parametrize("strength", [0.0, 0.5])
@pytest.mark.parametrize("draw", ["manhattan", "volcano"])
def test_associate__pictures_draw_the_limit_of_the_family(draw: str, strength: float) -> None:
    """Whatever the p values are, and the same in every panel."""
    rng = np.random.default_rng(2)
    table = pd.DataFrame(rng.normal(size=(200, 20)), columns=[f"trait_{i}" for i in range(20)])
    table = table.assign(x=rng.normal(size=200), z=rng.normal(size=200))
    table["trait_3"] += strength * table["x"]
    figure = getattr(associate(table, list(table.columns[:20]), ["x", "z"]).plot, draw)()
    lines = [line.get_ydata()[0] for axes in figure.axes for line in axes.lines if line.get_linestyle() == "--"]
    np.testing.assert_allclose(lines, -np.log10(0.05 / 40))
    assert len(lines) == (2 if draw == "manhattan" else 1)


@pytest.mark.parametrize("draw", ["manhattan", "volcano"])
def test_associate__pictures_name_the_smallest_p(draw: str) -> None:
    found = associate(r_cohort(), OUTCOMES[:3], EXPOSURES)
    figure = getattr(found.plot, draw)()
    named = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert "bmd_spine" in named
    figure.draw_without_rendering()
    with pytest.raises(AnalysisError, match="no fit of stratum 'Male' to draw; the table has all"):
        getattr(found.plot, draw)(stratum="Male")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outcomes": ["bmd_spin"]}, "no column 'bmd_spin'; the closest are bmd_spine"),
        ({"exposures": ["bmff"]}, "no column 'bmff'; the closest are bmff_spine"),
        ({"covariates": ["bmi", "I(bmi * 2)"]}, r"I\(bmi \* 2\) is collinear with bmi"),
        ({"outcomes": []}, "outcomes is empty, expected at least one name"),
        ({"family": "poisson"}, "family='poisson' is not known; expected 'gaussian' or 'binomial' or 'auto'"),
        ({"adjust": "tukey"}, "adjust='tukey' is not known"),
        ({"modifier": "log(bmi)"}, "not the name of one column"),
        ({"confidence": 95}, "confidence=95 is not a level"),
    ],
)
def test_associate__says_what_is_wrong(options: dict[str, Any], message: str) -> None:
    arguments = {"outcomes": OUTCOMES[:1], "exposures": EXPOSURES[:1]} | options
    with pytest.raises(AnalysisError, match=message):
        associate(r_cohort(), **arguments)


def test_associate__sex_as_numbers_is_refused() -> None:
    cohort = r_cohort().assign(sex=lambda data: (data["sex"] == "Male").astype(int))
    with pytest.raises(AnalysisError, match="sex is coded as numbers"):
        associate(cohort, "bmd_spine", "bmff_spine", modifier="sex")


def test_associate__an_exposure_isnt_the_outcome_because_covariates_are() -> None:
    """Weight follows from height and BMI, and leaves next to nothing to anything else."""
    rng = np.random.default_rng(4)
    table = pd.DataFrame(
        {"bmi": rng.normal(24, 3, 200), "height": rng.normal(168, 9, 200), "age": rng.normal(65, 3, 200)}
    )
    table["weight"] = table["bmi"] * (table["height"] / 100) ** 2
    assert associate(table, "weight", "age", covariates=["bmi", "height"]).notes == ()
    told = associate(table.assign(pounds=np.float32(2.2046 * table["weight"])), "weight", "pounds", covariates=["age"])
    assert told.notes == ("one measurement in two forms, whose model says nothing: weight and pounds",)
