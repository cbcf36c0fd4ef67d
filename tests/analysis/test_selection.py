from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bmx.analysis.selection import bone_groups, select_cohort
from bmx.errors import AnalysisError


@pytest.mark.parametrize(
    ("score", "group"),
    [(-2.5, "osteoporotic"), (-2.49, "osteopaenic"), (-1.01, "osteopaenic"), (-1.0, "control"), (2.0, "control")],
)
def test_bone_groups__draws_the_lines_where_the_who_does(score: float, group: str) -> None:
    """-1.0 is a legitimate value and a control; nothing is blanket-replaced."""
    assert bone_groups(pd.DataFrame({"tscore_spine": [score]})).item() == group


def test_bone_groups__takes_the_lowest_site_that_is_there() -> None:
    data = xr.Dataset(
        {
            "tscore_spine": ("participant", [0.0, np.nan, np.nan]),
            "tscore_total_hip": ("participant", [-1.5, -3.0, np.nan]),
        },
        {"participant": [11, 12, 13]},
    )
    found = bone_groups(data)
    assert found.values.tolist() == ["osteopaenic", "osteoporotic", ""]
    assert found["participant"].values.tolist() == [11, 12, 13]
    assert bone_groups(data, sites=("tscore_spine",)).values.tolist() == ["control", "", ""]


def test_bone_groups__wants_a_t_score() -> None:
    with pytest.raises(AnalysisError, match=r"none of tscore_spine.*DXA T-scores"):
        bone_groups(pd.DataFrame({"bmd_spine": [1.0]}))


def people() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "participant": range(1, 8),
            "age": [60.0, 69, 70, 59, 65, 65, np.nan],
            "bmi": [18.5, 25, 22, 22, 25.1, np.nan, 22],
            "diabetes_doctor": [0.0, 1, 0, 0, 0, 0, 0],
        }
    )


def test_select_cohort__counts_who_is_lost_at_each_step_and_why() -> None:
    found = select_cohort(people())
    assert found.chosen.values.tolist() == [True] + [False] * 6
    assert found.steps.to_numpy().tolist() == [
        ["all", 7, 0, 0], ["age 60 to 69", 4, 3, 1], ["bmi 18.5 to 25", 2, 2, 1], ["no diabetes", 1, 1, 0]
    ]  # fmt: skip
    assert int(found.chosen.sum()) == found.steps["n"].iloc[-1]
    assert "no diabetes" in str(found)


def test_select_cohort__leaves_steps_out_that_are_none() -> None:
    assert select_cohort(people(), age=None, bmi=None, diabetes=None).chosen.all()
    assert (
        select_cohort(people(), age=None, bmi=None, diabetes=True).chosen.values.tolist() == [False, True] + [False] * 5
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [({"age": (69, 60)}, "limits the wrong way round"), ({"bmi": (1, 2)}, "the data have no bmi; say bmi=None")],
)
def test_select_cohort__refuses(options: dict[str, object], message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        select_cohort(people().drop(columns="bmi"), **options)  # type: ignore[arg-type]
