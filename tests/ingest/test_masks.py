from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr
from distributed import Client

import bmx
from bmx.errors import SchemaError, SourceError
from bmx.evaluation.truth import dice_per_participant
from bmx.ingest.masks import read_masks
from bmx.schema import validate
from bmx.store.exporting import export
from bmx.store.reading import open_store
from bmx.variables import QC_CAUSE, QC_OUTCOME, SLAB_STATUS
from tests.cohorts import make_store
from tests.conftest import make_toy_cohort
from tests.exams import affine, images
from tests.nifti import write_nifti

EIDS = (1000001, 1000002, 1000003)
SPINE = "1000002_20201_2_0_spine.nii.gz"


@pytest.fixture(scope="module")
def slabs(tmp_path_factory: pytest.TempPathFactory, threads: Client) -> xr.DataTree:
    return open_store(make_store(tmp_path_factory.mktemp("masks"), EIDS, slabs=(2, 5), client=threads))


def box(z: slice = slice(10, 20), y: slice = slice(60, 90), x: slice = slice(100, 130)) -> npt.NDArray[np.uint8]:
    """A mask on the native grid of slab 2."""
    mask = np.zeros((44, 174, 224), np.uint8)
    mask[z, y, x] = 1
    return mask


def spine_of(masks: xr.DataTree, eid: int) -> npt.NDArray[np.uint8]:
    found: npt.NDArray[np.uint8] = masks["slab_2/mask"].sel(participant=eid, region="spine").to_numpy()
    return found


def shifted(x: float = 0, y: float = 0, z: float = 0) -> npt.NDArray[np.float64]:
    """The affine of slab 2, begun so many voxels further."""
    moved = affine(2).copy()
    moved[:, 3] += moved[:, :3] @ [x, y, z]
    return moved


def refusal(folder: Path, slabs: xr.DataTree) -> str:
    """What a mask is refused with, whether at once or when it is computed."""
    with pytest.raises(SourceError) as refused:
        read_masks(folder, slabs)["slab_2/mask"].compute()
    return str(refused.value)


@pytest.mark.parametrize("axes", ["LPS", "RAS", "PIR", "SAL"])
def test_read_masks__brings_any_axes_onto_the_grid(tmp_path: Path, slabs: xr.DataTree, axes: str) -> None:
    """Drawn in a program with its own favourite order; exactly the same voxels."""
    mask = box()
    mask[15, 70, 110:120] = 0  # no symmetric shape: a flip would show
    write_nifti(tmp_path / SPINE, mask, affine(2), axes=axes)
    masks = read_masks(tmp_path, slabs)
    found = spine_of(masks, 1000002)
    assert found.shape == (46, 174, 224)
    np.testing.assert_array_equal(found[:44], mask)
    assert not found[44:].any()
    assert not spine_of(masks, 1000001).any()


def test_read_masks__takes_a_crop_or_a_margin_of_whole_voxels(tmp_path: Path, slabs: xr.DataTree) -> None:
    """Programs save the bounding box of what was drawn, or add a border."""
    write_nifti(tmp_path / SPINE, box()[5:30, 50:100, 90:140], shifted(90, 50, 5), axes="RAS")
    np.testing.assert_array_equal(spine_of(read_masks(tmp_path, slabs), 1000002)[:44], box())
    write_nifti(tmp_path / SPINE, np.pad(box(), ((1, 3), (2, 2), (4, 0))), shifted(-4, -2, -1))
    np.testing.assert_array_equal(spine_of(read_masks(tmp_path, slabs), 1000002)[:44], box())


def test_read_masks__is_laid_out_like_the_masks_of_a_run(
    tmp_path: Path, slabs: xr.DataTree, max_computes: Callable
) -> None:
    """Two regions of two slabs, nothing computed; chunks are the store's partitions."""
    write_nifti(tmp_path / SPINE, box(), affine(2))
    shaft = np.zeros((72, 162, 224), np.uint8)
    shaft[30:40, 80:85, 60:66] = 1
    write_nifti(tmp_path / "1000003_20201_2_0_femoral_diaphysis.nii", shaft, affine(5))
    with max_computes(0):
        masks = read_masks(tmp_path, slabs)
    validate(masks, "participant", "mask")
    assert sorted(masks.children) == ["slab_2", "slab_5"]
    assert masks["slab_5/mask"].chunks[0] == slabs["slab_5/fat"].chunks[0]
    assert masks["slab_5"]["region"].to_numpy().tolist() == ["femoral_diaphysis"]
    assert masks["participant"].to_numpy().tolist() == list(EIDS)
    assert masks.attrs["models_simulated"] is False
    assert masks["slab_5/mask"].sum(["z", "y", "x"]).to_numpy().ravel().tolist() == [0, 0, 300]


def test_read_masks__are_measured(tmp_path: Path, slabs: xr.DataTree) -> None:
    """From files to fat fraction: the value that the voxels inside say, and a reason where nobody drew."""
    write_nifti(tmp_path / SPINE, box() * 7, affine(2), axes="RAS")
    results = bmx.measure(slabs, masks=bmx.read_masks(tmp_path, slabs), recipe="none").compute()
    made = images(2, seed=1000002)
    inside = (slice(10, 20), slice(61, 89), slice(101, 129))  # eroded in plane by one voxel
    fat, water = (made[name][inside].astype(float) for name in ("fat", "water"))
    here = results.sel(participant=1000002, region="spine")
    np.testing.assert_allclose(here["bmff"], (100 * fat / (fat + water)).mean(), rtol=1e-5)
    assert int(here["voxels"]) == 9000
    assert str(here["model"].values) == "manual"
    others = results.drop_sel(participant=1000002).sel(region="spine")
    assert others["reason"].to_numpy().tolist() == ["no mask was given"] * 2
    assert others["volume"].isnull().all()


def test_read_masks__of_some_leaves_the_others_out_of_all_failures(tmp_path: Path, slabs: xr.DataTree) -> None:
    """Forty masks of a thousand people are no epidemic of bones that nobody finds."""
    write_nifti(tmp_path / SPINE, box(), affine(2))
    empty = tmp_path / SPINE.replace("1000002", "1000003")
    write_nifti(empty, np.zeros_like(box()), affine(2))
    judged = bmx.qc.flag(bmx.measure(slabs, masks=read_masks(tmp_path, slabs))).compute().sel(region=["spine"])
    assert judged["qc_outcome"][:, 0].to_numpy().tolist() == [
        QC_OUTCOME[name] for name in ("not_attempted", "ok", "empty")
    ]  # fmt: skip
    assert judged["qc_cause"][:, 0].to_numpy().tolist() == [
        QC_CAUSE[name] for name in ("none", "none", "skeletal_abnormality")
    ]  # fmt: skip
    told = bmx.qc.table3(judged)
    assert told.numbers.loc[("spine", "Empty"), "Both"] == 1
    assert "1 values have no mask that could have failed" in str(told)
    sexes = xr.Dataset({"sex": ("participant", np.array(["Female"] * 3, object))}, {"participant": judged.participant})
    gone = slabs.copy()
    spine = gone["slab_2"].to_dataset(inherit=False)
    status = spine["slab_status"].copy(data=np.array([SLAB_STATUS["withdrawn"], *spine["slab_status"].to_numpy()[1:]]))
    gone["slab_2"] = xr.DataTree(spine.assign(slab_status=status.astype(np.uint8)))
    buried = bmx.qc.flag(bmx.measure(gone, masks=read_masks(tmp_path, gone))).compute().sel(region=["spine"])
    assert bmx.qc.table3(buried).withdrawn == 1
    found = bmx.qc.missingness(judged, sexes, by=["sex"])
    assert found[["n", "missing"]].to_numpy().tolist() == [[2, 1], [2, 1]]


def test_evaluate__leaves_out_of_whom_nobody_drew_a_mask(tmp_path: Path, slabs: xr.DataTree) -> None:
    """Their reference isn't empty; they are no cases."""
    write_nifti(tmp_path / SPINE, box(), affine(2))
    drawn = read_masks(tmp_path, slabs)
    found = bmx.evaluate(drawn.map_over_datasets(lambda node: node.drop_vars("given", errors="ignore")), drawn)
    assert found["case"].tolist() == ["1000002"]
    assert dice_per_participant(drawn, drawn).isnull().to_numpy().ravel().tolist() == [True, False, True]


def test_read_masks__reads_back_what_export_wrote(tmp_path: Path, threads: Client, slabs: xr.DataTree) -> None:
    """Images of slabs in the same folder are no masks."""
    store = make_store(tmp_path / "one", [1000002], slabs=(2,), client=threads)
    files = export(store, 1000002, tmp_path / "drawn")
    assert len(files) == 2
    template = nib.load(next(file for file in files if file.endswith("fat.nii.gz")))
    drawn = nib.Nifti1Image(box().transpose(2, 1, 0), template.affine)
    drawn.to_filename(tmp_path / "drawn" / SPINE)
    np.testing.assert_array_equal(spine_of(read_masks(tmp_path / "drawn", slabs), 1000002)[:44], box())


def test_read_masks__says_which_files_it_leaves_out(
    tmp_path: Path, slabs: xr.DataTree, caplog: pytest.LogCaptureFixture
) -> None:
    """Whose mask has another name, or is of another visit, would be told that nobody drew one."""
    write_nifti(tmp_path / SPINE, box(), affine(2))
    write_nifti(tmp_path / SPINE.replace("_spine", "_slab_2_fat"), box(), affine(2))  # an image, and no mask
    read_masks(tmp_path, slabs)
    assert not caplog.messages
    write_nifti(tmp_path / SPINE.replace("_2_0_", "_3_0_"), box(), affine(2))
    write_nifti(tmp_path / "1000001_spine.nii.gz", box(), affine(2))
    (tmp_path / "1000003_20201_2_0_spine.nrrd").touch()
    read_masks(tmp_path, slabs)
    misnamed, others = caplog.messages
    assert misnamed.startswith("2 files below ")
    assert misnamed.endswith(
        "are left out, their names are not those of EID_20201_2_0_REGION.nii.gz files "
        "(1000001_spine.nii.gz, 1000003_20201_2_0_spine.nrrd)"
    )
    assert others.endswith("are left out, they are of other instances than 2 (1000002_20201_3_0_spine.nii.gz)")


@pytest.mark.parametrize(
    ("moved", "message"),
    [
        (shifted(0.4), "shifted by 0.400 × 0.000 × 0.000 voxels (x, y, z) from it, 0.89 mm at most"),
        (shifted(0, 0, 3.2), "shifted by 0.000 × 0.000 × 0.200 voxels (x, y, z) from it, 0.90 mm at most"),
        (affine(2) * [1, 1, 4 / 4.5, 1], "expected voxels of 2.232 × 2.232 × 4.500 mm as the slab has them, found"),
    ],
    ids=["part of a voxel", "part of a slice", "other slices"],
)
def test_read_masks__refuses_another_grid(
    tmp_path: Path, slabs: xr.DataTree, moved: npt.NDArray[np.float64], message: str
) -> None:
    """Never resampled; the difference is told, and what to do."""
    write_nifti(tmp_path / SPINE, box(), moved)
    assert message in refusal(tmp_path, slabs)
    assert "masks are never resampled" in refusal(tmp_path, slabs)


def test_read_masks__refuses_a_tilted_grid(tmp_path: Path, slabs: xr.DataTree) -> None:
    """Three degrees about the long axis of the body."""
    angle = np.deg2rad(3)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    write_nifti(tmp_path / SPINE, box(), turn @ affine(2))
    assert "found one tilted by 3.00°, and shifted" in refusal(tmp_path, slabs)


def test_read_masks__lists_all_that_dont_fit_before_anything_is_computed(tmp_path: Path, slabs: xr.DataTree) -> None:
    """Headers are cheap: nobody should find them out one by one."""
    for eid in EIDS:
        write_nifti(tmp_path / f"{eid}_20201_2_0_spine.nii.gz", box(), shifted(0.5 * (eid != 1000003)))
    with pytest.raises(SourceError, match="masks that don't fit their slabs") as refused:
        read_masks(tmp_path, slabs)
    assert [str(eid) in str(refused.value) for eid in EIDS] == [True, True, False]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m + 2 * np.roll(m, 40, axis=2), "of 0 and 1 (or 0 and one other whole label), found 0, 1, 2"),
        (lambda m: m * np.float32(0.5), "found 0, 0.5"),
        (lambda m: np.where(m, np.nan, 0).astype(np.float32), "found 0, nan"),
        (lambda m: -m.astype(np.int16), "found -1, 0"),
    ],
    ids=["two labels", "probabilities", "nan", "negative"],
)
def test_read_masks__refuses_what_is_no_mask(
    tmp_path: Path, slabs: xr.DataTree, change: Callable, message: str
) -> None:
    """Several labels in one file can't be told apart by us; a probability needs a threshold that isn't ours."""
    write_nifti(tmp_path / SPINE, change(box()), affine(2))
    assert message in refusal(tmp_path, slabs)


def test_read_masks__refuses_voxels_outside_the_slab(tmp_path: Path, slabs: xr.DataTree) -> None:
    """In a margin, or on a slice that the store adds: there is no image there."""
    write_nifti(tmp_path / SPINE, box(z=slice(42, 44)), shifted(z=1))
    assert "900 of 1800 voxels lie outside the slab's 44 × 174 × 224 (z, y, x)" in refusal(tmp_path, slabs)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("1000009_20201_2_0_spine.nii.gz", "masks of participants that aren't in the store: 1000009; expected"),
        ("1000001_20201_2_0_femural_head.nii.gz", "no region is called 'femural_head'.*did you mean femoral_head"),
        ("1000001_20201_2_0_total_hip.nii.gz", r"lacks the slabs of masks that were given: total_hip \(slab 4\)"),
        ("more/" + SPINE, "participant 1000002 has two masks of spine: .* and .*; keep one of them"),
    ],
)
def test_read_masks__refuses_names_that_would_get_lost(
    tmp_path: Path, slabs: xr.DataTree, name: str, message: str
) -> None:
    """A mask that vanishes without a word is a participant less in the paper."""
    for file in (SPINE, name):
        write_nifti(tmp_path / file, box(), affine(2))
    with pytest.raises(SourceError, match=message):
        read_masks(tmp_path, slabs)


def test_read_masks__says_that_there_is_none(tmp_path: Path, slabs: xr.DataTree) -> None:
    """The wrong folder, and the wrong visit."""
    with pytest.raises(SourceError, match=r"there is nothing at .*nowhere; expected a folder of EID_20201_2_0_REGION"):
        read_masks(tmp_path / "nowhere", slabs)
    write_nifti(tmp_path / "1000002_20201_3_0_spine.nii", box(), affine(2))
    with pytest.raises(SourceError, match=r"REGION among spine, .*; found none \(1 of other instances\)"):
        read_masks(tmp_path, slabs)
    (tmp_path / "spine.nrrd").touch()
    with pytest.raises(SourceError, match=r"\(1 of other instances; 1 files with other names: spine.nrrd\)"):
        read_masks(tmp_path, slabs)
    with pytest.raises(SchemaError, match="affine"):
        read_masks(tmp_path, xr.DataTree(slabs.to_dataset()))


def test_read_masks__of_a_slab_that_is_absent_are_empty(
    tmp_path: Path, slabs: xr.DataTree, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing can be measured there, and the results say so; the log names the file."""
    without = slabs["slab_2"].to_dataset(inherit=False).copy()
    without["affine"] = without["affine"].copy(data=np.where([[[0]], [[1]], [[0]]], np.nan, without["affine"]))
    tree = xr.DataTree.from_dict({"/": slabs.to_dataset(), "slab_2": without})
    write_nifti(tmp_path / SPINE, box(), affine(2))
    assert not spine_of(read_masks(tmp_path, tree), 1000002).any()
    assert f"{SPINE} can't be measured: the store has no slab_2 of its participant" in caplog.text


def test_read_masks__waits_with_headers_where_affines_are_lazy(tmp_path: Path, max_computes: Callable) -> None:
    """A tree of Dask arrays is not computed for a check; what doesn't fit is refused when it is."""
    slabs, masks = make_toy_cohort(participants=2)
    place = slabs["slab_2/affine"][1].to_numpy()
    drawn = masks["slab_2/mask"][1, 0].to_numpy()[:-1]  # the last slice isn't native
    file = tmp_path / "1000001_20201_2_0_spine.nii.gz"
    write_nifti(file, drawn, place)
    with max_computes(0):
        found = read_masks(tmp_path, slabs)
    np.testing.assert_array_equal(found["slab_2/mask"][1], masks["slab_2/mask"][1])
    assert not found["slab_2/mask"][0].any()
    place[0, 3] += 1
    write_nifti(file, drawn, place)
    with max_computes(0):
        found = read_masks(tmp_path, slabs)
    with pytest.raises(SourceError, match=r"shifted by 0\.500|shifted by -0\.500"):
        found["slab_2/mask"].compute()
