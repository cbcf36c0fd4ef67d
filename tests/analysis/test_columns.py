from __future__ import annotations

import warnings

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.analysis.columns import take_columns
from bmx.analysis.regression import regress
from bmx.errors import AnalysisError
from bmx.variables import QC_OUTCOME
from tests.conftest import MaxComputes

REGIONS = ["spine", "femoral_head", "total_hip"]


def cohort(n: int = 30) -> xr.Dataset:
    rng = np.random.default_rng(7)
    bmff = rng.normal(45, 8, (n, 3)).astype(np.float32)
    outcome = np.full((n, 3), QC_OUTCOME["ok"], np.uint8)
    outcome[[2, 5, 9], 0] = QC_OUTCOME["small"]  # values are there, and cannot be used
    outcome[[11], 0] = QC_OUTCOME["empty"]
    bmff[11, 0] = np.nan
    outcome[[3], 1] = QC_OUTCOME["outlier"]
    data = xr.Dataset(
        {
            "bmff": (("participant", "region"), bmff),
            "voxels": (("participant", "region"), np.arange(3 * n, dtype=np.int32).reshape(n, 3)),
            "centroid": (("participant", "region", "world_axis"), np.zeros((n, 3, 3), np.float32)),
            "qc_outcome": (("participant", "region"), outcome),
            "bmd_spine": ("participant", 1.2 - 0.005 * bmff[:, 1].astype(float) + rng.normal(0, 0.1, n)),
            "sex": ("participant", np.where(np.arange(n) % 2, "Male", "Female")),
        },
        {"participant": np.arange(1000, 1000 + n), "region": REGIONS},
    )
    data["sex"][4] = ""
    return data


def test_take_columns__flat_names_are_regions_of_a_variable() -> None:
    data = cohort()
    columns = take_columns(data, ["voxels_total_hip", "bmff_femoral_head", "sex"], region=None, qc="passed")
    np.testing.assert_array_equal(columns.table["voxels_total_hip"], data["voxels"].sel(region="total_hip"))
    assert columns.table.index.tolist() == data["participant"].values.tolist()
    assert columns.table["bmff_femoral_head"].isna().sum() == 1
    assert columns.table["sex"].isna().tolist().index(True) == 4


def test_take_columns__computes_only_what_is_named() -> None:
    def refuse(*args: object) -> np.ndarray:
        raise AssertionError("an unnamed variable was computed")

    data = cohort().chunk(participant=10)
    data["bmff_sd"] = (
        ("participant", "region"),
        da.map_blocks(refuse, data["bmff"].data, dtype="float32", meta=np.zeros((0, 0), "float32")),
    )
    with dask.config.set(scheduler="synchronous"):
        take_columns(data, ["bmff_spine", "bmd_spine"], region=None, qc="passed")
        with pytest.raises(AssertionError, match="unnamed"):
            take_columns(data, ["bmff_sd_spine"], region=None, qc="passed")


def test_regress__computes_once_with_clusters_and_weights(max_computes: MaxComputes) -> None:
    data = cohort().chunk(participant=10)
    data["practice"] = ("participant", da.from_array(np.arange(30) % 7, chunks=10))
    data["weight"] = ("participant", da.from_array(1.0 + np.arange(30), chunks=10))
    with max_computes(1):
        fit = regress(data, "bmd_spine ~ bmff_spine + sex", cluster="practice", weights="weight")
    with max_computes(0):
        fit.with_vcov("HC1").anova(3), fit.means("sex"), fit.slopes("bmff_spine"), fit.influence, fit.to_latex()


def test_regress__a_code_may_be_compared() -> None:
    # Fig. 4C: who has no mask, by height; all participants have an outcome, whatever QC says of their values.
    data = cohort()
    data["height"] = ("participant", np.linspace(150, 190, 30))
    fit = regress(data, "I(qc_outcome_spine == 2) ~ height", family="binomial")
    assert fit.summary.events == (data["qc_outcome"].sel(region="spine") == 2).sum()
    assert fit.summary.n == 30


def test_regress__values_that_failed_qc_are_dropped_and_counted_per_region() -> None:
    data = cohort()
    spine = regress(data, "bmd_spine ~ bmff_spine")
    assert spine.dropped.to_dict() == {
        1002: "bmff_spine failed QC", 1005: "bmff_spine failed QC", 1009: "bmff_spine failed QC", 1011: "bmff_spine",
    }  # fmt: skip
    assert "n = 26 (4 dropped: 3 bmff_spine failed QC, 1 bmff_spine)" in str(spine)
    assert regress(data, "bmd_spine ~ bmff_femoral_head").dropped.to_dict() == {1003: "bmff_femoral_head failed QC"}
    assert regress(data, "bmd_spine ~ bmff_total_hip").summary.n_dropped == 0


def test_regress__bmd_of_a_site_is_not_judged_by_the_qc_of_the_region() -> None:
    # bmd_spine ends in a region's name, and is a DXA measurement.
    assert regress(cohort(), "bmd_spine ~ sex").dropped.to_dict() == {1004: "sex"}
    table = pd.DataFrame({"bmd_spine": [1.0, 1.1, 1.3, 1.2], "age": [1.0, 2, 3, 5], "qc_outcome_spine": [1, 2, 2, 1]})
    assert regress(table, "bmd_spine ~ age").summary.n == 4


def test_regress__without_qc_values_stay_and_are_counted_in_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"used although they failed QC \(qc=None\): 3 bmff_spine") as seen:
        fit = regress(cohort(), "bmd_spine ~ bmff_spine", qc=None)
    assert seen[0].filename == __file__  # it points to who asked
    assert "note: used although they failed QC (qc=None): 3 bmff_spine" in str(fit)
    assert "values that failed QC are kept." in fit.to_html()
    assert fit.dropped.to_dict() == {1011: "bmff_spine"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        regress(cohort(), "bmd_spine ~ bmff_total_hip", qc=None)


def test_regress__needs_qc_to_have_been_made() -> None:
    data = cohort().drop_vars("qc_outcome")
    with pytest.raises(AnalysisError, match=r"bmff_spine cannot be judged: .*call bmx.qc.flag\(results\)"):
        regress(data, "bmd_spine ~ bmff_spine")
    assert regress(data, "bmd_spine ~ bmff_spine", qc=None).summary.n == 29
    assert regress(data, "bmd_spine ~ sex").summary.n == 29


@pytest.mark.parametrize("passed", [1, "ok"])
def test_regress__a_flat_table_may_bring_its_qc(passed: object) -> None:
    table = pd.DataFrame(
        {"eid": [7, 8, 9, 10, 11], "age": [61.0, 62, 65, 66, 69], "bmff_spine": [40.0, 50, 44, 41, 70]}
    ).assign(qc_outcome_spine=[passed] * 4 + [2 if passed == 1 else "small"])
    assert regress(table, "age ~ bmff_spine").dropped.to_dict() == {11: "bmff_spine failed QC"}


def test_regress__codes_of_a_region_are_no_quantity() -> None:
    with pytest.raises(AnalysisError, match=r"did you mean C\(qc_outcome_spine\)"):
        regress(cohort(), "bmd_spine ~ qc_outcome_spine")
    terms = regress(cohort(), "bmd_spine ~ C(qc_outcome_spine)").terms["term"].tolist()
    assert terms == ["Intercept", "C(qc_outcome_spine)[2]", "C(qc_outcome_spine)[3]"]


@given(chunk=st.integers(1, 40), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_regress__any_chunking_and_order_of_participants_gives_the_same(chunk: int, seed: int) -> None:
    data, formula = cohort(), "bmd_spine ~ bmff_spine + bmff_femoral_head * sex"
    order = np.random.default_rng(seed).permutation(data.sizes["participant"])
    shuffled = regress(data.isel(participant=order).chunk(participant=chunk), formula)
    expected = regress(data, formula)
    pd.testing.assert_frame_equal(shuffled.terms, expected.terms, rtol=1e-9)
    pd.testing.assert_series_equal(shuffled.dropped.sort_index(), expected.dropped)


def test_regress__where_from_the_dataset() -> None:
    data = cohort()
    fit = regress(data.chunk(participant=7), "bmd_spine ~ bmff_total_hip", where=data["sex"] == "Male")
    assert fit.sample.tolist() == list(range(1001, 1030, 2))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bmff", "no column 'bmff'; the closest are bmff_spine, bmff_femoral_head, bmff_total_hip"),
        ("bmff_spyne", "the closest are bmff_spine"),
        ("centroid_spine", "no column 'centroid_spine'"),
        ("participant", "no column 'participant'"),
        ("xyz", "no column 'xyz'; there are bmd_spine, bmff_femoral_head"),
    ],
)
def test_take_columns__unknown_name(name: str, message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        take_columns(cohort(), [name], region=None, qc="passed")


def test_take_columns__unknown_region() -> None:
    with pytest.raises(
        AnalysisError, match=r"no region is called 'femoral_hed'; the data have spine, .*mean femoral_head"
    ):
        take_columns(cohort(), ["bmff"], region="femoral_hed", qc="passed")


def test_take_columns__participant_twice() -> None:
    twice = xr.concat([cohort(), cohort()], "participant")
    with pytest.raises(AnalysisError, match="participant 1000 is in more than one row"):
        take_columns(twice, ["bmd_spine"], region=None, qc="passed")


def test_take_columns__no_participants() -> None:
    with pytest.raises(AnalysisError, match="no coordinate 'participant'; found dims row in a Dataset, expected"):
        take_columns(xr.Dataset({"a": ("row", [1.0])}), ["a"], region=None, qc="passed")
    with pytest.raises(AnalysisError, match=r"expected a Dataset or DataFrame, found 'cohort\.csv', a str"):
        take_columns("cohort.csv", ["a"], region=None, qc="passed")  # type: ignore[arg-type]  # wrong on purpose
