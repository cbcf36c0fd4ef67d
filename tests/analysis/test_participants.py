from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from bmx.analysis import mixed, regress
from bmx.analysis.participants import flow
from bmx.errors import AnalysisError
from bmx.phenotypes.join import join
from bmx.variables import MEASUREMENT_STATUS, QC_CAUSE, QC_OUTCOME, SLAB_STATUS

N = 20


@pytest.fixture
def cohort() -> xr.Dataset:
    """Twenty people: two lack the slab, one is empty, three fail QC, four have no DXA."""
    rng = np.random.default_rng(0)
    status = np.full(N, MEASUREMENT_STATUS["measured"], np.uint8)
    status[:2], status[2] = MEASUREMENT_STATUS["not_attempted"], MEASUREMENT_STATUS["empty"]
    outcome = np.where(status == MEASUREMENT_STATUS["measured"], QC_OUTCOME["ok"], QC_OUTCOME["failed"]).astype(
        np.uint8
    )
    outcome[3:6] = QC_OUTCOME["small"]
    cause = np.full(N, QC_CAUSE["none"], np.uint8)
    cause[3:5], cause[5] = QC_CAUSE["partially_outside"], QC_CAUSE["imaging_artefact"]
    reason = np.array(["the slab is absent"] * 2 + ["the mask has no voxel"] + [""] * (N - 3), object)
    bmd = rng.normal(1, 0.1, N)
    bmd[6:10] = np.nan
    dims = ("participant", "region")
    one = {"status": status, "qc_outcome": outcome, "qc_cause": cause, "reason": reason, "bmff": rng.normal(45, 5, N)}
    return xr.Dataset(
        {**{name: (dims, values[:, None]) for name, values in one.items()}, "bmd_spine": ("participant", bmd)},
        {"participant": np.arange(1, N + 1), "region": ["spine"]},
    )


@pytest.fixture
def slabs() -> xr.DataTree:
    status = np.full(N, SLAB_STATUS["complete"], np.uint8)
    status[:2] = SLAB_STATUS["absent"]
    eids = xr.Dataset(coords={"participant": np.arange(1, N + 1)})
    return xr.DataTree.from_dict({"/": eids, "/slab_2": xr.Dataset({"slab_status": ("participant", status)})})


def test_flow__accounts_for_everybody(cohort: xr.Dataset, slabs: xr.DataTree) -> None:
    """Each step's n and losses add up to the step before."""
    fit = regress(cohort, "bmd_spine ~ bmff_spine")
    found = flow(cohort, region="spine", slabs=slabs, having="bmd_spine", fit=fit).steps
    assert found["n"].tolist() == [20, 18, 17, 14, 10, 10]
    np.testing.assert_array_equal(found["n"].to_numpy()[1:] + found["lost"].to_numpy()[1:], found["n"].to_numpy()[:-1])
    assert found["reasons"].tolist() == [
        "", "2 slab 2 absent", "1 the mask has no voxel", "2 partially outside; 1 imaging artefact", "4 no bmd_spine",
        "",
    ]  # fmt: skip


def test_flow__finds_participants_of_the_store_by_their_eid(cohort: xr.Dataset, slabs: xr.DataTree) -> None:
    """Results in another order, and of fewer people: 15 and later are absent from the data."""
    fewer = cohort.isel(participant=slice(14)).isel(participant=slice(None, None, -1))
    found = flow(fewer, region="spine", slabs=slabs).steps
    assert found["step"].tolist()[2] == "in the data"
    assert found["n"].tolist() == [20, 18, 12, 11, 8]
    assert found["reasons"].tolist()[2:4] == ["6 not in the data that were given", "1 the mask has no voxel"]


def test_flow__shows_whom_the_join_left_out(cohort: xr.Dataset, slabs: xr.DataTree) -> None:
    """Otherwise people without phenotypes would never have been there; a later selection hides the number."""
    joined = join(cohort.drop_vars("bmd_spine"), cohort[["bmd_spine"]].isel(participant=slice(15)))
    alone = flow(joined, region="spine").steps
    assert alone.iloc[:2][["step", "n", "lost"]].to_numpy().tolist() == [
        ["participants with results", 20, 0], ["joined with phenotypes", 15, 5],
    ]  # fmt: skip
    whole = flow(joined, region="spine", slabs=slabs).steps
    assert whole.iloc[2][["step", "n", "reasons"]].tolist() == ["joined with phenotypes", 13, "5 no phenotypes"]
    without = cohort.drop_vars("bmd_spine")
    fewer = join(without.isel(participant=slice(18)), cohort[["bmd_spine"]].isel(participant=slice(15)))
    assert flow(fewer, region="spine", slabs=slabs).steps.iloc[2]["reasons"] == "2 no results; 3 no phenotypes"
    assert flow(joined.isel(participant=slice(9)), region="spine").steps["n"].tolist()[0] == 9


def test_flow__refuses_a_fit_of_other_people(cohort: xr.Dataset) -> None:
    """A step that grows can't be one of a flow; a mixed model has no participants but values."""
    everybody = regress(cohort.assign(age=("participant", np.arange(N))), "age ~ bmd_spine")
    with pytest.raises(AnalysisError, match=r"uses 6 participants that are not left .* the first is 1"):
        flow(cohort, region="spine", fit=everybody)
    twice = xr.concat([cohort[["bmff", "qc_outcome"]]] * 2, "region").assign_coords(region=["spine", "total_hip"])
    twice["bmff"] += np.random.default_rng(1).normal(0, 1, twice["bmff"].shape)
    with pytest.raises(AnalysisError, match="a mixed model has several values"):
        flow(cohort, region="spine", fit=mixed(twice, "bmff ~ region"))


def test_flow__shows_the_steps_that_the_data_know(cohort: xr.Dataset) -> None:
    only = flow(cohort.drop_vars(["qc_outcome", "qc_cause"]), region="spine").steps
    assert only["step"].tolist() == ["participants", "spine measured"]
    assert only["reasons"].iloc[1] == "2 the slab is absent; 1 the mask has no voxel"


def test_flow__says_whom_the_model_dropped(cohort: xr.Dataset) -> None:
    fit = regress(cohort, "bmd_spine ~ bmff_spine")
    last = flow(cohort, region="spine", fit=fit).steps.iloc[-1]
    assert (last["n"], last["lost"], last["reasons"]) == (10, 4, "4 bmd_spine")


def test_flow__prints_and_draws(cohort: xr.Dataset) -> None:
    found = flow(cohort, region="spine")
    assert "passed quality control" in str(found)
    texts = [text.get_text() for text in found.plot().axes[0].texts]
    assert "participants\nn = 20" in texts
    assert any(text.startswith("3 lost\n2 partially outside") for text in texts)


def test_flow__refuses_what_is_not_there(cohort: xr.Dataset) -> None:
    with pytest.raises(AnalysisError, match="no region 'hip'; found spine"):
        flow(cohort, region="hip")
    with pytest.raises(AnalysisError, match="no 'bmd_hip' by participant; join the phenotypes first"):
        flow(cohort, region="spine", having="bmd_hip")
    with pytest.raises(AnalysisError, match=r"no 'bmd_spin' by participant; .*did you mean bmd_spine"):
        flow(cohort.assign_attrs(join_participants=20), region="spine", having="bmd_spin")


def test_flow__takes_several_variables_that_participants_must_have(cohort: xr.Dataset) -> None:
    """Each is a step of its own, in the order in which they are named."""
    age = xr.DataArray(np.where(np.arange(N) < 11, np.nan, 60.0), dims="participant")
    found = flow(cohort.assign(age=age), region="spine", having=["bmd_spine", "age"]).steps
    assert found["step"].tolist()[-2:] == ["with bmd_spine", "with age"]
    assert found["n"].tolist()[-2:] == [10, 9]
