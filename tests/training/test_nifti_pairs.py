from __future__ import annotations

from pathlib import Path

import pytest

from bmx.regions import REGIONS
from bmx.training.nifti_pairs import find_pairs

SPINE, HEAD = REGIONS["spine"], REGIONS["femoral_head"]


def touch(folder: Path, *names: str) -> Path:
    """Empty files: names alone make pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def found(images: Path, masks: Path) -> dict[str, tuple[list[str], str]]:
    """File names by case; nothing may be wrong."""
    pairs, problems = find_pairs(images, masks, SPINE)
    assert problems == []
    return {pair.name: ([Path(image).name for image in pair.images], Path(pair.mask).name) for pair in pairs}


def test_find_pairs__matches_names_in_two_folders(tmp_path: Path) -> None:
    """The simplest way to keep them, in any subfolder, compressed or not."""
    images = touch(tmp_path / "images", "b.nii.gz", "old/a.nii", "notes.txt")
    masks = touch(tmp_path / "masks", "a.nii.gz", "b_spine.nii")
    assert found(images, masks) == {"a": (["a.nii"], "a.nii.gz"), "b": (["b.nii.gz"], "b_spine.nii")}


@pytest.mark.parametrize(("fat", "water"), [("fat", "water"), ("F", "W")])
def test_find_pairs__puts_fat_before_water(tmp_path: Path, fat: str, water: str) -> None:
    """Their order decides what a network of fat alone sees."""
    images = touch(tmp_path / "images", f"x_{water}.nii.gz", f"x_{fat}.nii.gz", "x_in.nii.gz", "x_opposed_phase.nii.gz")
    masks = touch(tmp_path / "masks", "x.nii.gz")
    assert found(images, masks) == {"x": ([f"x_{fat}.nii.gz", f"x_{water}.nii.gz"], "x.nii.gz")}


def test_find_pairs__reads_what_export_writes_in_one_folder(tmp_path: Path) -> None:
    """Other slabs, contrasts and regions lie beside it and are none of its business."""
    stem = "1000001_20201_2_0"
    folder = touch(
        tmp_path, *(f"{stem}_slab_{slab}_{c}.nii.gz" for slab in (2, 4) for c in ("fat", "water", "in_phase")),
        f"{stem}_spine.nii.gz", f"{stem}_femoral_head.nii.gz", f"{stem}_total_hip.nii.gz",
    )  # fmt: skip
    fat, water = (f"{stem}_slab_2_{contrast}.nii.gz" for contrast in ("fat", "water"))
    assert found(folder, folder) == {stem: ([fat, water], f"{stem}_spine.nii.gz")}
    pairs, _ = find_pairs(folder, folder, HEAD)
    assert "slab_4" in pairs[0].images[0]
    assert pairs[0].mask.endswith("_femoral_head.nii.gz")


@pytest.mark.parametrize("folders", [("all", "all"), ("images", "masks")])
def test_find_pairs__passes_over_masks_of_the_right_femur(tmp_path: Path, folders: tuple[str, str]) -> None:
    """`bmx export` writes them beside those of the left, which a model learns from."""
    stem = "1000001_20201_2_0"
    images = touch(tmp_path / folders[0], *(f"{stem}_slab_4_{contrast}.nii.gz" for contrast in ("fat", "water")))
    masks = touch(tmp_path / folders[1], f"{stem}_femoral_head.nii.gz", f"{stem}_femoral_head_right.nii.gz")
    pairs, problems = find_pairs(images, masks, HEAD)
    assert problems == []
    assert [Path(pair.mask).name for pair in pairs] == [f"{stem}_femoral_head.nii.gz"]


def test_find_pairs__knows_image_and_mask_by_their_suffix_in_one_folder(tmp_path: Path) -> None:
    """As many a published data set has them."""
    folder = touch(tmp_path, "01_image.nii.gz", "01_mask.nii.gz", "02_image.nii.gz", "02_mask.nii.gz")
    assert list(found(folder, folder)) == ["01", "02"]


def test_find_pairs__tells_all_that_is_wrong_with_names(tmp_path: Path) -> None:
    """Whoever drew forty masks wants one list, not forty runs."""
    images = touch(tmp_path / "i", "a.nii.gz", "b.nii.gz", "c_fat.nii.gz", "d.nii.gz", "d_fat.nii.gz", "e/b.nii")
    masks = touch(tmp_path / "m", "b.nii.gz", "c.nii.gz", "d.nii.gz", "z.nii.gz")
    pairs, problems = find_pairs(images, masks, SPINE)
    assert [pair.name for pair in pairs] == ["b"]
    for wrong in (
        r"a.nii.gz: no mask; expected a.nii.gz or a_spine.nii.gz",
        r"c_fat.nii.gz: its water image is missing",
        r"d.nii.gz: there is a fat or water image of the same name, too",
        r"z.nii.gz: no image; expected z.nii.gz, z_fat.nii.gz and z_water.nii.gz, or what `bmx export` writes",
        r"is of the same case; keep one of them",
    ):
        assert sum(wrong in problem for problem in problems) == 1, (wrong, problems)
    assert len(problems) == 5


def test_find_pairs__refuses_a_mixture_of_kinds(tmp_path: Path) -> None:
    """Fat + water of some, one contrast of others: a network would see two kinds of image."""
    images = touch(tmp_path / "i", "a.nii.gz", "b_fat.nii.gz", "b_water.nii.gz")
    masks = touch(tmp_path / "m", "a.nii.gz", "b.nii.gz")
    assert find_pairs(images, masks, SPINE)[1] == [
        "some cases have a fat and a water image, others a single one; train on one kind"
    ]
