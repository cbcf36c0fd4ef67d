from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bmx.analysis.group_contrasts import contrasts
from bmx.analysis.mixed_models import mixed
from bmx.analysis.multiplicity import adjust
from bmx.analysis.regression import regress
from bmx.analysis.result import Regression
from bmx.errors import AnalysisError
from tests.analysis.test_mixed_models import FIXTURES, long

R = pd.read_csv(FIXTURES / "groups_contrasts.csv").fillna({"by": ""})


def linear() -> Regression:
    return regress(pd.read_csv(FIXTURES / "groups_cohort.csv").set_index("eid"), "bmd_spine ~ bone * sex + bmi")


def regions() -> Regression:
    return mixed(long().dropna(), "bmff ~ region * sex", groups="eid")


CASES = {
    "lm bone within sex": (linear, {"term": "bone", "by": "sex"}),
    "lm bone against control": (linear, {"term": "bone", "by": "sex", "against": "control"}),
    "lm bone tukey": (linear, {"term": "bone", "adjust": "tukey"}),
    "lm bone holm": (linear, {"term": "bone", "adjust": "holm"}),
    "mixed sex within region": (regions, {"term": "sex", "by": "region"}),
    "mixed regions": (regions, {"term": "region"}),
    "mixed cells": (regions, {"term": ["region", "sex"]}),
}


@pytest.mark.parametrize("name", CASES)
def test_contrasts__gives_the_numbers_of_emmeans(name: str) -> None:
    """Linear models to 1e-8, mixed ones to 1e-5 (iterative)."""
    make, options = CASES[name]
    found = contrasts(make(), **options)  # type: ignore[arg-type]
    of_group = found[options["by"]].astype(str) if "by" in options else pd.Series("", found.index)
    ours = {(by, contrast): row for by, contrast, (_, row) in
            zip(of_group, found["contrast"], found.iterrows(), strict=True)}  # fmt: skip
    expected = R[R["name"] == name]
    assert len(expected) == len(found)
    rtol = 1e-5 if name.startswith("mixed") else 1e-8
    for row in expected.itertuples():
        first, _, second = row.contrast.partition(" - ")
        turned = (row.by, row.contrast) not in ours  # R lets the first factor change fastest
        mine = ours[row.by, f"{second} - {first}" if turned else row.contrast]
        sign = -1 if turned else 1
        np.testing.assert_allclose(
            [sign * mine["estimate"], mine["std_error"], mine["df"], sign * mine["statistic"]],
            [row.estimate, row.std_error, row.df, row.statistic], rtol=rtol,
        )  # fmt: skip
        # Of linear models, R was asked to adjust within each sex, and not over both.
        alone = name.startswith("lm") and "by" in options
        p = adjust([mine["p_value"]], "sidak", len(expected) // 2)[0] if alone else mine["p_adjusted"]
        # R's Tukey and Šídák lose digits next to 0.
        np.testing.assert_allclose(p, row.p_value, rtol=100 * rtol, atol=1e-11)


def test_contrasts__family_is_all_that_is_given_unless_said() -> None:
    found = contrasts(linear(), "bone", by="sex", adjust="bonferroni")
    np.testing.assert_allclose(found["p_adjusted"], np.minimum(6 * found["p_value"], 1))
    assert "6" in found.attrs["note"]
    assert contrasts(linear(), "bone", adjust=None)["p_adjusted"].equals(
        contrasts(linear(), "bone", adjust=None)["p_value"]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"term": "bnoe"}, "'bnoe' is not a variable"),
        ({"term": "bone", "by": "bone"}, "bone is in by= too"),
        ({"term": "bone", "against": "controls"}, "no group is called 'controls'.*did you mean control"),
        ({"term": "bone", "by": "sex", "adjust": "tukey"}, "Tukey's adjustment is for all pairs of one set"),
        ({"term": "bmi"}, "bmi is a quantity"),
    ],
)
def test_contrasts__refuses(options: dict[str, str], message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        contrasts(linear(), **options)  # type: ignore[arg-type]
