from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bmx.errors import SchemaError
from bmx.quality import counts, flag, table3
from bmx.quality.tables import CAUSES
from bmx.variables import QC_CAUSE, QC_OUTCOME
from tests.quality.made import SITE, cohort, edit, results_of

FAULTY = [name for name in QC_OUTCOME if name != "ok"]


def judged(n: int = 400, seed: int = 0) -> xr.Dataset:
    """Outcomes and causes at random, by rule: who is ok has no cause unless repaired, who isn't has one."""
    rng = np.random.default_rng(seed)
    outcome = rng.choice(list(QC_OUTCOME.values()), (n, 2), p=[0.04, 0.7, 0.08, 0.08, 0.04, 0.03, 0.03])
    cause = np.where(outcome == QC_OUTCOME["ok"], QC_CAUSE["none"], rng.integers(1, 7, (n, 2)))
    cause[(rng.random((n, 2)) < 0.1) & (outcome == QC_OUTCOME["ok"])] = QC_CAUSE["imaging_artefact"]
    cause[:3], outcome[:3] = QC_CAUSE["withdrawn"], QC_OUTCOME["not_attempted"]
    sex = rng.choice(["Female", "Male", ""], n, p=[0.55, 0.4, 0.05])
    return xr.Dataset(
        {
            "qc_outcome": (SITE, outcome.astype(np.uint8)),
            "qc_cause": (SITE, cause.astype(np.uint8)),
            "sex": ("participant", sex),
        },
        {"participant": 1_000_000 + np.arange(n), "region": ["spine", "femoral_head"]},
    )


def test_table3__agrees_with_pandas() -> None:
    results = judged()
    found = table3(results).numbers
    frame = results.isel(participant=slice(3, None)).to_dataframe().reset_index()
    names = {value: name for name, value in QC_OUTCOME.items()}
    frame["outcome"] = frame["qc_outcome"].map(names)
    head = frame[frame["region"] == "femoral_head"]
    small = head[head["outcome"] == "small"]
    row = found.loc["femoral_head", "Small"]
    assert row["Both"] == len(small)
    assert row["Female"] == (small["sex"] == "Female").sum()
    assert row["Male"] == (small["sex"] == "Male").sum()
    for name, key in CAUSES.items():
        assert row[name] == (small["qc_cause"] == QC_CAUSE[key]).sum()


def test_table3__adds_up_where_the_papers_doesnt() -> None:
    table = table3(judged())
    for region in ("spine", "femoral_head"):
        rows = table.numbers.loc[region]
        assert rows.loc[["OK", "Small", "Empty", "Outlier", "Doubtful"], "Both"].sum() == table.people["Both"] == 397
        assert rows.loc["Small or Empty"].equals(rows.loc["Small"] + rows.loc["Empty"])
        for output in rows.index.drop("OK"):
            assert rows.loc[output, list(CAUSES)].sum() == rows.loc[output, "Both"]
    assert table.withdrawn == 3


def test_table3__counts_what_was_repaired_among_what_is_ok() -> None:
    """The paper has no cause there: what had one, was lost."""
    results = judged()
    repaired = (results["qc_outcome"] == QC_OUTCOME["ok"]) & (results["qc_cause"] == QC_CAUSE["imaging_artefact"])
    table = table3(results)
    for region in ("spine", "femoral_head"):
        number, ok = int(repaired.sel(region=region).sum()), table.numbers.loc[(region, "OK")]
        assert list(ok[list(CAUSES)]) == [number if name == "Imaging artefact" else 0 for name in CAUSES]
        assert table.cells.loc[(region, "OK"), "Imaging artefact"] == f"{number} ({100 * number / ok['Both']:.1f}%)"


def test_table3__says_its_denominators() -> None:
    table = table3(judged())
    female, male = table.people["Female"], table.people["Male"]
    text = str(table)
    assert f"% of all of them (both 397, female {female}, male {male}; {397 - female - male} of unknown sex" in text
    assert "3 participants have withdrawn" in text
    ok = table.numbers.loc["spine", "OK"]
    assert f"{ok['Female']} ({100 * ok['Female'] / female:.1f}%)" in text


def test_table3__prints_the_papers_own_numbers_over_one_denominator() -> None:
    # The spine of the paper: 264 of 277 men are 95.3 %; it prints 97.5 %, which is of 271.
    outcome = np.full((277, 1), QC_OUTCOME["ok"], np.uint8)
    outcome[:6], outcome[6:13] = QC_OUTCOME["small"], QC_OUTCOME["empty"]
    cause = np.where(outcome == QC_OUTCOME["ok"], QC_CAUSE["none"], QC_CAUSE["data_structure"]).astype(np.uint8)
    men = xr.Dataset(
        {"qc_outcome": (SITE, outcome), "qc_cause": (SITE, cause), "sex": ("participant", ["Male"] * 277)},
        {"participant": np.arange(277), "region": ["spine"]},
    )
    text = str(table3(men))
    assert "264 (95.3%)" in text
    assert "6 (2.2%)" in text
    assert "97.5%" not in text


def test_table3__counts_diagnoses_if_it_is_told_who_has_them() -> None:
    results = judged()
    ill = xr.DataArray(np.arange(400) % 3 == 0, {"participant": results["participant"]}, "participant")
    table = table3(results, phecode=ill[::-1])
    expected = (results["qc_outcome"].sel(region="spine") == QC_OUTCOME["ok"]) & ill
    assert table.numbers.loc[("spine", "OK"), "Skeletal PheCode"] == int(expected.sum())
    assert "PheCode (a skeletal disease)" in str(table)


def test_table3__does_without_sex() -> None:
    table = table3(judged().drop_vars("sex"))
    assert list(table.numbers)[:2] == ["Both", "Data structure"]
    assert "(both 397)" in str(table)


def test_table3__needs_flags() -> None:
    with pytest.raises(SchemaError, match="no qc_outcome yet"):
        table3(results_of([1.0]))


def test_table3__of_a_flagged_cohort_has_a_cause_for_every_failure() -> None:
    results = cohort()
    for row, region in enumerate(results["region"].values):
        edit(results, row, region, empty=True)
    rows = table3(flag(results)).numbers
    assert (rows.loc[(slice(None), "Empty"), "Both"] == 1).all()
    assert rows[list(CAUSES)].sum(axis=1).equals(rows["Both"].where(rows.index.get_level_values(1) != "OK", 0))


def test_counts__add_up_to_all_participants() -> None:
    table = counts(flag(results_of([[40, 0], [41, 40], [np.nan, 42]], regions=("spine", "total_hip"))))
    assert table.index.tolist() == list(QC_OUTCOME)
    assert isinstance(table, pd.DataFrame)
    assert (table.sum() == 3).all()
    assert table.loc["not_attempted"].tolist() == [1, 0]
    assert table.loc["empty"].tolist() == [0, 1]
    assert table.loc["ok"].tolist() == [2, 2]
