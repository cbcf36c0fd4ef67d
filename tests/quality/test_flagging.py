from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.errors import SchemaError
from bmx.measurement import measure
from bmx.quality import Limits, flag, passed
from bmx.quality.reference import REFERENCE
from bmx.schema import validate
from bmx.variables import MEASUREMENT_STATUS, QC_OUTCOME, variables_of
from tests.quality.made import BMFF, cohort, edit, flags_of, outcome_of, results_of

NAMES = {value: name for name, value in QC_OUTCOME.items()}


def outcomes(results: xr.Dataset) -> list[str]:
    return [NAMES[int(value)] for value in results["qc_outcome"].isel(region=0)]


def test_flag__is_lazy_and_adds_what_is_declared(toy_cohort: Callable, max_computes: Callable) -> None:
    slabs, masks = toy_cohort()
    with max_computes(0):
        # The boxes of the toys have fat fractions that no femur has.
        results = measure(slabs, masks=masks).pipe(flag, limits=Limits(doubtful=()))
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
    causes = results["qc_reason"].isel(region=0).values
    assert causes[0] == "the slab is absent"
    assert causes[1] == "no voxel"
    assert causes[2].startswith("volume 10.00 mL lies below ")
    assert causes[3].startswith("centre of mass lies 58.")
    assert "mm head-foot from the mean, more than 3 SD, 26." in causes[3]
    assert (causes[4:] == "").all()


@settings(max_examples=25)
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
    assert found["qc_reason"].values[0, 0] == "nothing of the mask is left after erosion"


@pytest.mark.parametrize("chunk", [None, 7])
def test_flag__takes_off_where_the_body_lies(chunk: int | None) -> None:
    """An exam begun 80 mm too high is no failed segmentation; a mask in the wrong place is, whoever else is where."""
    results = cohort(60)
    results["centroid"][5, :, 2] += 80
    results["centroid"][6, 1, 2] += 80
    results["centroid"][7, 1, 0] += 80
    for region in BMFF:
        edit(results, 8, region, empty=True)
    some = results if chunk is None else results.chunk(participant=chunk)
    judged = flag(some).compute()
    assert [outcome_of(judged, 5, region) for region in BMFF] == ["ok"] * 4
    for row in (6, 7):
        assert [outcome_of(judged, row, region) for region in BMFF] == ["ok", "outlier", "ok", "ok"]
    plain = flag(some, limits=Limits(body_position=False)).compute()
    assert [outcome_of(plain, 5, region) for region in BMFF] == ["outlier"] * 4
    assert (judged.attrs["qc_body_position"], plain.attrs["qc_body_position"]) == (True, False)


def test_flag__needs_two_other_regions_to_tell_where_the_body_lies() -> None:
    results = cohort(60, regions=("spine", "total_hip"))
    results["centroid"][5, :, 2] += 80
    assert [outcome_of(flag(results), 5, region) for region in ("spine", "total_hip")] == ["outlier"] * 2


def test_flag__by_a_reference_doesnt_depend_on_the_company() -> None:
    rng = np.random.default_rng(1)
    cohort = flag(results_of(rng.normal(45, 5, 100), centre=rng.normal(0, 3, 100)))
    alone = results_of([20.0, 45.0, 45.0], centre=[0.0, 50.0, 0.0])
    assert outcomes(flag(alone)) == ["ok"] * 3
    judged = flag(alone, reference=cohort)
    assert outcomes(judged) == ["small", "outlier", "ok"]
    for name in REFERENCE:
        xr.testing.assert_equal(judged[name], cohort[name])


@pytest.mark.parametrize("chunk", [1, 3, 7, 20])
def test_flag__is_the_same_in_any_chunks(chunk: int) -> None:
    rng = np.random.default_rng(3)
    results = results_of([1.0, *rng.normal(40, 4, 19)], centre=[*rng.normal(0, 2, 19), 80])
    whole, chunked = flag(results).compute(), flag(results.chunk(participant=chunk)).compute()
    xr.testing.assert_equal(
        whole[["qc_outcome", "qc_flags", "qc_cause", "qc_reason"]],
        chunked[["qc_outcome", "qc_flags", "qc_cause", "qc_reason"]],
    )
    xr.testing.assert_allclose(whole[list(REFERENCE)], chunked[list(REFERENCE)])


@pytest.mark.parametrize("chunks", [None, {"participant": 30}, {"participant": 30, "region": 1}])
def test_flag__can_be_asked_again(chunks: dict[str, int] | None) -> None:
    """Cohorts are judged, joined and judged anew, by sex or by other limits: what counts is the last call."""
    results = cohort(60) if chunks is None else cohort(60).chunk(chunks)
    once, strict = flag(results), flag(results, limits=Limits(small_sd=0.5, doubtful=()))
    assert (strict["qc_outcome"] != once["qc_outcome"]).any()
    for again in (flag(once), flag(strict)):
        xr.testing.assert_identical(again.compute(), once.compute())


@pytest.mark.parametrize("region", [1, 4])
def test_flag__gives_what_it_adds_the_chunks_of_the_results(region: int) -> None:
    """xarray works on a Dataset in blocks only where the chunks of all its variables agree."""
    results = cohort(60).chunk(participant=30, region=region)
    judged = flag(results)
    assert judged.chunks["region"] == (region,) * (4 // region)
    assert judged["qc_reason"].chunks == results["bmff"].chunks
    bmff = xr.map_blocks(lambda block: block["bmff"].where(block["qc_outcome"] == QC_OUTCOME["ok"]), judged)
    xr.testing.assert_equal(bmff.compute(), judged["bmff"].where(passed(judged)).compute())


@pytest.mark.parametrize("region", [1, 4])
def test_flag__of_nobody_is_empty(region: int) -> None:
    """A selection that nobody meets is no accident of the program."""
    results = cohort(60)
    results["confidence"] = xr.full_like(results["bmff"], 0.9)
    judged = flag(results.chunk(participant=7, region=region).isel(participant=slice(0))).compute()
    assert judged["qc_outcome"].shape == (0, 4)
    assert (judged["qc_reference_n"] == 0).all()


def test_flag__lists_what_is_missing() -> None:
    with pytest.raises(SchemaError, match="volume: expected float32"):
        flag(results_of([1.0]).drop_vars("volume"))


def test_passed__needs_flags() -> None:
    with pytest.raises(SchemaError, match=r"no qc_outcome yet; call bmx.qc.flag\(results\) first"):
        passed(results_of([1.0]))


def test_flag__carries_what_the_measurement_noticed() -> None:
    results = cohort()
    edit(results, 0, "total_hip", flags=["touches_slab_edge", "adjacent_slab_used", "parts_joined"])
    assert flags_of(flag(results), 0, "total_hip") == {"touches_slab_edge", "adjacent_slab_used"}
    assert outcome_of(flag(results), 0, "total_hip") == "ok"


@pytest.mark.parametrize(("bmff", "outcome"), [(9.0, "doubtful"), (74.0, "ok"), (73.9, "doubtful"), (100.0, "ok")])
def test_flag__doubts_a_fat_fraction_that_no_femoral_head_has(bmff: float, outcome: str) -> None:
    results = cohort()
    edit(results, 3, "femoral_head", bmff=bmff)
    found = flag(results)
    assert outcome_of(found, 3, "femoral_head") == outcome
    assert ("implausible_bmff" in flags_of(found, 3, "femoral_head")) == (outcome == "doubtful")
    if outcome == "doubtful":
        assert found["qc_reason"].values[3, 1] == f"BMFF {bmff:.1f} % is implausible here"


def test_flag__without_doubts_gives_the_papers_outcomes_and_keeps_the_flags() -> None:
    results = cohort()
    edit(results, 3, "femoral_head", bmff=9.0, flags=["swap_suspected"])
    found = flag(results, limits=Limits(doubtful=()))
    assert outcome_of(found, 3, "femoral_head") == "ok"
    assert flags_of(found, 3, "femoral_head") == {"implausible_bmff", "swap_suspected"}
    assert found.attrs["qc_doubtful"] == ""


def test_flag__uses_confidence_where_there_is_one() -> None:
    results = cohort()
    assert "low_confidence" not in flags_of(flag(results), 0, "spine")
    confidence = np.full((60, 4), 0.9, np.float32)
    confidence[0, 0], confidence[1, 0], confidence[2, 0] = 0.3, 0.5, np.nan
    results["confidence"] = (("participant", "region"), confidence)
    found = flag(results, limits=Limits(confidence=0.5, confidence_spread=np.inf))
    assert ["low_confidence" in flags_of(found, row, "spine") for row in range(3)] == [True, False, False]
    assert outcome_of(found, 0, "spine") == "ok"
    strict = flag(results, limits=Limits(doubtful=("low_confidence",)))
    assert outcome_of(strict, 0, "spine") == "doubtful"
    assert strict["qc_reason"].values[0, 0] == "low confidence"


def test_flag__finds_sides_that_disagree() -> None:
    regions = ("femoral_head", "femoral_head_right", "total_hip")
    results = cohort(regions=regions)
    edit(results, 0, "femoral_head", bmff=82.0)  # 9 points, more than 8
    edit(results, 1, "femoral_head_right", bmff=84.0)  # 7 points
    edit(results, 2, "femoral_head_right", volume=19.0, voxels=950)
    edit(results, 3, "femoral_head_right", empty=True)
    edit(results, 4, "total_hip", bmff=60.0)  # no other side
    found = flag(results, reference=flag(cohort(regions=regions)))
    for row, expected in ((0, True), (1, False), (2, True), (3, False), (4, False)):
        for region in regions[:2]:
            assert ("sides_disagree" in flags_of(found, row, region)) == expected, (row, region)
    assert "sides_disagree" not in flags_of(found, 4, "total_hip")


def test_flag__gives_the_right_side_the_limits_of_the_left() -> None:
    results = cohort(regions=("femoral_head", "femoral_head_right"))
    edit(results, 0, "femoral_head_right", bmff=10.0)
    assert "implausible_bmff" in flags_of(flag(results), 0, "femoral_head_right")


def test_limits__refuse_flags_that_dont_exist() -> None:
    with pytest.raises(ValueError, match=r"no QC flag is called 'swap_suspect'; .*did you mean swap_suspected"):
        Limits(doubtful=("swap_suspect",))
