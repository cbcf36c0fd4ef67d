from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

import bmx.analysis
from bmx.analysis.report import as_text, latex_table
from bmx.analysis.result import Regression, Summary


def example() -> Regression:
    """The regression of the paper's Model 4.2, with numbers that give the documented print."""
    eids = pd.RangeIndex(688)
    terms = pd.DataFrame(
        {
            "outcome": "bmd_spine",
            "region": "",
            "term": ["Intercept", "bmff_spine", "sex[Male]", "bmi"],
            "estimate": [0.9, -0.00475, 0.1648, 0.01634],
            "std_error": [0.1, 0.000554, 0.0100, 0.00344],
            "statistic": [9.0, -8.57, 16.43, 4.74],
            "df": 684,
            "p_value": [1e-15, 1e-12, 1e-30, 2e-6],
            "conf_low": [0.7, -0.005838, 0.1452, 0.00959],
            "conf_high": [1.1, -0.003662, 0.1845, 0.02309],
            "n": 688,
            "vif": 1.1,
        }
    )
    return Regression(
        formula="bmd_spine ~ bmff_spine + sex + bmi",
        outcome="bmd_spine",
        region=None,
        vcov="classical",
        confidence=0.95,
        terms=terms,
        summary=Summary(688, 41, 0.43, 0.4283, 0.1198, 684, 172.0, 487.3, -964.6, -941.9),
        residuals=pd.Series(0.0, index=eids),
        fitted=pd.Series(0.0, index=eids),
        dropped=pd.Series(["bmd_spine"] * 8 + ["bmff_spine"] * 33, dtype=object),
    )


DOCUMENTED = """\
Linear regression  bmd_spine ~ bmff_spine + sex + bmi          n = 688 (41 dropped: 33 bmff_spine, 8 bmd_spine)
term            estimate   95% CI               t       p
bmff_spine       -0.00475  -0.00584 to -0.00366   -8.6  <0.001
sex[Male]         0.165     0.145   to  0.184     16.4  <0.001
bmi               0.0163    0.0096  to  0.0231     4.7  <0.001
adj. R2 0.43   AIC -964.6 (counts sigma, as R)   residual SD 0.120 on 684 df"""


def test_as_text__is_the_documented_layout() -> None:
    fit = example()
    assert as_text(fit) == str(fit) == repr(fit) == DOCUMENTED


def test_as_text__says_what_is_not_usual() -> None:
    fit = example()
    unusual = replace(fit, vcov="HC3", confidence=0.9, region="spine", terms=fit.terms[1:], dropped=fit.dropped[:0])
    first, header, *_, last = as_text(unusual).splitlines()
    assert first.startswith("Linear regression  bmd_spine ~ bmff_spine + sex + bmi (spine)")
    assert first.endswith("n = 688 (0 dropped)")
    assert "90% CI" in header
    assert last.endswith("on 684 df   HC3 standard errors   no intercept: R2 about zero, as R")


def test_as_text__stays_aligned_with_long_names_and_large_numbers() -> None:
    terms = example().terms.assign(
        term=["Intercept", "bmff_femoral_diaphysis:sex[Male]", "sex[Male]", "bmi"],
        estimate=[1.0, -123456.0, 0.5, 2.0],
        std_error=[1.0, 2000.0, 0.01, 30.0],
        conf_low=[0.0, -127456.0, 0.48, -58.0],
        conf_high=[2.0, -119456.0, 0.52, 62.0],
        p_value=[0.5, 0.0499, 0.001, 1.0],
    )
    lines = as_text(replace(example(), terms=terms)).splitlines()[2:-1]
    assert lines == [
        "bmff_femoral_diaphysis:sex[Male]  -123456      -127456     to -119456       -8.6   0.050",
        "sex[Male]                               0.500        0.480 to       0.520   16.4   0.001",
        "bmi                                     2          -58     to      62        4.7   1.000",
    ]


def test_as_text__intercept_alone_is_shown() -> None:
    # Its R2 is zero but for rounding, which would print as 0.00000000000000011; R prints none either.
    alone = replace(example(), terms=example().terms[:1], summary=replace(example().summary, f=float("nan")))
    assert "Intercept" in as_text(alone)
    assert as_text(alone).splitlines()[-1].startswith("AIC -964.6")


def test_to_html__holds_the_same_and_escapes(tmp_path: Path) -> None:
    fit = replace(example(), formula="bmd_spine ~ I(bmi < 25)")
    html = fit.to_html(tmp_path / "fit.html")
    assert (tmp_path / "fit.html").read_text(encoding="utf-8") == html == fit._repr_html_()
    assert "I(bmi &lt; 25)" in html
    assert "<td>-0.00584 to -0.00366</td><td>-8.6</td><td>&lt;0.001</td>" in html
    assert "AIC -964.6 (counts sigma, as R)" in html


def test_to_html__footnotes_say_model_missing_data_covariance_and_adjustment() -> None:
    html = replace(example(), vcov="HC3", df=684.0, notes=("weighted by w",)).to_html()
    for said in (
        "Least squares.", "left out of this model alone (listwise)", "Covariance: HC3, t on 684 df",
        "not adjusted for multiple testing", "Weighted by w.",
    ):  # fmt: skip
        assert said in html


def test_as_text__notes_stand_below_the_table() -> None:
    lines = as_text(replace(example(), notes=("3 clusters of centre",))).splitlines()
    assert lines[:-1] == DOCUMENTED.splitlines()
    assert lines[-1] == "note: 3 clusters of centre"


def test_as_text__nothing_is_not_less_than_nothing() -> None:
    terms = example().terms.assign(estimate=-0.0001, statistic=-0.01, std_error=0.1)
    row = as_text(replace(example(), terms=terms)).splitlines()[2]
    assert row.split()[1] == "0.00"
    assert " -0.0 " not in row


def test_latex_table__escapes_what_latex_would_take_for_itself() -> None:
    text = latex_table("a_b & 5% of $x$", ["term", "p"], [["I(x^2)", "<0.001"]], ["~ {y} #1"])
    assert r"a\_b \& 5\% of \$x\$" in text
    assert r"I(x\textasciicircum{}2) & $<$0.001 \\" in text
    assert r"\textasciitilde{} \{y\} \#1" in text


def test_to_csv__keeps_every_digit(tmp_path: Path) -> None:
    fit = example()
    fit.to_csv(tmp_path / "fit.csv")
    again = pd.read_csv(tmp_path / "fit.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(again, fit.terms, check_dtype=False, check_exact=True)


def test_analysis__public_names_are_functions_twice() -> None:
    # A submodule that bears a verb's name would replace it after its first import.
    for _ in range(2):
        assert all(callable(getattr(bmx.analysis, name)) for name in bmx.analysis.__all__)
        assert bmx.analysis.Regression is Regression
    assert set(bmx.analysis.__all__) == set(dir(bmx.analysis)) >= {"regress", "Regression"}
