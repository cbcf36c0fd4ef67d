from __future__ import annotations

import logging

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

from bmx.errors import PhenotypeError
from bmx.phenotypes.join import join, unmatched

REGIONS = ["spine", "femoral_head"]


def results_of(eids: list[int], *, chunks: int | None = None) -> xr.Dataset:
    # Each value says whose it is, so that a wrong pairing cannot go unnoticed.
    values = np.float32([[eid, -eid] for eid in eids])
    data = values if chunks is None else da.from_array(values, chunks=(chunks, 2))
    return xr.Dataset(
        {"bmff": (("participant", "region"), data)}, {"participant": eids, "region": REGIONS}, {"bmx_format": "x"}
    )


def phenotypes_of(eids: list[int]) -> xr.Dataset:
    return xr.Dataset({"age": ("participant", np.float64(eids), {"units": "year"})}, {"participant": eids})


@pytest.mark.parametrize("chunks", [None, 1, 3])
def test_join__pairs_by_eid_in_the_order_of_results(chunks: int | None) -> None:
    cohort = join(results_of([5, 3, 9, 1], chunks=chunks), phenotypes_of([1, 2, 3, 9]))
    assert cohort["participant"].values.tolist() == [3, 9, 1]
    np.testing.assert_array_equal(cohort["age"], [3, 9, 1])
    np.testing.assert_array_equal(cohort["bmff"].sel(region="femoral_head"), [-3, -9, -1])
    assert cohort["age"].attrs["units"] == "year"


def test_join__says_who_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    results, phenotypes = results_of([5, 3, 9, 1]), phenotypes_of([1, 2, 3])
    with caplog.at_level(logging.INFO):
        cohort = join(results, phenotypes)
    assert cohort.attrs == {
        "bmx_format": "x", "join_participants": 2, "join_only_results": 2, "join_only_phenotypes": 1
    }  # fmt: skip
    assert "joined 2 participants; left out 2 with results only and 1 with phenotypes only" in caplog.text
    lost = unmatched(results, phenotypes)
    assert lost.results.tolist() == [5, 9]
    assert lost.phenotypes.tolist() == [2]


def test_join__computes_nothing() -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("join computed its results")

    with dask.config.set(scheduler=refuse):
        cohort = join(results_of(list(range(100)), chunks=10), phenotypes_of(list(range(5, 300))))
    assert cohort["bmff"].chunks is not None
    assert cohort.sizes["participant"] == 95


def test_join__everybody_present_keeps_the_chunks() -> None:
    # Reindexing by a full list would turn 10 chunks into a graph of slices for nothing.
    results = results_of(list(range(100)), chunks=10)
    assert join(results, phenotypes_of(list(range(99, -1, -1))))["bmff"].data is results["bmff"].data


@pytest.mark.parametrize("side", ["results", "phenotypes"])
def test_join__refuses_repeated_participants(side: str) -> None:
    twice, once = [1, 2, 2], [1, 2]
    results = results_of(twice if side == "results" else once)
    phenotypes = phenotypes_of(twice if side == "phenotypes" else once)
    with pytest.raises(PhenotypeError, match=f"1 participants are more than once in {side}, expected once: 2"):
        join(results, phenotypes)


def test_join__refuses_strangers() -> None:
    with pytest.raises(PhenotypeError, match="none of the 2 participants with results is among the 1 with phenotypes"):
        join(results_of([1, 2]), phenotypes_of([3]))


def test_join__refuses_a_variable_on_both_sides() -> None:
    with pytest.raises(PhenotypeError, match="results and phenotypes both have bmff"):
        join(results_of([1]), phenotypes_of([1]).rename(age="bmff"))


def test_join__needs_eids() -> None:
    with pytest.raises(PhenotypeError, match="phenotypes has no coordinate 'participant' with EIDs; found dims row"):
        join(results_of([1]), xr.Dataset({"age": ("row", [1.0])}))


def test_join__drops_who_has_withdrawn_and_counts_them_nowhere() -> None:
    # Two stores may have lost the participant in the same row: the number that stands there is nobody's.
    results = results_of([1, -2, 3, -2])
    joined = join(results, phenotypes_of([3, 1, -2]))
    assert joined["participant"].to_numpy().tolist() == [1, 3]
    assert (joined.attrs["join_only_results"], joined.attrs["join_only_phenotypes"]) == (0, 1)
    assert unmatched(results, phenotypes_of([3])).results.tolist() == [1]


def test_join__warns_of_another_visit(caplog: pytest.LogCaptureFixture) -> None:
    results, phenotypes = results_of([1, 2]).assign_attrs(ukb_instance=3), phenotypes_of([1, 2])
    for visits, words in ((2, "of visit 3, the phenotypes of visit 2"), ([2, 3], ""), (3, "")):
        caplog.clear()
        join(results, phenotypes.assign_attrs(phenotype_instance=visits))
        assert words in caplog.text
        assert bool(words) == bool(caplog.text)
