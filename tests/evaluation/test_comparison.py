from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bmx
from bmx.acquisition import PIXEL_MM, SLABS
from bmx.core.agreement import compare_masks
from bmx.errors import SchemaError, SourceError
from bmx.evaluation.summary import regions_table, summarise, table2
from bmx.store.layout import consolidate
from bmx.store.results import create_masks, write_masks
from tests.boxes import affine_of
from tests.nifti import write_nifti

VOXEL = (2.0, 1.5, 1.0)


def box(length: int) -> np.ndarray:
    mask = np.zeros((8, 12, 16), np.uint8)
    mask[2:6, 3:9, 2 : 2 + length] = 1
    return mask


def write(folder: Path, lengths: dict[str, int], **how: object) -> Path:
    """Masks of boxes, by name."""
    for name, length in lengths.items():
        write_nifti(folder / f"{name}.nii.gz", box(length), affine_of(VOXEL), comment="", **how)  # type: ignore[arg-type]
    return folder


def test_evaluate__compares_folders_by_name(tmp_path: Path) -> None:
    """Case by case what the kernel says, on the voxels of the files, whichever way their axes lie."""
    masks = write(tmp_path / "m", {"a_spine": 8, "b_spine": 10, "a_total_hip": 0})
    reference = write(tmp_path / "r", {"a_spine": 10, "b_spine": 10, "a_total_hip": 5}, axes="RSA")
    cases = bmx.evaluate(masks, reference)
    assert cases[["region", "case"]].to_numpy().tolist() == [["spine", "a"], ["spine", "b"], ["total_hip", "a"]]
    for row, (drawn, true) in zip(cases.itertuples(), ((8, 10), (10, 10), (0, 5)), strict=True):
        expected = compare_masks(box(drawn), box(true), VOXEL)
        np.testing.assert_allclose(
            [row.dice, row.hausdorff95_mm, row.volume_error_ml, row.volume_error_percent],
            [expected.dice, expected.hausdorff95, expected.volume_error, expected.volume_error_percent],
        )
    assert cases["reason"].tolist() == ["", "", "the mask is empty"]


def test_evaluate__takes_the_region_of_plain_names_from_its_argument(tmp_path: Path) -> None:
    """`NAME` on one side and `NAME_mask` on the other are the same case."""
    masks, reference = write(tmp_path / "m", {"a": 8}), write(tmp_path / "r", {"a_mask": 8})
    assert bmx.evaluate(masks, reference, region="spine")["dice"].tolist() == [1.0]
    with pytest.raises(SourceError, match=r"a\.nii\.gz: its name doesn't say which region it is of"):
        bmx.evaluate(masks, reference)


def test_evaluate__logs_what_has_no_counterpart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A case that was never drawn must not vanish from a mean without a word."""
    masks, reference = write(tmp_path / "m", {"a_spine": 8}), write(tmp_path / "r", {"a_spine": 8, "b_spine": 8})
    with caplog.at_level(logging.WARNING):
        assert len(bmx.evaluate(masks, reference)) == 1
    assert [record.getMessage() for record in caplog.records] == [
        f"1 masks of {reference} have no counterpart and are left out: b_spine"
    ]


def test_evaluate__takes_no_image_for_a_mask(tmp_path: Path) -> None:
    """Two images of one person agree well; and what `bmx export` writes beside the masks is passed over."""
    image = np.arange(8 * 12 * 16, dtype=np.uint16).reshape(8, 12, 16)
    folders = [write(tmp_path / name, {"1_20201_2_0_spine": 8}) for name in ("a", "b")]
    for folder in folders:
        write_nifti(folder / "1_20201_2_0_slab_2_fat.nii.gz", image, affine_of(VOXEL))
    assert bmx.evaluate(*folders, region="spine")["case"].tolist() == ["1_20201_2_0"]
    write_nifti(folders[0] / "1_20201_2_0_spine.nii.gz", image, affine_of(VOXEL))
    with pytest.raises(SourceError, match="expected 0 outside and one number inside, found 1 to 1535; is it an image"):
        bmx.evaluate(*folders)


def test_evaluate__tells_all_files_that_lie_on_another_grid(tmp_path: Path) -> None:
    """By how much, in one message."""
    masks = write(tmp_path / "m", {"a_spine": 8, "b_spine": 8, "c_spine": 8})
    reference = write(tmp_path / "r", {"b_spine": 8})
    write_nifti(reference / "a_spine.nii.gz", box(8)[1:], affine_of(VOXEL))
    write_nifti(reference / "c_spine.nii.gz", box(8), affine_of(VOXEL, (40, 30, -18)))
    with pytest.raises(SourceError) as refused:
        bmx.evaluate(masks, reference)
    message = str(refused.value)
    assert message.startswith("2 of the masks can't be compared:")
    assert "12 × 7 voxels (x, y, z), found 16 × 12 × 8;" in message
    assert "found 16 × 12 × 8, 2.00 mm apart" in message


def test_evaluate__refuses_strangers(tmp_path: Path) -> None:
    """With an example of both."""
    masks, reference = write(tmp_path / "m", {"a_spine": 8}), write(tmp_path / "r", {"b_spine": 8})
    with pytest.raises(SourceError, match=r"no mask of the same name in common; .*a_spine.* and .*b_spine"):
        bmx.evaluate(masks, reference)
    with pytest.raises(SourceError, match=r"there is no folder .*nowhere"):
        bmx.evaluate(masks, tmp_path / "nowhere")


def test_evaluate__compares_trees_by_participant_and_region(toy_cohort: Callable) -> None:
    """On the protocol's voxels: a store of masks holds no affine."""
    _, masks = toy_cohort(participants=3)
    other = masks.copy(deep=True)
    hips = masks["slab_4"].to_dataset(inherit=False).compute()
    hips["mask"][0, 0] = 0
    hips["mask"][1, 0, 2:4] = 0
    other["slab_4"] = xr.DataTree(hips)
    cases = bmx.evaluate(other, masks)
    assert len(cases) == 3 * 4
    assert list(cases["region"].unique()) == ["spine", "femoral_head", "total_hip", "femoral_diaphysis"]
    drawn, true = (tree["slab_4"]["mask"].values[:, 0] for tree in (other, masks))
    heads = cases[cases["region"] == "femoral_head"].set_index("case")
    assert list(heads.index) == [str(eid) for eid in masks["participant"].values]
    for row, a, b in zip(heads.itertuples(), drawn, true, strict=True):
        expected = compare_masks(a, b, (SLABS[4].slice_mm, PIXEL_MM, PIXEL_MM))
        np.testing.assert_allclose(
            [row.dice, row.hausdorff95_mm, row.volume_ml],
            [expected.dice, expected.hausdorff95, expected.volume],
        )
    assert heads["reason"].iloc[0] == "the mask is empty"
    assert (cases[cases["region"] == "spine"]["hausdorff95_mm"] == 0).all()
    assert set(bmx.evaluate(other, masks, region="spine")["region"]) == {"spine"}


def across_slabs(masks: xr.DataTree) -> xr.DataTree:
    """The same masks as a search beside the slabs leaves them: every femoral region stands in slabs 4 and 5."""
    nodes = {name: node.to_dataset(inherit=False).compute() for name, node in masks.children.items()}
    nodes |= {"/": masks.to_dataset(inherit=False)}
    femur = [*nodes["slab_4"]["region"].values, *nodes["slab_5"]["region"].values]
    for name in ("slab_4", "slab_5"):
        nodes[name] = nodes[name].reindex(region=femur, fill_value=0)
    return xr.DataTree.from_dict(nodes)


def move_down(masks: xr.DataTree, row: int, region: str) -> None:
    """Lay a participant's box into slab 5 instead of slab 4."""
    above, below = (masks[name]["mask"].sel(region=region) for name in ("slab_4", "slab_5"))
    above[row] = 0
    below[row, 1:5, 1:6, 4:9] = 1


def test_evaluate__takes_a_region_of_several_slabs_as_one_case(toy_cohort: Callable) -> None:
    """The masks of a run hold each femoral region in slab 4 and in slab 5, empty in one of them."""
    _, masks = toy_cohort(participants=2)
    everywhere = across_slabs(masks)
    move_down(everywhere, 0, "total_hip")
    cases = bmx.evaluate(everywhere, everywhere)
    assert len(cases) == 2 * 4
    assert (cases["dice"] == 1).all()
    assert (cases["reason"] == "").all()
    known = {4: SLABS[4].slice_mm, 5: SLABS[5].slice_mm}
    hips = cases[cases["region"] == "total_hip"]["volume_ml"].to_numpy()
    np.testing.assert_allclose(hips, [100 * known[slab] * PIXEL_MM**2 / 1000 for slab in (5, 4)])


def test_evaluate__adds_what_lies_in_two_slabs(toy_cohort: Callable) -> None:
    """By volume; a distance needs both on one grid."""
    _, masks = toy_cohort(participants=2)
    reference, moved = across_slabs(masks), across_slabs(masks)
    for row in (0, 1):
        move_down(moved, row, "total_hip")
    moved["slab_4"]["mask"][1] = reference["slab_4"]["mask"][1]  # drawn twice
    hips = bmx.evaluate(moved, reference, region="total_hip")
    thick, thin = SLABS[4].slice_mm, SLABS[5].slice_mm
    np.testing.assert_allclose(hips["dice"], [0, 2 * thick / (2 * thick + thin)])
    assert hips["hausdorff95_mm"].isna().all()
    assert set(hips["reason"]) == {"parts lie in different slabs"}


def test_evaluate__says_that_a_mask_lies_where_the_reference_has_none(toy_cohort: Callable) -> None:
    """The truth has each region in its own slab alone: a hip drawn beside it is neither empty nor wrong."""
    _, masks = toy_cohort(participants=2)
    moved = across_slabs(masks)
    move_down(moved, 0, "total_hip")
    for pair, who, other in ((moved, masks), "the mask", "the reference lacks"), ((masks, moved), "the reference", ""):
        hips = bmx.evaluate(*pair, region="total_hip")
        assert hips["dice"].isna().tolist() == [True, False]
        assert hips["dice"][1] == 1
        assert hips["reason"][0].startswith(f"{who} lies in slab_5, where {other}")
        assert hips["reason"][1] == ""
        assert (hips[["volume_ml", "reference_ml"]] > 0).all(axis=None)


def test_evaluate__logs_who_is_in_one_tree_alone(toy_cohort: Callable, caplog: pytest.LogCaptureFixture) -> None:
    """As for files."""
    _, masks = toy_cohort(participants=3)
    with caplog.at_level(logging.WARNING):
        cases = bmx.evaluate(masks, masks.isel(participant=[1]), region="spine")
    assert len(cases) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "2 masks of the first tree have no counterpart and are left out: 1000000_spine, 1000002_spine"
    ]


def write_store(path: Path, lengths: dict[int, int]) -> Path:
    """A store as a run writes it: boxes in the diaphysis of participants."""
    drawn = np.zeros((len(lengths), 1, *SLABS[5].stored_shape), np.uint8)
    for row, length in enumerate(lengths.values()):
        drawn[row, 0, 2:6, 3:9, 2 : 2 + length] = 1
    models, attrs = {"femoral_diaphysis": "0" * 32}, {"partition_size": 2, "simulated": True, "models_simulated": True}
    create_masks(str(path), eids=list(lengths), shard=2, regions={5: [*models]}, models=models, attrs=attrs)
    dims = ("participant", "region", "z", "y", "x")
    write_masks(str(path), xr.DataTree.from_dict({"slab_5": xr.Dataset({"mask": (dims, drawn)})}), start=0)
    consolidate(str(path))
    return path


def test_evaluate__compares_stores_and_refuses_a_store_and_a_folder(tmp_path: Path) -> None:
    """By EID, whatever their order; and only what both have."""
    masks = write_store(tmp_path / "masks.zarr", {1000001: 4, 1000002: 8})
    reference = write_store(tmp_path / "reference.zarr", {1000002: 6, 1000001: 4, 1000003: 1})
    found = bmx.evaluate(masks, str(reference)).set_index("case")["dice"]
    assert found.to_dict() == {"1000001": 1.0, "1000002": pytest.approx(2 * 6 / (6 + 8))}
    with pytest.raises(SchemaError, match="have no spine in common; found femoral_diaphysis"):
        bmx.evaluate(masks, reference, region="spine")
    files = write(tmp_path / "files", {"a_spine": 8})
    with pytest.raises(SchemaError, match=r"files is a folder and .*masks\.zarr a store; expected two of a kind"):
        bmx.evaluate(files, masks)
    with pytest.raises(SchemaError, match="files is no store; expected two stores"):
        bmx.evaluate(masks, files)


def test_evaluate__takes_the_truth_of_a_simulation(simulated: Path) -> None:
    """It is laid out as masks are, with more beside them."""
    cases = bmx.evaluate(simulated / "truth.zarr", simulated / "truth.zarr")
    assert cases["region"].tolist() == ["femoral_diaphysis"] * 4
    assert cases.loc[cases["reason"] == "", "dice"].eq(1).all()


def cases() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "region": ["spine", "spine", "femoral_diaphysis", "spine"],
            "case": list("abcd"),
            "dice": [0.9, 0.8, 0.7, np.nan],
            "hausdorff95_mm": [2.0, 4.0, 9.0, np.nan],
            "volume_error_ml": [1.0, -2.0, 0.5, 0.0],
            "volume_error_percent": [2.0, -4.0, 5.0, np.nan],
            "reason": ["", "", "", "both masks are empty"],
        }
    )


def test_summarise__leaves_missing_values_out_and_counts_them() -> None:
    """n says how many cases there are, dice_n how many have a Dice."""
    table = summarise(cases())
    assert list(table.index) == ["spine", "femoral_diaphysis"]
    spine = table.loc["spine"]
    assert (spine["n"], spine["dice_n"], spine["dice_worst"], spine["volume_error_ml_worst"]) == (3, 2, 0.8, -2.0)
    assert spine["dice_mean"] == pytest.approx(0.85)
    assert spine["dice_sd"] == pytest.approx(np.std([0.9, 0.8], ddof=1))
    assert np.isnan(table.loc["femoral_diaphysis", "dice_sd"])


def test_table2__has_the_paper_s_numbers_above_ours() -> None:
    """Models by regions, as printed; one case has no spread, a region without masks a dash."""
    table = table2(cases(), name="bmx")
    assert list(table.columns) == ["Spine", "Femoral head", "Total Hip", "Femoral Diaphysis"]
    assert table.to_numpy().tolist() == [
        ["0.925", "0.951", "0.904", "0.690"],
        ["0.912", "0.945", "0.912", "0.866"],
        ["0.850 ± 0.071", "–", "–", "0.700"],
    ]


def test_regions_table__says_how_many_masks_were_empty() -> None:
    """A mean that leaves cases out says so."""
    table = regions_table(cases())
    assert table.loc["spine", "Dice"] == "0.850 ± 0.071 (0.800)"
    assert table.loc["spine", "empty"] == "1"
    assert table.loc["femoral diaphysis", "HD95, mm"] == "9.0 (9.0)"


def test_regions_table__counts_no_mask_as_empty_that_lies_in_another_slab() -> None:
    """It was drawn, and only can't be compared there."""
    apart = cases().assign(reason=["", "", "the mask lies in slab_4, where the reference lacks the region", ""])
    apart.loc[3, "reason"] = "parts lie in different slabs"
    table = regions_table(pd.concat([cases(), apart]))
    assert table["empty"].to_dict() == {"spine": "1", "femoral diaphysis": "0"}
    assert table["apart"].to_dict() == {"spine": "1", "femoral diaphysis": "1"}
