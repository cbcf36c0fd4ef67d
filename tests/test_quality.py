from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from bmx.errors import SchemaError
from bmx.measurement import measure
from bmx.quality import REFERENCE, counts, flag, passed
from bmx.schema import conform, validate
from bmx.variables import MEASUREMENT_STATUS, QC_OUTCOME, variables_of

NAMES = {value: name for name, value in QC_OUTCOME.items()}


def results_of(
    volumes: npt.ArrayLike, *, centre: npt.ArrayLike = 0.0, regions: tuple[str, ...] = ("spine",)
) -> xr.Dataset:
    """Results of participants with these volumes (mL; NaN: not attempted; 0: empty) and centres (mm along z)."""
    volume = np.atleast_2d(np.asarray(volumes, float).T).T
    volume = np.broadcast_to(volume, (len(volume), len(regions)))
    centroid = np.zeros((*volume.shape, 3)) + np.asarray(centre, float).reshape(-1, 1, 1) * [0, 0, 1]
    status = np.select(
        [np.isnan(volume), volume == 0],
        [MEASUREMENT_STATUS["not_attempted"], MEASUREMENT_STATUS["empty"]],
        MEASUREMENT_STATUS["measured"],
    )
    site = ("participant", "region")
    return conform(
        xr.Dataset(
            {
                "voxels": (site, np.nan_to_num(volume * 50).round()),
                "volume": (site, volume),
                "centroid": ((*site, "world_axis"), np.where(volume[..., None] > 0, centroid, np.nan)),
                "status": (site, status),
                "reason": (
                    site,
                    np.where(np.isnan(volume), "the slab is absent", np.where(volume == 0, "no voxel", "")),
                ),
            },
            coords={"participant": 1_000_000 + np.arange(len(volume)), "region": list(regions)},
        )
    )


def outcomes(results: xr.Dataset) -> list[str]:
    return [NAMES[int(value)] for value in results["qc_outcome"].isel(region=0)]


def test_flag__is_lazy_and_adds_what_is_declared(toy_cohort: Callable, max_computes: Callable) -> None:
    slabs, masks = toy_cohort()
    with max_computes(0):
        results = measure(slabs, masks=masks).pipe(flag)
        usable = passed(results)
    validate(results, *(variable.name for variable in variables_of("results", "qc")))
    assert usable.chunks is not None
    assert usable.compute().all()


def test_flag__agrees_with_pandas_on_a_cohort() -> None:
    rng = np.random.default_rng(7)
    volumes = rng.normal(45, 9, 400)
    volumes[:10] = rng.uniform(1, 15, 10)
    volumes[10:20], volumes[20:25] = 0, np.nan
    centres = rng.normal(-200, 12, 400)
    centres[30:33] += [200, -150, 90]
    found = flag(results_of(volumes, centre=centres))

    table = pd.DataFrame({"volume": np.float32(volumes), "centre": np.float32(centres)}).astype(float)
    drawn = table[table["volume"] > 0]
    small = table["volume"] < drawn["volume"].mean() - 2.5 * drawn["volume"].std()
    outlier = (table["centre"] - drawn["centre"].mean()).abs() > 3 * drawn["centre"].std()
    expected = np.select(
        [table["volume"].isna(), table["volume"] == 0, small, outlier],
        ["not_attempted", "empty", "small", "outlier"],
        "ok",
    )
    assert outcomes(found) == expected.tolist()
    assert {"small", "outlier"} < set(expected)


def test_flag__says_why() -> None:
    rng = np.random.default_rng(0)
    volumes, centres = rng.normal(40, 1, 50), rng.normal(0, 1, 50)
    volumes[:3], centres[3] = [np.nan, 0, 10], 60
    results = flag(results_of(volumes, centre=centres))
    causes = results["qc_cause"].isel(region=0).values
    assert causes[0] == "the slab is absent"
    assert causes[1] == "no voxel"
    assert causes[2].startswith("volume 10.00 mL lies below ")
    assert causes[3].startswith("centre of mass lies 58.")
    assert "mm head-foot from the mean, more than 3 SD, 26." in causes[3]
    assert (causes[4:] == "").all()


@given(n=st.integers(1, 8), seed=st.integers(0, 100))
def test_flag__cannot_call_anyone_small_among_eight(n: int, seed: int) -> None:
    # (n - 1)/√n < 2.5: the limit that the docstring gives.
    volumes = np.random.default_rng(seed).exponential(10, n) + 0.1
    assert set(outcomes(flag(results_of(volumes)))) == {"ok"}


def test_flag__can_call_one_of_nine_small_and_one_of_eleven_an_outlier() -> None:
    assert outcomes(flag(results_of([1.0, *[50.0] * 8]))) == ["small", *["ok"] * 8]
    assert outcomes(flag(results_of([50.0] * 11, centre=[90.0, *[0.0] * 10]))) == ["outlier", *["ok"] * 10]
    assert outcomes(flag(results_of([50.0] * 10, centre=[90.0, *[0.0] * 9]))) == ["ok"] * 10


def test_flag__of_nobody_with_a_mask_gives_no_warning_and_no_verdict() -> None:
    results = flag(results_of([0.0, np.nan])).compute()
    assert outcomes(results) == ["empty", "not_attempted"]
    assert results["qc_reference_n"].item() == 0
    assert np.isnan(results["qc_reference_volume_mean"].item())


def test_flag__judges_failures_first() -> None:
    # A mask that erosion removed is tiny, but it failed: its volume isn't the reason.
    results = results_of([1.0, *[50.0] * 20])
    results["status"][0, 0] = MEASUREMENT_STATUS["failed"]
    results["reason"][0, 0] = "nothing of the mask is left after erosion"
    found = flag(results)
    assert outcomes(found)[0] == "failed"
    assert found["qc_cause"].values[0, 0] == "nothing of the mask is left after erosion"


def test_flag__by_a_reference_doesnt_depend_on_the_company() -> None:
    rng = np.random.default_rng(1)
    cohort = flag(results_of(rng.normal(45, 5, 100), centre=rng.normal(0, 3, 100)))
    alone = results_of([20.0, 45.0, 45.0], centre=[0.0, 50.0, 0.0])
    assert outcomes(flag(alone)) == ["ok"] * 3
    judged = flag(alone, reference=cohort)
    assert outcomes(judged) == ["small", "outlier", "ok"]
    for name in REFERENCE:
        xr.testing.assert_equal(judged[name], cohort[name])


def test_flag__takes_a_references_regions_by_name() -> None:
    reference = flag(results_of([[1.0, 100.0], [2.0, 110.0], [3.0, 120.0]], regions=("total_hip", "spine")))
    judged = flag(results_of([105.0]), reference=reference)
    assert float(judged["qc_reference_volume_mean"].sel(region="spine")) == pytest.approx(110)


def test_flag__refuses_a_reference_of_other_regions() -> None:
    reference = flag(results_of([1.0, 2.0, 3.0], regions=("total_hip",)))
    with pytest.raises(SchemaError, match="the QC reference has no spine; expected spine, found total_hip"):
        flag(results_of([1.0]), reference=reference)


@pytest.mark.parametrize("chunk", [1, 3, 7, 20])
def test_flag__is_the_same_in_any_chunks(chunk: int) -> None:
    rng = np.random.default_rng(3)
    results = results_of([1.0, *rng.normal(40, 4, 19)], centre=[*rng.normal(0, 2, 19), 80])
    whole, chunked = flag(results).compute(), flag(results.chunk(participant=chunk)).compute()
    xr.testing.assert_equal(whole[["qc_outcome", "qc_cause"]], chunked[["qc_outcome", "qc_cause"]])
    xr.testing.assert_allclose(whole[list(REFERENCE)], chunked[list(REFERENCE)])


def test_flag__lists_what_is_missing() -> None:
    with pytest.raises(SchemaError, match="volume: expected float32"):
        flag(results_of([1.0]).drop_vars("volume"))


def test_passed__needs_flags() -> None:
    with pytest.raises(SchemaError, match=r"no qc_outcome yet; call bmx.qc.flag\(results\) first"):
        passed(results_of([1.0]))


def test_counts__add_up_to_all_participants() -> None:
    table = counts(flag(results_of([[40, 0], [41, 40], [np.nan, 42]], regions=("spine", "total_hip"))))
    assert table.index.tolist() == list(QC_OUTCOME)
    assert (table.sum() == 3).all()
    assert table.loc["not_attempted"].tolist() == [1, 0]
    assert table.loc["empty"].tolist() == [0, 1]
    assert table.loc["ok"].tolist() == [2, 2]
