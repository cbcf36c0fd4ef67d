from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bmx.analysis import regress
from bmx.simulation.density import DENSITY_MODELS, SIDE_SD, YOUNG_ADULT, bone_group
from bmx.simulation.marrow_fat import BMFF_PERCENT
from bmx.simulation.people import draw_people


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return draw_people(5000, seed=7)


@pytest.mark.parametrize("density", DENSITY_MODELS)
def test_draw_density__follows_the_papers_model(people: pd.DataFrame, density: str) -> None:
    """Oracle: least squares on 5,000 people finds the coefficients that made them, within 4 standard errors."""
    model = DENSITY_MODELS[density]
    design = np.column_stack(
        [np.ones(len(people)), people[f"bmff_{model.exposure}"], people["sex"] == "Male", people["bmi"]]
    ).astype(float)
    outcome = people[density].to_numpy()
    found, *_ = np.linalg.lstsq(design, outcome, rcond=None)
    residual = outcome - design @ found
    variance = residual @ residual / (len(people) - design.shape[1])
    error = np.sqrt(variance * np.diag(np.linalg.inv(design.T @ design)))
    intercept = model.typical - model.bmff * BMFF_PERCENT["Female"][model.exposure][0] - 22.5 * model.bmi
    made = np.array([intercept, model.bmff, model.male, model.bmi])
    assert np.all(np.abs(found - made) < 4 * error), (found, made, error)
    assert np.sqrt(variance) == pytest.approx(model.residual_sd, rel=0.05)


def test_draw_density__the_neck_knows_more_regions_than_the_hip(people: pd.DataFrame) -> None:
    """Table 6: spine BMFF says something beside total hip BMFF (Model 5.12), and the head takes over alone (5.1)."""
    both = regress(people, "bmd_femoral_neck ~ bmff_total_hip + bmff_spine + sex + bmi").terms.set_index("term")
    assert both.loc["bmff_total_hip", "conf_high"] < -0.008
    assert -0.004 < both.loc["bmff_spine", "estimate"] < -0.001
    assert both.loc["bmff_spine", "p_value"] < 0.001
    head = regress(people, "bmd_femoral_neck ~ bmff_femoral_head + sex").terms.set_index("term")
    assert head.loc["bmff_femoral_head", "estimate"] == pytest.approx(-0.022, abs=0.004)


def test_draw_density__t_scores_are_those_of_their_density(people: pd.DataFrame) -> None:
    """(BMD - young mean) / young SD of the sex to one decimal, as a scanner prints it, on the right side, too."""
    for sex, references in YOUNG_ADULT.items():
        some = people[people["sex"] == sex]
        for name, (mean, sd) in references.items():
            for side in ("", "_right") if name != "tscore_spine" else ("",):
                density = some[name.replace("tscore", "bmd") + side]
                assert (some[name + side] - (density - mean) / sd).abs().max() <= 0.05 + 1e-9


def test_draw_density__right_and_left_differ_little(people: pd.DataFrame) -> None:
    """A reader that takes the right field for the left is wrong by a few percent, as in UK Biobank."""
    for site, sd in SIDE_SD.items():
        difference = people[f"bmd_{site}_right"] - people[f"bmd_{site}"]
        assert difference.mean() == pytest.approx(0, abs=4 * sd / np.sqrt(len(people)))
        assert difference.std() == pytest.approx(sd, rel=0.1)


@pytest.mark.parametrize(
    ("lowest", "group"),
    [(-2.6, "osteoporotic"), (-2.5, "osteoporotic"), (-2.4, "osteopaenic"), (-1.1, "osteopaenic"), (-1.0, "control")],
)
def test_bone_group__has_the_borders_of_who(lowest: float, group: str) -> None:
    """The lowest site decides, whichever it is; -2.5 is osteoporosis, -1.0 still normal."""
    for site in YOUNG_ADULT["Male"]:
        scores = dict.fromkeys(YOUNG_ADULT["Male"], 0.4) | {site: lowest}
        assert bone_group(scores) == group
