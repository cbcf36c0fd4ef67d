from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bmx.core.preparation import prepare
from bmx.errors import SourceError
from bmx.sources.header import SIMULATED_COMMENT
from bmx.training import read_examples
from bmx.training.nifti_examples import NiftiExamples
from tests.boxes import SPACING, affine_of, write_boxes
from tests.nifti import write_nifti

HEAD = "femoral_head"
BODY = (20, 60, 80)


def body() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fat, water and mask of a bright ellipse in air, with the marrow bright in fat: (20, 60, 80) voxels of slab 4."""
    z, y, x = np.indices(BODY)
    inside = ((y - 30) / 22) ** 2 + ((x - 40) / 30) ** 2 <= 1
    mask = (np.abs(z - 9) < 5) & (np.abs(y - 26) < 6) & (np.abs(x - 52) < 7)
    fat = np.where(mask, 600, np.where(inside, 150, 3)).astype(np.uint16)
    water = np.where(inside & ~mask, 300, 3).astype(np.uint16)
    return fat, water, mask


def write_body(folder: Path, *, axes: str = "LPS", comment: str = "") -> None:
    fat, water, mask = body()
    for name, volume in (("images/p_fat", fat), ("images/p_water", water), ("masks/p", mask.astype(np.uint8))):
        write_nifti(folder / f"{name}.nii.gz", volume, affine_of(SPACING), axes=axes, comment=comment)


def read(folder: Path, **options: object) -> NiftiExamples:
    return read_examples(folder / "images", folder / "masks", HEAD, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("axes", ["LPS", "RAS", "PIR", "ASL"])
def test_read_examples__of_a_dixon_pair_are_what_segment_would_see(tmp_path: Path, axes: str) -> None:
    """Whatever the axes of the files: sagittal or coronal, from either end."""
    write_body(tmp_path, axes=axes)
    volume, mask = read(tmp_path)[0]
    fat, water, true = body()
    expected, box = prepare(fat, water)
    np.testing.assert_array_equal(volume, expected.astype(np.float16))
    np.testing.assert_array_equal(mask, true[box])
    assert (volume.dtype, mask.dtype) == (np.float32, bool)
    assert volume.shape[1:] < BODY[1:]  # the empty background is gone


def test_read_examples__give_fat_alone_when_asked(tmp_path: Path) -> None:
    """As the paper has it."""
    write_body(tmp_path)
    fat, water, _ = body()
    volume, _ = read(tmp_path, contrast="fat")[0]
    np.testing.assert_array_equal(volume, prepare(fat, water, "fat").volume.astype(np.float16))


@pytest.mark.parametrize("factor", [(0.5, 0.5, 0.5), (0.25, 1.0, 2.0)])
def test_read_examples__are_resampled_to_the_region(tmp_path: Path, factor: tuple[float, ...]) -> None:
    """From finer voxels, and from those of a sagittal scan, back to the voxels that the network knows."""
    z, y, x = (max(round(1 / one), 1) for one in factor)
    coarse = 2 if factor[2] > 1 else 1
    spacing = tuple(mm * one for mm, one in zip(SPACING, factor, strict=True))
    fat, water, true = body()
    for name, volume in (("images/p_fat", fat), ("images/p_water", water), ("masks/p", true.astype(np.uint8))):
        other = volume.repeat(z, 0).repeat(y, 1).repeat(x, 2)[..., ::coarse]
        write_nifti(tmp_path / f"{name}.nii.gz", other, affine_of(spacing), comment="")
    volume, mask = read(tmp_path)[0]
    expected, box = prepare(fat, water)
    assert abs(np.array(volume.shape) - expected.shape).max() <= 4
    assert mask.sum() == pytest.approx(true.sum(), rel=0.12)
    assert volume[mask].mean() == pytest.approx(expected[true[box]].mean(), rel=0.1)


def test_read_examples__take_any_label_as_inside(tmp_path: Path) -> None:
    """Vertebrae are often numbered."""
    write_body(tmp_path)
    _, _, true = body()
    labels = true * (1 + np.indices(BODY)[0] // 5).astype(np.uint8)
    write_nifti(tmp_path / "masks" / "p.nii.gz", labels, affine_of(SPACING), comment="")
    assert read(tmp_path)[0][1].sum() == true.sum()


def test_read_examples__know_that_images_were_simulated(tmp_path: Path) -> None:
    """A model trained on exported simulation must not pass for one trained on people."""
    write_body(tmp_path / "real")
    write_body(tmp_path / "made", comment=SIMULATED_COMMENT)
    assert (read(tmp_path / "real").simulated, read(tmp_path / "made").simulated) == (False, True)


def test_read_examples__tell_all_that_is_wrong_at_once(tmp_path: Path) -> None:
    """Every kind of bad input, each with its own line."""
    write_boxes(tmp_path, 7)
    images, masks = tmp_path / "images", tmp_path / "masks"
    volume, mask = np.full((16, 32, 40), 100.0, np.float32), np.ones((16, 32, 40), np.uint8)
    write_nifti(masks / "a.nii.gz", mask[1:], affine_of(SPACING))
    write_nifti(masks / "b.nii.gz", mask, affine_of(SPACING, (40, 30, -17)))
    write_nifti(masks / "c.nii.gz", 0 * mask, affine_of(SPACING))
    volume[2, 3, 4:6] = np.nan
    write_nifti(images / "d.nii.gz", volume, affine_of(SPACING))
    (masks / "e.nii.gz").unlink()
    write_nifti(images / "f.nii.gz", np.zeros((16, 32, 40), np.int16), affine_of(SPACING))
    (images / "g.nii.gz").write_bytes(b"nothing")
    with pytest.raises(SourceError) as refused:
        read(tmp_path, contrast="fat")
    message = str(refused.value)
    assert message.startswith("7 of the files cannot be trained on:")
    for wrong in (
        "a.nii.gz: expected the grid of its image, 40 × 32 × 16 voxels (x, y, z), found 40 × 32 × 15",
        "b.nii.gz: expected the grid of its image, found one that lies up to 3.00 mm from it",
        "c.nii.gz: the mask is empty; draw it, or take the case out",
        "d.nii.gz: 2 of 20480 voxels are NaN or infinite",
        "e.nii.gz: no mask; expected e.nii.gz or e_femoral_head.nii.gz",
        "f.nii.gz: the image is 0 everywhere",
        "g.nii.gz: expected a NIfTI file, found 7 bytes",
    ):
        assert wrong in message, message
    assert len(message.splitlines()) == 8


def test_read_examples__refuse_folders_without_a_case(tmp_path: Path) -> None:
    """Empty, or not there at all."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    with pytest.raises(SourceError, match="found no image with a mask in"):
        read(tmp_path)
    with pytest.raises(SourceError, match=r"there is no folder .*nowhere; expected one of NIfTI files"):
        read_examples(tmp_path / "nowhere", tmp_path / "masks", HEAD)


def test_read_examples__refuse_a_region_that_is_none(tmp_path: Path) -> None:
    """Before anything is read."""
    with pytest.raises(ValueError, match=r"did you mean femoral_head\?"):
        read_examples(tmp_path, tmp_path, "femural_head")


def test_read_examples__take_what_lies_apart_for_one_place_if_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong origin in one header, as the real pair beside the project has it; the log says how far."""
    write_body(tmp_path)
    expected = read(tmp_path)[0]
    _, water, _ = body()
    write_nifti(tmp_path / "images/p_water.nii.gz", water, affine_of(SPACING, (0, 0, 0)), comment="")
    with pytest.raises(
        SourceError, match=r"p_water\.nii\.gz: expected the grid of its image, found one that lies up to"
    ):
        read(tmp_path)
    found = read(tmp_path, assume_aligned=True)[0]
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    assert "p_water.nii.gz: lies up to" in caplog.text


def test_read_examples__never_take_two_shapes_for_one(tmp_path: Path) -> None:
    write_body(tmp_path)
    _, water, _ = body()
    write_nifti(tmp_path / "images/p_water.nii.gz", water[1:], affine_of(SPACING), comment="")
    with pytest.raises(SourceError, match="80 × 60 × 20 voxels"):
        read(tmp_path, assume_aligned=True)


def test_read_examples__refuse_negative_magnitudes(tmp_path: Path) -> None:
    write_body(tmp_path)
    fat, _, _ = body()
    write_nifti(tmp_path / "images/p_fat.nii.gz", fat.astype(np.int16) - 10, affine_of(SPACING), comment="")
    with pytest.raises(SourceError, match=r"p_fat\.nii\.gz: images are magnitudes, .* found -7"):
        read(tmp_path)


def test_read_examples__refuse_negative_values_of_single_images(tmp_path: Path) -> None:
    """An image less its mean, or in Hounsfield units: brightness means something else there."""
    images, _ = write_boxes(tmp_path, 2)
    write_nifti(images / "b.nii.gz", np.full((16, 32, 40), -500, np.int16), affine_of(SPACING), comment="")
    with pytest.raises(SourceError, match=r"b\.nii\.gz: images are magnitudes, expected none below 0, found -500"):
        read(tmp_path, contrast="fat")


def test_read_examples__want_to_be_told_what_single_images_show(tmp_path: Path) -> None:
    """Otherwise images of fat would give a model that is shown F + W when it segments."""
    write_boxes(tmp_path / "single", 2)
    with pytest.raises(SourceError, match=r"images holds single images, .* say contrast='fat\+water' \(--input"):
        read(tmp_path / "single")
    assert read(tmp_path / "single", contrast="fat").contrast == "fat"
    write_body(tmp_path / "pair")
    assert read(tmp_path / "pair").contrast == "fat+water"


def test_read_examples__say_of_an_image_of_nan_what_is_wrong(tmp_path: Path) -> None:
    """Not a warning about a minimum of nothing."""
    write_body(tmp_path)
    write_nifti(tmp_path / "images/p_fat.nii.gz", np.full(BODY, np.nan, np.float32), affine_of(SPACING), comment="")
    with pytest.raises(SourceError, match=r"p_fat\.nii\.gz: 96000 of 96000 voxels are NaN or infinite"):
        read(tmp_path)


def test_read_examples__of_the_real_pair_with_a_wrong_origin(tmp_path: Path) -> None:
    """Refused with the difference; its water file lies at 0, 0, 0."""
    data = Path(__file__).parents[3] / "shared" / "data" / "lumbar_dixon"
    if not data.exists():
        pytest.skip("the real images lie beside the repository, not in it")
    for name, folder in (("fat", "images"), ("water", "images"), ("muscles", "masks")):
        (tmp_path / folder).mkdir(exist_ok=True)
        target = "TUM01_mask" if name == "muscles" else f"TUM01_{name}"
        (tmp_path / folder / f"{target}.nii.gz").symlink_to(data / f"TUM01_{name}.nii.gz")
    with pytest.raises(SourceError, match=r"TUM01_water\.nii\.gz: .* found one that lies up to \d+\.\d\d mm from it"):
        read_examples(tmp_path / "images", tmp_path / "masks", "spine")
    volume, mask = read_examples(tmp_path / "images", tmp_path / "masks", "spine", assume_aligned=True)[0]
    assert volume.shape == mask.shape
    assert mask.any()
