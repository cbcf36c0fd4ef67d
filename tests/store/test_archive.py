"""The past: stores of every released version of the format must be readable for ever.

`archive/version-1.zip` must never be made again once bmx 0.1.0 is released. If these tests fail, the reader is wrong.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from bmx.acquisition import CONTRASTS
from bmx.ingest.inspection import inspect
from bmx.quality import counts, flag
from bmx.store.exporting import export
from bmx.store.reading import open_store
from bmx.store.results import open_masks, open_results
from bmx.variables import SLAB_STATUS

ARCHIVE = Path(__file__).parent / "archive" / "version-1.zip"
DIGEST = "c9fe3c27cac974f71b1c3decd506e42972ed4c2f6f5f4b9d3ae9dba3d505f4a4"
"""SHA-256 of the zip: nobody exchanges it by accident."""


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("version-1")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return folder


def test_archive__is_the_one_that_was_released() -> None:
    """The command that made it stands beside it, for reading."""
    assert hashlib.sha256(ARCHIVE.read_bytes()).hexdigest() == DIGEST
    assert ARCHIVE.stat().st_size < 100_000


def test_open_store__reads_version_1(stores: Path) -> None:
    """Every status, in words that this version of bmx understands, and the voxels."""
    store = open_store(stores / "slabs.zarr")
    assert store["participant"].to_numpy().tolist() == [1000001, 1000002, -3]
    status = {
        name: [list(SLAB_STATUS)[value] for value in store[f"{name}/slab_status"].to_numpy().tolist()]
        for name in ("slab_2", "slab_5")
    }
    assert status == {
        "slab_2": ["complete", "incomplete", "withdrawn"],
        "slab_5": ["absent", "unreadable", "withdrawn"],
    }
    slab = store["slab_2"].to_dataset()
    assert slab["native_slices"].to_numpy().tolist() == [44, 44, 0]
    assert slab["fat"][:, [6, 7, 8, 43, 44], 60, 60].to_numpy().tolist() == [
        [601, 601, 601, 601, 0], [602, 0, 602, 602, 0], [0, 0, 0, 0, 0],
    ]  # fmt: skip
    assert [int(slab[name][0, 0, 60, 150]) for name in CONTRASTS] == [801, 599, 101, 700]
    np.testing.assert_allclose(slab["affine"][0], [
        [-2.232143, 0, 0, 248.8839445], [0, -2.232143, 0, 193.0803695], [0, 0, 4.5, 547.0],
    ])  # fmt: skip
    assert np.isnan(slab["affine"][2]).all()
    assert slab["physics_residual"].to_numpy()[:2].tolist() == [[0, 0], [0, 0]]
    assert store["slab_5/slab_reason"].to_numpy()[0] == "no series of the archive is slab 5"
    assert [len(str(digest)) for digest in store["source_digest"].to_numpy()] == [64, 64, 0]
    assert store.attrs["history"].endswith(" bmx 0.1.0 withdraw, 1 participants")
    assert not store["slab_5/fat"].any()


def test_inspect__reads_version_1(stores: Path) -> None:
    """Twelve series of two participants, none of the third."""
    table = inspect(stores / "slabs.zarr")
    assert len(table) == 12
    assert set(table["participant"]) == {1000001, 1000002}
    assert set(table["contrast"]) == set(CONTRASTS)


def test_open_results__reads_version_1(stores: Path) -> None:
    """Values, masks and quality control, as they were."""
    results, masks = open_results(stores / "results.zarr"), open_masks(stores / "results.masks.zarr")
    np.testing.assert_allclose(results["bmff"].sel(region="spine"), [60.20811, 60.66612, np.nan], rtol=1e-6)
    assert results["voxels"].sel(region="spine").to_numpy().tolist() == [100742, 100461, 0]
    assert masks["slab_2/mask"].sum(["region", "z", "y", "x"]).to_numpy().tolist() == [100742, 100461, 0]
    assert results["reason"][2].to_numpy().tolist() == ["the participant has withdrawn"] * 2
    assert counts(flag(results))["femoral_diaphysis"].to_dict() == {
        "not_attempted": 2, "ok": 0, "small": 0, "empty": 0, "outlier": 0, "failed": 1, "doubtful": 0,
    }  # fmt: skip


def test_export__reads_version_1(stores: Path, tmp_path: Path) -> None:
    """What one participant has: four images of one slab."""
    assert len(export(stores / "slabs.zarr", 1000001, tmp_path)) == 4


def test_archive__is_readable_with_plain_xarray(stores: Path) -> None:
    """Whoever has no bmx any more still has the data."""
    tree = xr.open_datatree(stores / "slabs.zarr", engine="zarr")
    assert tree["participant"].to_numpy().tolist() == [1000001, 1000002, -3]
    assert int(tree["slab_2/water"].isel(participant=1)[0, 60, 60]) == 200
    assert (
        tree["slab_2/slab_status"].attrs["flag_meanings"].startswith("absent complete incomplete unreadable withdrawn")
    )
    masks = xr.open_datatree(stores / "results.masks.zarr", engine="zarr")
    assert masks["slab_2/region"].to_numpy().tolist() == ["spine"]
    results = xr.open_zarr(stores / "results.zarr")
    np.testing.assert_allclose(results["bmff"].sel(region="spine"), [60.20811, 60.66612, np.nan], rtol=1e-6)
    assert results["bmff"].attrs["units"] == "%"


def test_archive__has_shards_of_two(stores: Path) -> None:
    """A full one and one that isn't; what is empty isn't there."""
    array = zarr.open_group(stores / "slabs.zarr", mode="r")["slab_2/fat"]
    assert isinstance(array, zarr.Array)
    assert array.shards == (2, 46, 174, 224)
    assert sorted(path.name for path in (stores / "slabs.zarr/slab_2/fat").iterdir()) == ["c.0.0.0.0", "zarr.json"]
    assert [path.name for path in (stores / "slabs.zarr/slab_5/fat").iterdir()] == ["zarr.json"]
