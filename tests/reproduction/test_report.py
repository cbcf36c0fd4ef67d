from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bmx.analysis import bone_groups, regress
from bmx.errors import SchemaError
from bmx.phenotypes.join import join
from bmx.phenotypes.read import read_phenotypes
from bmx.quality import flag, passed
from bmx.quality.tables import OUTPUTS
from bmx.reproduction import reproduce
from bmx.reproduction.figures import regions_and_sex
from bmx.reproduction.models import MODELS, bone_density
from bmx.reproduction.tables import between_regions, failure_by_height, model_of_controls, volume_by_height
from bmx.simulation.measured import simulate_results
from bmx.variables import QC_CAUSE, QC_OUTCOME

FIGURES = ("fig_4a", "fig_4c", "fig_5a", "fig_5b-d_spine", "fig_5b-d_femoral_head", "fig_5b-d_femoral_diaphysis")
TABLES = (
    "table_1", "table_1_tests", "table_3", "table_4", "table_5", "table_6", "table_7", "table_8", "fig_4a_regression",
    "fig_4c_regression", "fig_5a_model", "fig_5a_sexes", "fig_5a_regions", "fig_5a_cells",
    *(f"supplementary_table_{number}" for number in range(1, 6)),
)  # fmt: skip


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    folder = tmp_path_factory.mktemp("cohort")
    results = simulate_results(folder, participants=300, seed=8)
    return join(flag(results), read_phenotypes(folder / "phenotypes.csv")).compute()


@pytest.fixture(scope="module")
def index(cohort: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of all of them."""
    return reproduce(cohort, tmp_path_factory.mktemp("page") / "out")


def test_reproduce__writes_everything_on_one_page(index: Path) -> None:
    page = index.read_text()
    for stem in FIGURES:
        assert (index.parent / f"{stem}.png").stat().st_size > 10_000
        assert (index.parent / f"{stem}.svg").exists()
        assert f"<img src='{stem}.png'" in page
    for stem in TABLES:
        assert len(pd.read_csv(index.parent / f"{stem}.csv")), stem
        assert "<table" in (index.parent / f"{stem}.html").read_text()
    assert pd.read_csv(index.parent / "fig_5a_model.csv")["term"].tolist() == ["region", "sex", "region:sex"]
    families = {"fig_5a_sexes": 4, "fig_5a_regions": 6, "fig_5a_cells": 28}
    assert {stem: len(pd.read_csv(index.parent / f"{stem}.csv")) for stem in families} == families
    tests = pd.read_csv(index.parent / "table_1_tests.csv")
    assert tests[tests["variable"] == "bmi"]["people"].tolist() == ["Female", "Female", "Male", "Male", "control"]
    assert "<th>index</th>" not in page
    assert "can't be made" not in page
    assert "of 300 simulated participants" in page


def test_reproduce__counts_phecodes_if_it_has_a_map(cohort: xr.Dataset, tmp_path: Path) -> None:
    table = tmp_path / "map.csv"
    table.write_text("ICD10,PHECODE\nM81,743.11\nM419,737.3\nI10,401.1\n")  # the last one is no skeletal disease
    few = cohort.isel(participant=slice(0, 12))
    reproduce(few, tmp_path / "out", phecode_map=table)
    counted = pd.read_csv(tmp_path / "out" / "table_3.csv")
    ill = few["icd10"].to_pandas().str.contains("M81|M419")
    ok = counted[(counted["region"] == "spine") & (counted["output"] == "OK")].iloc[0]
    good = passed(few).sel(region="spine").to_numpy()
    assert int(ok["Skeletal PheCode"].split()[0]) == int((ill.to_numpy() & good).sum())


def test_reproduce__with_a_map_needs_diagnoses(cohort: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="no icd10, which a PheCode map is for"):
        reproduce(cohort.drop_vars("icd10"), tmp_path, phecode_map=tmp_path / "map.csv")


def test_reproduce__of_a_small_cohort_says_what_cant_be_made(
    cohort: xr.Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A table less is better than none."""
    with caplog.at_level(logging.WARNING):
        page = reproduce(cohort.isel(participant=slice(0, 12)), tmp_path).read_text()
    assert "can't be made of this cohort" in page
    assert "can't be made of this cohort" in caplog.text
    assert (tmp_path / "table_3.csv").exists()


def test_reproduce__draws_no_figure_of_failures_where_nobody_failed(cohort: xr.Dataset, tmp_path: Path) -> None:
    """An empty axis would look like an answer; the page says that there are none."""
    sound = cohort.isel(participant=slice(0, 12)).copy()
    sound["qc_outcome"] = xr.full_like(sound["qc_outcome"], QC_OUTCOME["ok"])
    page = reproduce(sound, tmp_path).read_text()
    assert not (tmp_path / "fig_4c.png").exists()
    assert "no region has failures to draw; the table below says why" in page
    assert (tmp_path / "fig_4c_regression.csv").exists()


def test_regions_and_sex__names_all_that_it_draws(cohort: xr.Dataset) -> None:
    """Two kinds of bars lie over each other."""
    here = cohort.assign(bone=bone_groups(cohort))
    caption = regions_and_sex(here, model_of_controls(here)).get_supxlabel()
    assert "with caps: adjusted mean and 95 % interval" in caption
    assert "Without: quartiles, a circle at the median" in caption


def test_reproduce__says_what_is_missing(cohort: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="no legs_fat, bmd_spine; the tables"):
        reproduce(cohort.drop_vars(["legs_fat", "bmd_spine"]), tmp_path)
    with pytest.raises(SchemaError, match=r"judge them with bmx\.qc\.flag"):
        reproduce(cohort.drop_vars("qc_outcome"), tmp_path)


@pytest.mark.parametrize("table", MODELS)
def test_bone_density__compares_models_on_the_same_rows(cohort: xr.Dataset, table: str) -> None:
    """One more covariate can raise AIC by 2 at most, as it didn't in the paper."""
    found = bone_density(cohort, table)
    outcome, sides = MODELS[table]
    assert found.table["model"].tolist() == list(sides)
    assert len({fit.summary.n for fit in found.fits}) == 1
    first = found.fits[0]
    alone = regress(
        cohort, f"{outcome} ~ {next(iter(sides.values()))}", where=np.isin(cohort["participant"], first.sample)
    )
    np.testing.assert_allclose(first.terms["estimate"], alone.terms["estimate"])


def test_between_regions__is_the_papers_table_4(cohort: xr.Dataset) -> None:
    """Six pairs, and the two strata of those where the sexes differ."""
    cells = between_regions(cohort).cells
    whole = cells[cells["stratum"] == "all"]
    assert len(whole) == 6
    fit = regress(cohort, "bmff_total_hip ~ bmff_spine")
    row = whole[(whole["exposure"] == "bmff_spine") & (whole["outcome"] == "bmff_total_hip")].iloc[0]
    slope = fit.terms.set_index("term").loc["bmff_spine", "estimate"]
    assert float(row["estimate (95% CI)"].split()[0]) == pytest.approx(slope, abs=5e-4)


def test_volume_by_height__takes_the_small_ones_too(cohort: xr.Dataset) -> None:
    cells = volume_by_height(cohort).cells.set_index("region")
    assert int(cells.loc["spine", "n"]) == int((cohort["voxels"].sel(region="spine") > 0).sum())
    assert cells.loc["spine", "p"] == "<0.0001"


def test_failure_by_height__says_what_cant_be_fitted(cohort: xr.Dataset) -> None:
    """No region of these is empty: there is nothing to explain."""
    sound = cohort.copy()
    sound["qc_outcome"] = xr.ones_like(cohort["qc_outcome"])
    table, numbers = failure_by_height(sound)
    assert len(numbers) == 0
    assert (table.cells["p"] != "").all()


def test_failure_by_height__counts_as_table_3_and_as_the_fit(cohort: xr.Dataset) -> None:
    """A slab that gave no output is empty; who has no height is in no fit; who has withdrawn is nobody."""
    changed = cohort.copy(deep=True)
    changed["qc_outcome"][:40:2] = QC_OUTCOME["empty"]
    changed["qc_outcome"][1:41:2] = QC_OUTCOME["not_attempted"]
    changed["qc_cause"][:40] = QC_CAUSE["data_structure"]
    changed["qc_cause"][40:50] = QC_CAUSE["none"]  # of whom nobody drew a mask
    changed["qc_outcome"][40:50] = QC_OUTCOME["not_attempted"]
    changed["qc_cause"][41] = QC_CAUSE["withdrawn"]
    changed["height"] = changed["height"].where(np.arange(changed.sizes["participant"]) >= 10)
    table, _ = failure_by_height(changed)
    row = table.cells[(table.cells["region"] == "spine") & (table.cells["output"] == "empty")].iloc[0]
    rest = cohort["qc_outcome"].sel(region="spine")[50:].isin([QC_OUTCOME[name] for name in OUTPUTS["Empty"]])
    assert row["n"] == f"{30 + int(rest.sum())} of {changed.sizes['participant'] - 20}"


def test_bone_groups__are_in_the_page(cohort: xr.Dataset, index: Path) -> None:
    numbers = pd.read_csv(index.parent / "table_1.csv")
    group = bone_groups(cohort).to_numpy()
    women = cohort["sex"].to_numpy() == "Female"
    row = numbers[(numbers["variable"] == "age") & (numbers["group"] == "Female osteopaenic")].iloc[0]
    assert row["n"] == int((women & (group == "osteopaenic")).sum())
