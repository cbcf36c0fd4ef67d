from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from bmx.analysis.regression import regress
from tests.analysis.r_models import LOGISTIC, MODELS, people


def test_to_xarray__holds_terms_covariance_and_summary(tmp_path: Path) -> None:
    fit = regress(people(), MODELS["main"], vcov="HC3")
    data = fit.to_xarray()
    assert data.sizes == {"term": 4, "other_term": 4}
    assert float(data["estimate"].sel(term="bmi")) == fit.params["bmi"]
    np.testing.assert_allclose(np.sqrt(np.diag(data["covariance"])), fit.terms["std_error"])
    assert data.attrs["formula"] == fit.formula
    assert (data.attrs["n"], data.attrs["aic"], data.attrs["vcov"]) == (123, fit.summary.aic, "HC3")
    data.to_zarr(tmp_path / "fit.zarr", zarr_format=3, consolidated=False)
    again = xr.open_zarr(tmp_path / "fit.zarr", consolidated=False).load()
    assert again["term"].to_numpy().tolist() == fit.terms["term"].tolist()
    np.testing.assert_array_equal(again["covariance"], data["covariance"])
    assert again.attrs["formula"] == fit.formula


def test_to_latex__is_what_is_printed_with_footnotes(tmp_path: Path) -> None:
    fit = regress(people(), MODELS["main"], cluster="practice")
    latex = fit.to_latex(tmp_path / "fit.tex")
    assert (tmp_path / "fit.tex").read_text(encoding="utf-8") == latex
    printed = str(fit).splitlines()
    sex = next(line for line in printed if line.startswith("sex"))
    assert f"sex[Male] & {sex.split()[1]} & " in latex
    assert r"bmff\_spine" in latex
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\begin") == latex.count(r"\end") == 2
    for said in (
        "Least squares",
        "listwise",
        "Covariance: cluster, t on 16 df",
        "not adjusted for multiple testing",
        "17 clusters of practice",
    ):
        assert said in latex


def test_footnotes__say_the_model_of_a_logistic_fit() -> None:
    notes = regress(people(), LOGISTIC["height"], family="binomial").footnotes
    assert notes[0].startswith("Logistic regression by maximum likelihood; intervals by profile likelihood")
    assert "Covariance: classical, z." in notes[2]
