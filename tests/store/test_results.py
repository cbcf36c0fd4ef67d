from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from bmx.errors import StoreError
from bmx.partitions.work import WorkFolder
from bmx.store.layout import create_column
from bmx.store.results import (
    commit_masks,
    create_masks,
    masks_beside,
    open_masks,
    open_results,
    open_vertebrae,
    write_masks,
    write_results,
)
from bmx.store.withdrawal import erase_participants
from bmx.variables import Variable, variables_of
from tests.conftest import MaxComputes
from tests.s3 import serve_s3

EIDS = (30, 10, 20)
REGIONS = ("spine", "femoral_head", "total_hip")
MODELS = {"spine": "aa", "femoral_head": "bb", "total_hip": "cc"}
EROSION = {"femoral_head": 2, "total_hip": 1, "spine": 0}


def record(rows: int, value: float, *, vertebrae: bool = False) -> dict[str, np.ndarray]:
    """What one partition of a run keeps, the same value everywhere."""
    kept = {}
    for variable in variables_of("results", *(["vertebrae"] if vertebrae else [])):
        if variable.dims[0] == "participant":
            places = 12 if variable.place == "vertebrae" else len(REGIONS)
            shape = (rows, places, 3)[: len(variable.dims)]
            dtype = "<U9" if variable.dtype == "string" else variable.dtype
            kept[variable.name] = np.full(shape, value).astype(dtype)
    return kept


def write(path: Path | str, *, vertebrae: bool = False) -> Path:
    attrs = {"recipe": "paper", "simulated": True}
    records = [record(2, 1, vertebrae=vertebrae), record(1, 2, vertebrae=vertebrae)]
    write_results(str(path), records, eids=EIDS, regions=REGIONS, models=MODELS, erosion=EROSION, attrs=attrs)
    return Path(path)


def test_write_results__joins_the_records_in_the_order_of_the_plan(tmp_path: Path) -> None:
    """EIDs are not sorted; every declared variable is there, with its attributes."""
    results = open_results(write(tmp_path / "r.zarr"))
    assert results["participant"].to_numpy().tolist() == list(EIDS)
    assert results["bmff"].to_numpy().tolist() == [[1.0] * 3, [1.0] * 3, [2.0] * 3]
    assert results["reason"].to_numpy().tolist() == [["1"] * 3, ["1"] * 3, ["2"] * 3]
    for variable in variables_of("results"):
        found = results[variable.name]
        assert found.dims == variable.dims
        assert variable.attrs.items() <= found.attrs.items()
    assert results["erosion"].to_numpy().tolist() == [EROSION[name] for name in REGIONS]
    assert results.attrs["recipe"] == "paper"


def test_write_results__is_readable_with_plain_xarray(tmp_path: Path) -> None:
    """Nobody needs bmx to read a table."""
    plain = xr.open_zarr(write(tmp_path / "r.zarr"))
    assert plain["bmff"].sel(region="total_hip").to_numpy().tolist() == [1.0, 1.0, 2.0]


def test_write_results__gives_what_netcdf_can_hold(tmp_path: Path) -> None:
    """Truth values among the attributes kept `to_netcdf` from writing results."""
    path = write(tmp_path / "r.zarr")
    opened = open_results(path)
    assert opened.attrs["simulated"] == 1
    opened.to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    assert xr.load_dataset(tmp_path / "r.nc", engine="h5netcdf").attrs["simulated"] == 1


def test_write_results__replaces_an_earlier_table_whole(tmp_path: Path) -> None:
    """A shorter one leaves nothing of the longer, nor of columns that it lacks."""
    path = write(tmp_path / "r.zarr", vertebrae=True)
    how: dict[str, Any] = {"regions": REGIONS, "models": MODELS, "erosion": EROSION}
    write_results(str(path), [record(1, 5, vertebrae=True)], eids=(7,), **how, attrs={"recipe": "none"})
    assert open_results(path)["bmff"].to_numpy().tolist() == [[5.0] * 3]
    assert open_results(path).attrs["recipe"] == "none"
    assert "simulated" not in open_results(path).attrs
    assert open_vertebrae(path)["vertebra_bmff"].to_numpy().tolist() == [[5.0] * 12]
    write_results(str(path), [record(1, 6)], eids=(7,), **how, attrs={})
    assert open_results(path)["bmff"].to_numpy().tolist() == [[6.0] * 3]
    assert not (path / "vertebrae").exists()


def test_write_results__disturbs_nobody_who_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the middle: who opened them before reads what was there or what is new, and never that nothing was
    measured; nobody opens them before they are whole.
    """
    path = write(tmp_path / "r.zarr", vertebrae=True)
    opened = open_results(path)
    real, names = create_column, []

    def stop_at_volume(root: zarr.Group, variable: Variable, values: np.ndarray) -> None:
        names.append(variable.name)
        if variable.name == "volume":
            raise OSError(28, "No space left on device")
        real(root, variable, values)

    monkeypatch.setattr("bmx.store.results.create_column", stop_at_volume)
    records = [record(3, 9, vertebrae=True)]
    with pytest.raises(OSError, match="No space left"):
        write_results(
            str(path), records, eids=EIDS, regions=REGIONS, models=MODELS, erosion=EROSION, attrs={"recipe": "paper"}
        )
    assert names[:2] == ["participant", "region"]
    assert "bmff" in names
    assert opened["volume"].to_numpy().tolist() == [[1.0] * 3, [1.0] * 3, [2.0] * 3]
    assert opened["bmff"].to_numpy().tolist() == [[9.0] * 3] * 3
    with pytest.raises(StoreError, match="was begun but not finished"):
        open_results(path)
    monkeypatch.undo()
    assert open_results(write(path, vertebrae=True))["volume"].to_numpy()[0].tolist() == [1.0] * 3


def test_open_results__computes_nothing_and_selects_by_region_for_free(
    tmp_path: Path, max_computes: MaxComputes
) -> None:
    """What describes the four regions is in memory; the columns of 100,000 participants are not."""
    path = write(tmp_path / "r.zarr")
    with max_computes(0):
        results = open_results(path)
        of_slab_4 = results.sel(region=results["slab"] == 4)
        assert of_slab_4["region"].to_numpy().tolist() == ["femoral_head", "total_hip"]
        assert results["model"].to_numpy().tolist() == ["aa", "bb", "cc"]
    assert results["bmff"].chunks is not None


def test_open_results__takes_the_verbs_of_xarray_whole(tmp_path: Path) -> None:
    """`where`, `reindex` and outer joins have to say that text is missing, which NumPy's own text can't."""
    results = open_results(write(tmp_path / "r.zarr"))
    assert results.where(results["bmff"] > 1)["reason"].to_series().dropna().tolist() == ["2"] * 3
    assert results.reindex(participant=[20, 5])["reason"].to_series().dropna().tolist() == ["2"] * 3
    parts = [results[["bmff"]].isel(participant=[0]), results[["reason"]].isel(participant=[1])]
    assert xr.merge(parts, join="outer").sizes["participant"] == 2
    results.to_zarr(tmp_path / "copy.zarr", consolidated=False)
    assert (
        xr.open_zarr(tmp_path / "copy.zarr", consolidated=False)["reason"].to_numpy().tolist()
        == results["reason"].to_numpy().tolist()
    )


def test_open_masks__shows_nothing_before_the_commit(tmp_path: Path) -> None:
    """Laid out, half written, then consolidated: only the last can be opened."""
    from bmx.store.layout import consolidate

    url = str(tmp_path / "r.masks.zarr")
    by_slab = {2: ["spine"], 4: ["femoral_head", "total_hip"]}
    create_masks(url, eids=EIDS, shard=2, regions=by_slab, models=MODELS, attrs={"partition_size": 2})
    mask = np.ones((2, 2, 46, 174, 224), np.uint8)
    drawn = xr.DataTree.from_dict({"/slab_4": xr.Dataset({"mask": (("participant", "region", "z", "y", "x"), mask)})})
    write_masks(url, drawn, start=0)
    with pytest.raises(StoreError, match=r"was begun but not finished; call bmx\.run again"):
        open_masks(url)
    consolidate(url)
    masks = open_masks(url)
    assert list(masks.children) == ["slab_2", "slab_4"]
    assert masks["slab_4/region"].to_numpy().tolist() == ["femoral_head", "total_hip"]
    assert masks["slab_4/mask"].any(["region", "z", "y", "x"]).to_numpy().tolist() == [True, True, False]
    assert masks["slab_4/mask"].chunks is not None
    assert masks["slab_4/mask"].chunks[0] == (2, 1)


def test_open_results__refuses_what_is_none(tmp_path: Path) -> None:
    """Nothing, another format, another version, an unfinished one."""
    with pytest.raises(StoreError, match=r"there is no Zarr store at .*; expected bmx-results version 1"):
        open_results(tmp_path / "nowhere.zarr")
    root = zarr.create_group(tmp_path / "r.zarr", attributes={"bmx_format": "bmx-masks", "bmx_format_version": 1})
    with pytest.raises(StoreError, match="is not a bmx-results store: its bmx_format is 'bmx-masks'"):
        open_results(tmp_path / "r.zarr")
    root.attrs.update({"bmx_format": "bmx-results", "bmx_format_version": 2})
    with pytest.raises(StoreError, match="has bmx-results version 2, expected 1"):
        open_results(tmp_path / "r.zarr")
    root.attrs["bmx_format_version"] = 1
    with pytest.raises(StoreError, match=r"was begun but not finished; call bmx\.run again"):
        open_results(tmp_path / "r.zarr")


@pytest.mark.parametrize("results", ["out/r.zarr", "out/r.zarr/", Path("out/r.zarr")])
def test_masks_beside__takes_paths_with_or_without_a_slash(results: str | Path) -> None:
    assert masks_beside(results) == "out/r.masks.zarr"


def test_open_vertebrae__of_who_has_withdrawn_is_nothing(tmp_path: Path) -> None:
    """Their rows go with those of the regions; the group has no EIDs of its own, which could stay."""
    path = tmp_path / "r.zarr"
    records = [record(2, 1, vertebrae=True), record(1, 2, vertebrae=True)]
    write_results(str(path), records, eids=EIDS, regions=REGIONS, models=MODELS, erosion=EROSION, attrs={"recipe": "x"})
    erase_participants(str(path), [EIDS[1]], scratch=WorkFolder.beside(path), line="")
    found = open_vertebrae(path)
    assert found["participant"].to_numpy().tolist() == [30, -2, 20]
    assert found["vertebra_bmff"].isnull().all("vertebra").to_numpy().tolist() == [False, True, False]
    assert "participant" not in zarr.open_group(str(path), mode="r")["vertebrae"]
    assert found.attrs["recipe"] == "x"


def block_names(place: str) -> dict[str, str]:
    """By which Dask knows the blocks of results, vertebrae and masks."""
    opened = {"results": open_results(place), "vertebrae": open_vertebrae(place)}
    opened |= {node.path: node.to_dataset() for node in open_masks(masks_beside(place)).subtree}
    return {
        f"{where} {name}": array.data.name
        for where, dataset in opened.items()
        for name, array in dataset.data_vars.items()
        if array.chunks is not None
    }


def write_all(place: str) -> None:
    masks = masks_beside(place)
    create_masks(masks, eids=EIDS, shard=2, regions={2: ["spine"]}, models=MODELS, attrs={"partition_size": 2})
    commit_masks(masks)
    write(place, vertebrae=True)


@pytest.mark.parametrize("place", ["s3", "disk"])
def test_open__reads_new_blocks_after_a_second_run(place: str, tmp_path: Path) -> None:
    """Dask takes blocks that it holds by their names, and a URL tells nothing of when it was written."""
    with serve_s3() as bucket:
        url = f"{bucket}/r.zarr" if place == "s3" else str(tmp_path / "r.zarr")
        write_all(url)
        before = block_names(url)
        assert {"results bmff", "vertebrae vertebra_bmff", "/slab_2 mask"} <= before.keys()
        assert len(set(before.values())) == len(before)
        assert block_names(url) == before
        write_all(url)
        after = block_names(url)
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())


def test_write__keeps_the_lines_of_withdrawals(tmp_path: Path) -> None:
    """And one of its own, the latest: a history doesn't grow with each run."""
    url = str(tmp_path / "r.zarr")
    write_all(url)
    line = "2026-01-01 bmx 0.1.0 withdraw, 1 participants"
    for store in (url, masks_beside(url)):
        erase_participants(store, [EIDS[1]], scratch=WorkFolder.beside(url), line=line)
    write_all(url)
    for opened, what in ((open_results(url), "results"), (open_masks(masks_beside(url)), "masks")):
        first, second = opened.attrs["history"].split("\n")
        assert first == line
        assert second.endswith(f" {what}, 3 participants")


def test_write_results__one_long_reason_costs_no_more_than_itself(tmp_path: Path) -> None:
    """Text of fixed width would give each of the other 18,000 the same room."""
    peaks, long = [], "x" * 1000
    for reason in ("", long):
        records = [record(1000, 1) for _ in range(6)]
        records[3]["reason"] = records[3]["reason"].astype("U1000")
        records[3]["reason"][5, 2] = reason
        tracemalloc.start()
        try:
            write_results(
                str(tmp_path / "r.zarr"), records, eids=range(6000), regions=REGIONS, models=MODELS, erosion=EROSION,
                attrs={},
            )  # fmt: skip
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        del records
    assert max(peaks) < 20e6
    found = open_results(tmp_path / "r.zarr")["reason"].to_numpy()
    assert found[3005, 2] == long
    assert (found == "1").sum() == 3 * 6000 - 1
