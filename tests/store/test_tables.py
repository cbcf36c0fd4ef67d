from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bmx.errors import StoreError
from bmx.measurement import measure
from bmx.quality import flag
from bmx.store.tables import save_table, to_table
from bmx.store.withdrawal import tombstone
from tests.quality.made import cohort, edit

REGIONS = ("spine", "femoral_head")


@pytest.fixture
def judged() -> xr.Dataset:
    """Twelve participants; of one the head is empty, of one the spine has two flags."""
    results = cohort(12, regions=REGIONS)
    edit(results, 2, "femoral_head", empty=True)
    edit(results, 3, "spine", flags=("touches_slab_edge", "swap_corrected"))
    return flag(results)


def test_to_table__has_a_row_for_each_participant(judged: xr.Dataset) -> None:
    """Measured or not; and the names that formulas take."""
    table = to_table(judged)
    assert table.index.name == "eid"
    assert table.index.tolist() == judged["participant"].to_numpy().tolist()
    for region in REGIONS:
        np.testing.assert_array_equal(table[f"bmff_{region}"], judged["bmff"].sel(region=region))
        np.testing.assert_array_equal(table[f"centroid_z_{region}"], judged["centroid"].sel(region=region)[:, 2])
    assert table["bmff_spine"].dtype == np.float32


def test_to_table__tells_codes_by_their_names(judged: xr.Dataset) -> None:
    table = to_table(judged)
    assert table["status_femoral_head"].tolist().count("empty") == 1
    assert table["qc_outcome_femoral_head"].iloc[2] == "empty"
    assert table["reason_femoral_head"].iloc[2] != ""
    assert set(table["flags_spine"].iloc[3].split("|")) == {"touches_slab_edge", "swap_corrected"}
    assert table["flags_spine"].iloc[4] == ""


def test_to_table__leaves_out_who_has_withdrawn(judged: xr.Dataset) -> None:
    eids = judged["participant"].to_numpy().copy()
    eids[5] = tombstone(5)
    assert to_table(judged.assign_coords(participant=eids)).index.tolist() == [*eids[:5], *eids[6:]]


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.parquet"])
def test_save_table__writes_what_pandas_reads_back(judged: xr.Dataset, tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)
    save_table(judged, path)
    if name.endswith("parquet"):
        found = pd.read_parquet(path)
    else:
        found = pd.read_csv(path, sep="\t" if "tsv" in name else ",", index_col="eid", keep_default_na=False)
    expected = to_table(judged)
    assert found.columns.tolist() == expected.columns.tolist()
    assert found.index.tolist() == expected.index.tolist()
    assert found["status_femoral_head"].tolist() == expected["status_femoral_head"].tolist()
    numbers = pd.to_numeric(found["bmff_femoral_head"], errors="coerce")
    np.testing.assert_allclose(numbers, expected["bmff_femoral_head"], rtol=1e-6)


def test_save_table__keeps_dimensions_and_units_in_netcdf(judged: xr.Dataset, tmp_path: Path) -> None:
    save_table(judged, str(tmp_path / "t.nc"))
    found = xr.load_dataset(tmp_path / "t.nc", engine="h5netcdf")
    np.testing.assert_array_equal(found["bmff"], judged["bmff"])
    assert found["bmff"].attrs["units"] == "%"
    assert found["region"].to_numpy().tolist() == list(REGIONS)
    assert found["reason"].to_numpy().tolist() == judged["reason"].to_numpy().astype(object).tolist()


def test_to_netcdf__writes_what_was_judged_as_xarray_does(toy_cohort: Callable, tmp_path: Path) -> None:
    """NetCDF has no truth values; nobody should have to know that before saving a Dataset."""
    slabs, masks = toy_cohort(participants=3)
    results = flag(measure(slabs, masks=masks)).compute()
    results.to_netcdf(tmp_path / "t.nc", engine="h5netcdf")
    found = xr.load_dataset(tmp_path / "t.nc", engine="h5netcdf")
    np.testing.assert_array_equal(found["bmff"], results["bmff"])
    assert (found.attrs["simulated"], found.attrs["qc_body_position"]) == (1, 1)


def test_save_table__leaves_who_has_withdrawn_out_of_netcdf(judged: xr.Dataset, tmp_path: Path) -> None:
    """A tombstone in a file for others would tell how many left, and in which rows."""
    eids = judged["participant"].to_numpy().copy()
    eids[5] = tombstone(5)
    save_table(judged.assign_coords(participant=eids), str(tmp_path / "t.nc"))
    found = xr.load_dataset(tmp_path / "t.nc", engine="h5netcdf")
    assert found["participant"].to_numpy().tolist() == [*eids[:5], *eids[6:]]
    np.testing.assert_array_equal(found["bmff"], np.delete(judged["bmff"].to_numpy(), 5, axis=0))


@pytest.mark.parametrize("url", ["s3://bucket/t.nc", "memory://t.nc"])
def test_save_table__refuses_netcdf_at_a_url(judged: xr.Dataset, url: str) -> None:
    """HDF5 goes back and forth in its file, which object storage doesn't allow; a URL of this disk is a path."""
    with pytest.raises(StoreError, match=rf"to a local path alone, found {url}; .*, or write t\.parquet"):
        save_table(judged, url)


def test_save_table__takes_a_url_of_this_disk_for_netcdf(judged: xr.Dataset, tmp_path: Path) -> None:
    save_table(judged, f"file://{tmp_path}/new folder/t.nc")
    assert xr.load_dataset(tmp_path / "new folder/t.nc", engine="h5netcdf").sizes["participant"] == 12


def test_save_table__refuses_a_name_that_says_no_format(judged: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"t\.xlsx: no table is written under this name; expected one of \.csv"):
        save_table(judged, str(tmp_path / "t.xlsx"))
