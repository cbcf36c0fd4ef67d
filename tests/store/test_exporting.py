from __future__ import annotations

import gzip
import logging
import shutil
from pathlib import Path

import fsspec
import nibabel as nib
import numpy as np
import pytest
import zarr

from bmx.acquisition import SLABS, ContrastName
from bmx.core.geometry import to_world
from bmx.errors import StoreError
from bmx.store.exporting import export, to_nifti
from bmx.store.layout import consolidate
from bmx.store.results import create_masks, open_masks
from bmx.store.slabs import column_names, create_store, write_columns, write_images
from bmx.types import Affine
from bmx.variables import SLAB_STATUS, VARIABLES
from tests.exams import affine, images

EIDS = (6000001, 6000002, -3)
PAIR: tuple[ContrastName, ...] = ("fat", "water")


def oblique() -> Affine:
    """Slab 2 turned by 10 degrees about x and 5 about z."""
    tilt, turn = np.deg2rad([10, 5])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    straight = affine(2)
    return np.column_stack([about_z @ about_x @ straight[:, :3], straight[:, 3]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A straight slab 2 of 44 slices, an oblique one of 42 without slab 6, and one who has withdrawn."""
    folder = tmp_path_factory.mktemp("stores")
    url = str(folder / "s.zarr")
    create_store(url, participants=3, shard=3, slabs=[2, 6], contrasts=list(PAIR), instance=2)
    for number in (2, 6):
        slab = SLABS[number]
        block = {name: np.zeros((3, *slab.stored_shape), np.uint16) for name in PAIR}
        for row in range(2 if number == 2 else 1):
            for name, image in images(number, seed=row, contrasts=PAIR).items():
                block[name][row, : slab.slices] = image
        block["fat"][0, 3, 5, 7] = 65_535
        write_images(url, slab, block, start=0)
    withdrawn = SLAB_STATUS["withdrawn"]
    columns = {path: _empty(path) for path in column_names([2, 6])} | {
        "participant": np.array(EIDS),
        "slab_2/affine": np.stack([affine(2), oblique(), np.full((3, 4), np.nan)]),
        "slab_6/affine": np.stack([affine(6), *np.full((2, 3, 4), np.nan)]),
        "slab_2/native_slices": np.array([44, 42, 0], np.int16),
        "slab_6/native_slices": np.array([64, 0, 0], np.int16),
        "slab_2/slab_status": np.array([1, 2, withdrawn], np.uint8),
        "slab_6/slab_status": np.array([1, 0, withdrawn], np.uint8),
        "slab_6/slab_reason": np.array(["", "no series of the archive is slab 6", ""]),
    }
    write_columns(url, columns.items())
    consolidate(url, history="now", simulated=True)
    masks = str(folder / "r.masks.zarr")
    create_masks(masks, eids=EIDS, shard=3, regions={2: ["spine"]}, models={"spine": "aa"}, attrs={"partition_size": 3})
    mask = zarr.open_group(masks, mode="r+", use_consolidated=False)["slab_2/mask"]
    assert isinstance(mask, zarr.Array)
    mask[0, 0, 20:24, 80:90, 100:110] = 1
    consolidate(masks)
    return folder


def _empty(path: str) -> np.ndarray:
    variable = VARIABLES[path.rpartition("/")[2]]
    extra = {"world_axis": 3, "voxel_axis": 4, "relation": 2}
    return np.zeros(
        (3, *(extra[dim] for dim in variable.dims[1:])), "U1" if variable.dtype == "string" else variable.dtype
    )


def names(written: list[str]) -> list[str]:
    return [Path(path).name for path in written]


@pytest.mark.parametrize(("eid", "row", "slices"), [(6000001, 0, 44), (6000002, 1, 42)])
def test_export__other_programs_see_the_same_voxels_in_the_same_places(
    folder: Path, tmp_path: Path, eid: int, row: int, slices: int
) -> None:
    """nibabel finds the numbers of given voxels at the positions that the store gives them, oblique or not."""
    export(folder / "s.zarr", eid, tmp_path)
    expected = affine(2) if row == 0 else oblique()
    for contrast in PAIR:
        image = nib.load(tmp_path / f"{eid}_20201_2_0_slab_2_{contrast}.nii.gz")
        stored = images(2, seed=row, contrasts=PAIR)[contrast][:slices]
        if (eid, contrast) == (6000001, "fat"):
            stored[3, 5, 7] = 65_535
        assert image.get_data_dtype() == np.uint16
        assert image.shape == (224, 174, slices)
        np.testing.assert_array_equal(np.asarray(image.dataobj), stored.transpose(2, 1, 0))
        for x, y, z in ((0, 0, 0), (223, 173, slices - 1), (7, 100, 20)):
            place = nib.affines.apply_affine(image.affine, (x, y, z))
            np.testing.assert_allclose(place, to_world(expected, np.array([z, y, x])), atol=1e-3)
        header = image.header
        assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)
        np.testing.assert_allclose(header.get_qform(), header.get_sform(), atol=1e-3)
        assert header.get_xyzt_units()[0] == "mm"
        assert header.get_slope_inter() == (None, None)
    assert nib.aff2axcodes(image.affine) == ("L", "P", "S")


def test_export__leaves_out_what_is_absent_and_says_so(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Knees can be missing."""
    with caplog.at_level(logging.INFO, logger="bmx"):
        written = export(folder / "s.zarr", 6000002, tmp_path / "new" / "folder")
    assert names(written) == [f"6000002_20201_2_0_slab_2_{name}.nii.gz" for name in PAIR]
    assert all(Path(path).is_file() for path in written)
    assert "participant 6000002 has no slab_6: no series of the archive is slab 6" in caplog.text


def test_export__adds_masks_on_the_grid_of_their_slab(folder: Path, tmp_path: Path) -> None:
    """So that a viewer lays the one over the other."""
    written = export(folder / "s.zarr", 6000001, tmp_path, masks=folder / "r.masks.zarr")
    labels = ("slab_2_fat", "slab_2_water", "spine", "slab_6_fat", "slab_6_water")
    assert names(written) == [f"6000001_20201_2_0_{label}.nii.gz" for label in labels]
    image, mask = (nib.load(path) for path in (written[0], written[2]))
    assert mask.get_data_dtype() == np.uint8
    assert mask.shape == image.shape
    np.testing.assert_array_equal(mask.affine, image.affine)
    assert np.argwhere(mask.dataobj).min(axis=0).tolist() == [100, 80, 20]
    assert int(np.asarray(mask.dataobj).sum()) == 400


def test_export__takes_a_tree_of_masks(folder: Path, tmp_path: Path) -> None:
    """Of networks composed by hand, say, which nobody wrote; the same files as from the disk."""
    tree = open_masks(folder / "r.masks.zarr")
    places = {"disk": folder / "r.masks.zarr", "tree": tree}
    from_disk, from_tree = (export(folder / "s.zarr", 6000001, tmp_path / name, masks=places[name]) for name in places)
    assert names(from_tree) == names(from_disk)
    spine = names(from_tree).index("6000001_20201_2_0_spine.nii.gz")
    assert Path(from_tree[spine]).read_bytes() == Path(from_disk[spine]).read_bytes()


def test_export__refuses_masks_of_another_grid(folder: Path, tmp_path: Path) -> None:
    """They would lie beside what they are masks of."""
    shorter = open_masks(folder / "r.masks.zarr").isel(z=slice(40))
    with pytest.raises(StoreError, match=r"masks of slab_2 have \{'z': 40, .*, its images \{'z': 4\d, "):
        export(folder / "s.zarr", 6000001, tmp_path, masks=shorter)
    assert not [*tmp_path.iterdir()]


def test_export__writes_a_region_from_the_slab_in_which_it_lies(folder: Path, tmp_path: Path) -> None:
    """Looked for beside its own slab, it stands in several of the masks: the empty one must not be the last word."""
    masks = tmp_path / "r.masks.zarr"
    places = {2: ["spine", "femoral_head"], 6: ["spine", "femoral_head"]}
    create_masks(
        str(masks), eids=EIDS, shard=3, regions=places, models={"spine": "a", "femoral_head": "b"},
        attrs={"partition_size": 3},
    )  # fmt: skip
    mask = zarr.open_group(str(masks), mode="r+", use_consolidated=False)["slab_6/mask"]
    assert isinstance(mask, zarr.Array)
    mask[0, 1, 20:24, 80:90, 100:110] = 1
    consolidate(str(masks))
    written = export(folder / "s.zarr", 6000001, tmp_path / "nifti", masks=masks)
    held = {Path(path).name: np.asarray(nib.load(path).dataobj).shape[2] for path in written}
    assert held["6000001_20201_2_0_femoral_head.nii.gz"] == 64  # slices of slab 6
    assert held["6000001_20201_2_0_spine.nii.gz"] == 44  # it is nowhere, which its own slab says
    assert len(written) == 6


def test_export__writes_behind_urls(folder: Path, tmp_path: Path) -> None:
    """And says where."""
    written = export(folder / "s.zarr", 6000002, f"memory://{tmp_path.name}/nifti")
    assert written[0] == f"memory:///{tmp_path.name}/nifti/6000002_20201_2_0_slab_2_fat.nii.gz"
    content = fsspec.filesystem("memory").cat_file(f"/{tmp_path.name}/nifti/6000002_20201_2_0_slab_2_fat.nii.gz")
    assert nib.Nifti1Image.from_bytes(gzip.decompress(content)).shape == (224, 174, 42)


@pytest.mark.parametrize("eid", [6000009, -3])
def test_export__refuses_who_is_not_there(folder: Path, tmp_path: Path, eid: int) -> None:
    """Nor can a tombstone be exported; nothing is written."""
    with pytest.raises(StoreError, match=rf"participant {eid} is not among the 3 of .*s\.zarr; expected the EID"):
        export(folder / "s.zarr", eid, tmp_path)
    assert not list(tmp_path.iterdir())


def test_export__refuses_what_is_no_eid(folder: Path, tmp_path: Path) -> None:
    """A slip of the pen, not a fault of the program."""
    with pytest.raises(StoreError, match="'600000l' is no EID; expected its seven digits"):
        export(folder / "s.zarr", "600000l", tmp_path)


def test_export__refuses_who_has_no_slab(folder: Path, tmp_path: Path) -> None:
    """An archive that couldn't be read gives no file, and no silence."""
    store = shutil.copytree(folder / "s.zarr", tmp_path / "s.zarr")
    root = zarr.open_group(store, mode="r+")
    for name in ("slab_2/slab_status", "slab_6/slab_status"):
        status = root[name]
        assert isinstance(status, zarr.Array)
        status[1] = SLAB_STATUS["unreadable"]
    with pytest.raises(StoreError, match=r"participant 6000002 has no slab in .*bmx inspect tells"):
        export(store, 6000002, tmp_path)


def test_to_nifti__is_the_same_every_time() -> None:
    """No date inside: equal images give equal files."""
    volume = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    assert to_nifti(volume, np.eye(3, 4)) == to_nifti(volume, np.eye(3, 4))
