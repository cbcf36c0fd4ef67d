from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bmx.analysis.comparison import compare
from bmx.analysis.regression import regress
from bmx.errors import AnalysisError
from tests.analysis.r_models import people, r_says

NESTED = ("bmd_spine ~ bmff_spine", "bmd_spine ~ bmff_spine + sex + bmi")


def complete() -> pd.DataFrame:
    return people().dropna(subset=["bmd_spine", "bmff_spine", "bmi"])


def test_compare__different_rows_are_refused_with_their_counts() -> None:
    # The paper compared AICs across different rows: one more covariate raised it by 14.9, and by 2 at most it can.
    message = r"the models have different participants \(Model 1 125, Model 2 123; 123 in all of them\).* rows='common'"
    with pytest.raises(AnalysisError, match=message):
        compare(*NESTED, data=people())


def test_compare__common_rows_are_those_of_all_models() -> None:
    found = compare(*NESTED, data=people(), rows="common")
    alone = [regress(complete(), formula) for formula in NESTED]
    for fit, expected in zip(found.fits, alone, strict=True):
        pd.testing.assert_frame_equal(fit.terms, expected.terms)
        assert fit.summary.aic == expected.summary.aic
    assert "fitted anew to the 123 participants that all models have; alone they have: Model 1 125" in str(found)


def test_compare__says_of_everybody_why_they_are_not_in_common_rows() -> None:
    """Whom another model lacks has gone, too: rows used and rows dropped are all there were."""
    table = people()
    for fit in compare(*NESTED, data=table, rows="common").fits:
        assert fit.summary.n + fit.summary.n_dropped == len(table)
        assert fit.summary.n_dropped == len(fit.dropped)
    first = compare(*NESTED, data=table, rows="common").fits[0]
    assert (first.dropped == "missing in another model").sum() == 2


def test_compare__same_number_of_other_people_is_not_the_same_rows() -> None:
    cohort = people()
    first, last = cohort["eid"] <= cohort["eid"].iloc[99], cohort["eid"] > cohort["eid"].iloc[39]
    fits = [regress(cohort, "height ~ age", where=where) for where in (first, last)]
    with pytest.raises(AnalysisError, match=r"Model 1 100, Model 2 100; 60 in all of them"):
        compare(*fits)
    assert [fit.summary.n for fit in compare(*fits, rows="common").fits] == [60, 60]


def test_compare__nested_f_and_aic_are_those_of_r() -> None:
    expected = r_says("nested", "main").iloc[0]
    found = compare(*NESTED, data=people(), rows="common").tests.iloc[1]
    for name in ("df", "statistic", "p_value"):
        assert found[name] == pytest.approx(expected[name], rel=1e-8)
    tests = compare(*NESTED, data=people(), rows="common").tests
    assert tests["delta_aic"].tolist() == pytest.approx([expected["delta_aic"], 0], rel=1e-8)
    assert tests["against"].tolist() == ["", "Model 1"]


def test_compare__logistic_models_by_likelihood_ratio() -> None:
    found = compare("empty ~ height", "empty ~ height + sex", data=people(), family="binomial")
    fits = found.fits
    assert found.tests["statistic"].iloc[1] == pytest.approx(fits[1].anova(2)["lr_chisq"].iloc[1])
    assert found.tests["p_value"].iloc[1] == pytest.approx(fits[1].anova(2)["p_value"].iloc[1])
    assert "likelihood ratio" in str(found)
    assert "adj. R²" not in found.table


def test_compare__tests_only_models_that_contain_each_other() -> None:
    # By their columns, not their names: groups contain the quantity that follows from them.
    cohort = complete().assign(wide=lambda table: 2 * table["bmi"] + 1)
    found = compare(
        "bmd_spine ~ bmi", "bmd_spine ~ age", "bmd_spine ~ wide + sex", "bmd_spine ~ sex + age", data=cohort
    ).tests
    assert found["against"].tolist() == ["", "", "Model 1", "Model 2"]


def test_compare__table_is_the_papers(tmp_path: Path) -> None:
    names = ["Model 4.1", "Model 4.2"]
    found = compare(*NESTED, data=people(), rows="common", names=names)
    table = found.table
    assert table.columns.tolist() == ["model", "n", "adj. R²", "AIC", "bmff_spine", "sex[Male]", "bmi"]
    assert table["model"].tolist() == names
    assert table.loc[0, ["sex[Male]", "bmi"]].tolist() == ["-", "-"]
    fit = found.fits[1]
    assert table.loc[1, "AIC"] == f"{fit.summary.aic:.1f}"
    assert table.loc[1, "bmff_spine"].startswith(f"{fit.params['bmff_spine']:.4f} (")
    for term, stars in (("bmff_spine", ""), ("sex[Male]", " ***")):
        assert table.loc[1, term].endswith(f"){stars}")
    assert found.terms["model"].unique().tolist() == names
    assert len(found.terms) == 2 + 4
    assert found.to_csv(tmp_path / "table.csv").splitlines()[0].startswith("model,n,adj. R²,AIC,bmff_spine")
    html = found.to_html(tmp_path / "table.html")
    assert html == found._repr_html_() == (tmp_path / "table.html").read_text(encoding="utf-8")
    for note in ("p &lt; 0.001, not adjusted for multiple testing", "123 participants", "AIC counts sigma, as R"):
        assert note in html
    assert r"\toprule" in found.to_latex()


def test_compare__models_of_several_regions_have_columns_of_their_own() -> None:
    # Table 6 puts head, hip and spine beside each other; with region= all of them are called bmff.
    rng = np.random.default_rng(0)
    data = xr.Dataset(
        {
            "bmff": (("participant", "region"), rng.normal(50, 5, (40, 2))),
            "qc_outcome": (("participant", "region"), np.ones((40, 2), np.uint8)),
            "bmd_femoral_neck": ("participant", rng.normal(0.8, 0.1, 40)),
        },
        {"participant": np.arange(40), "region": ["femoral_head", "total_hip"]},
    )
    fits = [regress(data, "bmd_femoral_neck ~ bmff", region=region) for region in ("femoral_head", "total_hip")]
    assert compare(*fits).table.columns.tolist()[4:] == ["bmff_femoral_head", "bmff_total_hip"]


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        (("bmd_spine ~ sex",), {}, "1 models given, expected at least 2 to compare"),
        (("bmd_spine ~ sex", "height ~ sex"), {}, "Model 2 has outcome height, Model 1 has bmd_spine"),
        (("bmd_spine ~ sex", "np.log(bmd_spine) ~ sex"), {}, r"Model 2 has outcome np.log\(bmd_spine\)"),
        (NESTED, {"rows": "all"}, "rows='all' is not known; expected 'refuse' or 'common'"),
        (NESTED, {"names": ["a", "a"]}, "names= has 1 different names, expected one for each of 2 models"),
    ],
)
def test_compare__teaches(models: tuple[str, ...], options: dict[str, object], message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        compare(*models, data=people(), **options)  # type: ignore[arg-type]  # wrong on purpose


def test_compare__formulas_need_data_and_fits_take_no_options() -> None:
    with pytest.raises(AnalysisError, match="needs data to be fitted to: data=cohort"):
        compare(*NESTED)
    fit = regress(people(), NESTED[0])
    with pytest.raises(AnalysisError, match="vcov= is for formulas"):
        compare(fit, fit, vcov="HC3")
    other = people().assign(bmd_spine=lambda table: table["bmd_spine"] * 1000)
    with pytest.raises(AnalysisError, match="Model 2 has other values of the outcome than Model 1"):
        compare(fit, regress(other, NESTED[0]))


def test_compare__a_model_that_common_rows_cannot_carry_is_named() -> None:
    cohort = people()
    cohort.loc[cohort["status"] == "control", "bmi"] = np.nan
    cohort = cohort[cohort["status"] != "osteoporotic"]
    with pytest.raises(AnalysisError, match="status has a single level") as caught:
        compare("height ~ status", "height ~ bmi", data=cohort, rows="common")
    assert any("while fitting Model 1" in note for note in caught.value.__notes__)
