"""Who has no value that can be used: by sex, BMI, centre, with tests. An analysis that drops them is of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import MonteCarloMethod, chi2_contingency, fisher_exact
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from bmx.errors import SchemaError, did_you_mean
from bmx.quality.flagging import flagged, passed
from bmx.quality.tables import was_unasked
from bmx.schema import validate
from bmx.variables import QC_CAUSE

ANY: Final = "any region"
UNKNOWN: Final = "unknown"

_BANDS: Final[dict[str, tuple[str, list[float], list[str]]]] = {
    "bmi_group": ("bmi", [0, 18.5, 25, 30, np.inf], ["<18.5", "18.5-25", "25-30", "30+"]),
    "age_group": ("age", [0, 50, 60, 70, np.inf], ["<50", "50-59", "60-69", "70+"]),
}
"""Groups that are made of a number: its name, borders (the lower one belongs to the group), names of the groups."""

_SAME: Final = {"centre": "assessment_centre"}
_MOST, _FEW_EXPECTED, _TABLES = 30, 5.0, 9_999


def missingness(
    results: xr.Dataset,
    phenotypes: xr.Dataset | None = None,
    *,
    by: str | Sequence[str] = ("sex", "bmi_group", "centre"),
) -> pd.DataFrame:
    """Share of participants without a usable value, by group, with a test of whether it differs. Computes.

    Parameters
    ----------
    results : Dataset
        From `bmx.qc.flag`, perhaps joined with phenotypes. Who has withdrawn is left out, and in a region who has no
        mask there that somebody would have to draw.
    phenotypes : Dataset, optional
        From `bmx.read_phenotypes`; participants who aren't in it are of group "unknown".
    by : name or names
        `sex`, `bmi_group` (below 18.5, 25, 30 kg m⁻², and above), `age_group`, `centre`, or any variable by
        participant with at most 30 different values.

    Returns
    -------
    DataFrame
        A row for each region (and "any region": at least one is missing), grouping and group: `n` participants,
        `missing`, `percent` with its 95 % Wilson interval `low` to `high`; then the test, the same in all rows
        of a region and grouping: Pearson's χ², without continuity correction, where every expected number is at
        least 5; else Fisher's exact test, whose p comes from 9,999 random tables where there are more than two
        groups. `p_holm` is adjusted for all tests of the table. The group "unknown" is counted but not tested.

    Raises
    ------
    SchemaError
        If the results haven't been judged, or a grouping isn't there or has too many values.
    """
    validate(flagged(results), "qc_outcome", "qc_cause")
    names = [by] if isinstance(by, str) else list(by)
    stays = ~(results["qc_cause"] == QC_CAUSE["withdrawn"]).any("region").compute()
    values = (~passed(results)).transpose("participant", "region").to_numpy()[stays.to_numpy()]
    # Of whom nobody drew a mask, nothing is missing: they are of another study.
    cause = results["qc_cause"].transpose("participant", "region").to_numpy()[stays.to_numpy()]
    outcome = results["qc_outcome"].transpose("participant", "region").to_numpy()[stays.to_numpy()]
    asked = ~was_unasked(outcome, cause)
    regions = [str(name) for name in results.indexes["region"]]
    lost = pd.DataFrame(
        np.column_stack([(values & asked).any(axis=1), values]),
        index=results.indexes["participant"][stays.to_numpy()],
        columns=[ANY, *regions],
    )
    groups = {name: _group(results, phenotypes, name).loc[lost.index] for name in names}
    rows = dict(zip((ANY, *regions), [asked.any(axis=1), *asked.T], strict=True))
    tables = [
        _one(lost.loc[rows[region], region], group[rows[region]], region)
        for region in (ANY, *regions)
        for group in groups.values()
    ]
    found = pd.concat(tables, ignore_index=True)
    tested = found.drop_duplicates(["region", "by"])["p"].dropna()
    found["p_holm"] = np.nan
    if len(tested):
        adjusted = pd.Series(multipletests(tested, method="holm")[1], index=tested.index)
        first = found.groupby(["region", "by"], sort=False)["p"].transform(lambda p: p.index[0])
        found["p_holm"] = first.map(adjusted)
    return found


def _one(lost: pd.Series, group: pd.Series, region: str) -> pd.DataFrame:
    """Rows of one region and grouping."""
    counted = pd.crosstab(group, lost).reindex(columns=[False, True], fill_value=0)
    counted = counted.loc[[level for level in group.cat.categories if level in counted.index]]
    n, missing = counted.sum(axis="columns"), counted[True]
    low, high = proportion_confint(missing, n, method="wilson")
    known = counted.drop(index=UNKNOWN, errors="ignore")
    test, p = _test(known.to_numpy())
    return pd.DataFrame(
        {
            "region": region, "by": group.name, "group": [str(level) for level in counted.index], "n": n.to_numpy(),
            "missing": missing.to_numpy(), "percent": 100 * (missing / n).to_numpy(),
            "low": (100 * np.asarray(low)).clip(min=0), "high": 100 * np.asarray(high), "test": test, "p": p,
        }
    )  # fmt: skip


def _test(table: np.ndarray) -> tuple[str, float]:
    """Name of the test and its p; nothing to test gives NaN."""
    if len(table) < 2 or not table.sum(axis=0).all():
        return "none", float("nan")
    found = chi2_contingency(table, correction=False)
    if found.expected_freq.min() >= _FEW_EXPECTED:
        return "chi-square", float(found.pvalue)
    if table.shape == (2, 2):
        return "Fisher", float(fisher_exact(table).pvalue)
    # The same figures from the same data, always.
    method = MonteCarloMethod(n_resamples=_TABLES, rng=np.random.default_rng(0))
    return "Fisher, random tables", float(fisher_exact(table, method=method).pvalue)


def _group(results: xr.Dataset, phenotypes: xr.Dataset | None, name: str) -> pd.Series:
    """The group of every participant, an ordered categorical with "unknown" as its last level."""
    banded = _BANDS.get(name)
    wanted = banded[0] if banded else _SAME.get(name, name)
    held = [data for data in (results, phenotypes) if data is not None and wanted in data]
    if not held or held[0][wanted].dims != ("participant",):
        columns = [str(one) for data in (results, phenotypes) if data is not None
                   for one in data.data_vars if data[one].dims == ("participant",)]  # fmt: skip
        raise SchemaError(
            f"cannot group by {name}: no variable {wanted} (participant) in results or phenotypes; "
            f"{did_you_mean(wanted, columns)}; give phenotypes=bmx.read_phenotypes(...)"
        )
    data = held[0][wanted].compute()
    values = pd.Series(data.to_numpy(), index=data.indexes["participant"]).reindex(results.indexes["participant"])
    if banded:
        grouped = pd.cut(values.astype(float), banded[1], right=False, labels=banded[2])
    else:
        values = values.astype(object).where(values.notna() & (values.astype(str) != ""))
        grouped = values.map(_word, na_action="ignore").astype("category")
    if len(grouped.cat.categories) > _MOST:
        raise SchemaError(
            f"{name} has {len(grouped.cat.categories)} different values, expected at most {_MOST}; make groups of it"
        )
    return grouped.cat.add_categories(UNKNOWN).fillna(UNKNOWN).rename(name)


def _word(value: object) -> str:
    """A code without its decimal: 11025.0 is 11025."""
    return f"{value:g}" if isinstance(value, float) else str(value)
