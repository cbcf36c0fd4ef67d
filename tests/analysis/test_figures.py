from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bmx.analysis.figures import partial_residuals
from bmx.analysis.regression import regress
from bmx.errors import AnalysisError
from tests.analysis.r_models import LOGISTIC, MODELS, people


def test_forest__shows_each_estimate_with_its_interval_and_numbers(tmp_path: Path) -> None:
    fit = regress(people(), MODELS["crossed"])
    figure = fit.plot.forest()
    axes, beside = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == fit.terms["term"].tolist()[1:]
    points = axes.containers[0].lines[0].get_xydata()
    np.testing.assert_allclose(points[:, 0], fit.terms["estimate"][1:])
    bars = np.array([bar.get_segments() for bar in axes.containers[0].lines[2]])[0]
    np.testing.assert_allclose(bars[:, :, 0], fit.terms[["conf_low", "conf_high"]][1:])
    assert "to" in beside.get_yticklabels()[0].get_text()
    assert "n = 123" in axes.get_title(loc="left")
    figure.savefig(tmp_path / "forest.pdf")
    assert (tmp_path / "forest.pdf").read_bytes()[:4] == b"%PDF"


def test_forest__of_a_logistic_model_shows_odds_ratios_about_1() -> None:
    fit = regress(people(), LOGISTIC["height"], family="binomial")
    axes = fit.plot.forest().axes[0]
    assert axes.get_xscale() == "log"
    np.testing.assert_allclose(axes.containers[0].lines[0].get_xdata(), fit.terms["odds_ratio"][1:])
    assert "profile" in axes.get_xlabel()


def test_forest__takes_the_terms_that_share_a_scale() -> None:
    fit = regress(people(), MODELS["crossed"])
    chosen = ["status[osteopaenic]", "status[osteoporotic]"]
    axes = fit.plot.forest(chosen).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == chosen
    with pytest.raises(AnalysisError, match=r"status is not a term of .*; it has bmff_spine"):
        fit.plot.forest(["status"])


def test_partial__line_is_the_slope_and_points_scatter_as_residuals() -> None:
    fit = regress(people(), MODELS["main"])
    axes = fit.plot.partial("bmff_spine").axes[0]
    across, line = axes.lines[0].get_data()
    np.testing.assert_allclose(np.diff(line) / np.diff(across), fit.params["bmff_spine"])
    points = axes.collections[0].get_offsets()
    slope, intercept = np.polyfit(points[:, 0], points[:, 1], 1)
    # Least squares on partial residuals gives the coefficient back (Larsen and McCleary 1972).
    assert slope == pytest.approx(fit.params["bmff_spine"])
    np.testing.assert_allclose(points[:, 1] - slope * points[:, 0] - intercept, fit.residuals, atol=1e-12)
    assert axes.get_xlabel() == "bmff_spine (%)"
    assert axes.get_ylabel() == "bmd_spine (g cm-2)\nadjusted for sex, bmi"


def test_partial_residuals__follow_a_curve() -> None:
    fit = regress(people(), "bmd_spine ~ age + I(age**2)")
    np.testing.assert_allclose(partial_residuals(fit, "age"), fit.fitted + fit.residuals)


def test_partial__of_a_logistic_model_has_no_points() -> None:
    axes = regress(people(), LOGISTIC["both"], family="binomial").plot.partial("height").axes[0]
    assert len(axes.collections) == 1  # the band
    assert axes.get_ylabel().startswith("log odds of empty")


def test_partial__teaches() -> None:
    fit = regress(people(), MODELS["main"])
    with pytest.raises(AnalysisError, match=r"sex stands for groups and has no line; see means\('sex'\)"):
        fit.plot.partial("sex")
    with pytest.raises(AnalysisError, match="'age' is not a variable of"):
        fit.plot.partial("age")
