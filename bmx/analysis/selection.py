"""Bone status by the World Health Organization's T-scores, and the people that the study chose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bmx.analysis.columns import Data
from bmx.analysis.text_table import TextTable
from bmx.errors import AnalysisError

GROUPS = ("control", "osteopaenic", "osteoporotic")
OSTEOPOROTIC, OSTEOPAENIC = -2.5, -1.0
SITES = ("tscore_spine", "tscore_femoral_neck", "tscore_total_hip")


def bone_groups(cohort: Data, *, sites: tuple[str, ...] = SITES) -> xr.DataArray:
    """WHO group of each participant, by the lowest T-score of those that are there.

    Parameters
    ----------
    cohort : Dataset or DataFrame
        With T-scores under their flat names.
    sites : which T-scores count; those that the data lack are left out

    Returns
    -------
    DataArray of text on participant, called `bone`: osteoporotic (T <= -2.5), osteopaenic (-2.5 < T < -1.0), else
    control (T = -1.0 is one); empty, which is missing, for who has no T-score.

    Raises
    ------
    AnalysisError
        The data have none of the sites.

    Examples
    --------
    >>> table = pd.DataFrame({"tscore_spine": [-1.0, -2.6, None], "tscore_total_hip": [-0.2, 1.0, None]})
    >>> bone_groups(table).values
    array(['control', 'osteoporotic', ''], dtype=object)
    """
    there = [name for name in sites if name in cohort]
    if not there:
        raise AnalysisError(f"the data have none of {', '.join(sites)}; bone groups follow from DXA T-scores")
    lowest = pd.DataFrame({name: np.asarray(cohort[name], np.float64) for name in there}).min(axis=1)
    named = np.array([_group(score) for score in lowest.tolist()], dtype=object)
    return xr.DataArray(
        named, {"participant": participants_of(cohort)}, "participant", "bone",
        {"long_name": f"WHO group by the lowest T-score of {', '.join(there)}"},
    )  # fmt: skip


def _group(score: float) -> str:
    if np.isnan(score):
        return ""
    return "osteoporotic" if score <= OSTEOPOROTIC else "osteopaenic" if score < OSTEOPAENIC else "control"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Selection:
    """Who was chosen, and how many each step left."""

    chosen: xr.DataArray
    """(participant) bool: give it as `where=`."""
    steps: pd.DataFrame
    """For each step: step, n left, lost, of these missing (no value to judge by)."""

    def __repr__(self) -> str:
        return repr(TextTable("Selection of the cohort", self.steps.astype(str)))

    def _repr_html_(self) -> str:
        return TextTable("Selection of the cohort", self.steps.astype(str)).to_html()


def select_cohort(
    cohort: Data,
    *,
    age: tuple[float, float] | None = (60, 69),
    bmi: tuple[float, float] | None = (18.5, 25),
    diabetes: bool | None = False,
) -> Selection:
    """Choose participants as the paper did (2.1): 60 to 69 years, a BMI from 18.5 to 25 kg m-2, no diabetes.

    Who has no value to judge by is not chosen, and counted apart.

    Parameters
    ----------
    cohort : Dataset or DataFrame with `age`, `bmi`, `diabetes_doctor`
    age, bmi : lowest and highest value, both included; None leaves the step out
    diabetes : False for those without a doctor's diagnosis, True for those with one, None for all

    Returns
    -------
    Selection; it prints the steps.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [61, 70, 65], "bmi": [22.0, 23, None], "diabetes_doctor": [0, 0, 0]})
    >>> select_cohort(table)
    Selection of the cohort
    step                 n  lost  missing
    all                  3  0     0
    age 60 to 69         2  1     0
    bmi 18.5 to 25       1  1     1
    no diabetes          1  0     0
    """
    eids = participants_of(cohort)
    left = np.ones(len(eids), np.bool_)
    rows: list[tuple[str, int, int, int]] = [("all", len(eids), 0, 0)]

    def keep(step: str, name: str, good: npt.NDArray[np.bool_], values: npt.NDArray[np.float64]) -> None:
        nonlocal left
        after = left & good
        missing = int((left & np.isnan(values)).sum())
        rows.append((step, int(after.sum()), int(left.sum() - after.sum()), missing))
        left = after

    for name, limits in (("age", age), ("bmi", bmi)):
        if limits is not None:
            low, high = limits
            if not low <= high:
                raise AnalysisError(f"{name}=({low}, {high}) has its limits the wrong way round")
            values = _numbers(cohort, name)
            keep(f"{name} {low:g} to {high:g}", name, (values >= low) & (values <= high), values)
    if diabetes is not None:
        values = _numbers(cohort, "diabetes_doctor")
        keep("diabetes" if diabetes else "no diabetes", "diabetes_doctor", values == float(diabetes), values)
    steps = pd.DataFrame(rows, columns=["step", "n", "lost", "missing"])
    return Selection(xr.DataArray(left, {"participant": eids}, "participant", "chosen"), steps)


def participants_of(data: Data) -> npt.NDArray[np.int64]:
    """EIDs of a Dataset or table, in its order."""
    if isinstance(data, xr.Dataset):
        return np.asarray(data["participant"])
    column = next((name for name in ("participant", "eid") if name in data), None)
    return np.asarray(data.index if column is None else data[column])


def _numbers(cohort: Data, name: str) -> npt.NDArray[np.float64]:
    if name not in cohort:
        raise AnalysisError(f"the data have no {name}; say {name}=None to leave this step out")
    return np.asarray(cohort[name], np.float64)
