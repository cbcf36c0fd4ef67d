"""What R says of models of people.csv (fixtures/models.R), in bmx's words."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

FIXTURES = Path(__file__).parent / "fixtures"

MODELS = {
    "main": "bmd_spine ~ bmff_spine + sex + bmi",
    "crossed": "bmd_spine ~ bmff_spine * sex + status + C(assessment_centre) + bmi",
    "groups": "bmd_spine ~ sex * status",
    "curve": "bmd_spine ~ age + I(age**2) + sex * lesions",
}
LOGISTIC = {"height": "empty ~ height", "both": "empty ~ height * sex + status"}

CLOSED_FORM = 1e-8
"""Relative difference allowed between two ways to compute the same number."""

ITERATIVE = 1e-3
"""Where one of them iterates or interpolates: R's profile intervals and its difference quotients."""


@cache
def _people() -> pd.DataFrame:
    return pd.read_csv(FIXTURES / "people.csv")


def people() -> pd.DataFrame:
    """The seeded cohort, a copy of its own for each caller."""
    return _people().copy()


@cache
def _numbers() -> pd.DataFrame:
    return pd.read_csv(FIXTURES / "models.csv", keep_default_na=False).replace({"value": {"NA": "nan"}})


def r_says(part: str, model: str) -> pd.DataFrame:
    """One row per term, group or participant, one column per quantity."""
    found = _numbers()[lambda table: (table["part"] == part) & (table["model"] == model)]
    assert len(found), f"models.R says nothing of {part}, {model}"
    table = found.pivot_table("value", "row", "name", aggfunc="first", sort=False).astype(float)
    return table.rename(index=_in_bmx, columns=str)


def _in_bmx(row: str) -> str:
    for r, ours in (
        ("(Intercept)", "Intercept"), ("sexMale", "sex[Male]"), ("statusosteopaenic", "status[osteopaenic]"),
        ("statusosteoporotic", "status[osteoporotic]"), ("I(age^2)", "I(age ** 2)"),
        ("C(assessment_centre)11026", "C(assessment_centre)[11026]"),
        ("C(assessment_centre)11027", "C(assessment_centre)[11027]"), ("Residuals", "Residual"),
    ):  # fmt: skip
        row = row.replace(r, ours)
    return row


def assert_agrees(found: pd.DataFrame, expected: pd.DataFrame, *, rtol: float = CLOSED_FORM) -> None:
    """Every number that R has, in R's order of rows: estimates and limits also to `rtol` of their standard error."""
    assert [str(row) for row in found.index] == [str(row) for row in expected.index]
    for name, numbers in expected.items():
        of_error = str(name) in ("estimate", "conf_low", "conf_high", "statistic")
        error = 1.0 if name == "statistic" else expected.get("std_error", pd.Series(0.0)).max() if of_error else 0.0
        np.testing.assert_allclose(
            found[str(name)].to_numpy(float), numbers.to_numpy(), rtol=rtol, atol=rtol * error, err_msg=str(name)
        )


def by_group(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Rows named by their groups, as models.R names them."""
    return table.set_axis(["|".join(map(str, groups)) for groups in table[list(names)].to_numpy().tolist()])
