from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from bmx.analysis import regress
from bmx.analysis.participants import flow
from bmx.errors import AnalysisError
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
    return xr.DataTree.from_dict({"/slab_2": xr.Dataset({"slab_status": ("participant", status)})})


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
    with pytest.raises(AnalysisError, match="no 'bmd_hip'; join the phenotypes first"):
        flow(cohort, region="spine", having="bmd_hip")
