from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from matplotlib.axes import Axes

from bmx.errors import SchemaError, SourceError
from bmx.plot.comparison import beside
from bmx.plot.pieces import real_piece, simulated_piece
from bmx.plot.real import read_middle_slice
from bmx.plot.stations import Station
from tests.exams import make_exam, members
from tests.plot.images import EIDS, labelled, whole_body, without

REAL = Path(__file__).parents[2] / "../shared/data"

Files = dict[str, Path]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A body of 60 mm across and 30 mm from front to back; brighter on the patient's left and in front."""
    volume = np.zeros((50, 40, 7), np.float32)  # x to Right, y to Anterior
    volume[10:40, 10:25, 1:6] = 100
    volume[10:20, 20:25, 1:6] = 200
    made = {}
    for name, affine in (("fat", np.diag([2.0, 2, 4, 1])), ("water", np.diag([2.0, 2, 4, 1]))):
        made[name] = tmp_path / f"{name}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(volume, affine), made[name])
    return made


def scale(axes: Axes) -> tuple[float, float]:
    """Millimetres an inch, across and upright."""
    inches = axes.get_position().size * axes.figure.get_size_inches()
    return abs(np.ptp(axes.get_xlim())) / inches[0], abs(np.ptp(axes.get_ylim())) / inches[1]


def test_beside__puts_equal_millimetres_side_by_side(files: Files) -> None:
    slabs, _ = whole_body()
    figure = beside(slabs, labelled(slabs), real={"L3": files, "femur_left": {"fat": files["fat"]}})
    assert len(figure.axes) == 6
    for row in (figure.axes[:4], figure.axes[4:]):
        first = scale(row[0])
        assert first[0] == pytest.approx(first[1], rel=0.001)
        for axes in row:
            assert axes.get_aspect() == 1
            assert scale(axes) == pytest.approx(first)
    headings = [text.get_text() for text in figure.texts]
    assert headings.count("Fat, real") == 2
    assert headings.count("Water, simulated") == 1
    assert "L3" in headings


def test_beside__shows_the_slice_through_the_bone(files: Files) -> None:
    """Fat of slab n is 100 n: L3 lies in slab 3, the femur in slab 5."""
    slabs, _ = whole_body()
    for number in range(1, 7):
        slabs[f"slab_{number}"]["fat"][:] += np.arange(12, dtype=np.uint16)[:, None, None]
    real = {bone: {"fat": files["fat"]} for bone in ("L3", "femur_left")}
    figure = beside(slabs, labelled(slabs), real=real, eid=EIDS[1])
    brightest = [int(axes.images[0].get_array().max()) for axes in figure.axes]
    assert brightest == [200, 300 + 2, 200, 500 + 8]


def test_beside__has_a_window_for_each_image(files: Files) -> None:
    slabs, _ = whole_body()
    figure = beside(slabs, labelled(slabs), real={"L3": {"fat": files["fat"]}})
    assert [axes.images[0].get_clim() for axes in figure.axes] == [(0, 200), (0, 300)]


def test_beside__says_what_is_wrong(files: Files) -> None:
    slabs, masks = whole_body()
    truth = labelled(slabs)
    with pytest.raises(ValueError, match=r"no bone 'L33'; expected one of .*did you mean L3"):
        beside(slabs, truth, real={"L33": files})
    with pytest.raises(ValueError, match="no contrast is called 'fatt'"):
        beside(slabs, truth, real={"L3": {"fatt": files["fat"]}})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="at least one real image for each bone"):
        beside(slabs, truth, real={"L3": {}})
    with pytest.raises(KeyError, match="participant 7 is not in the slabs"):
        beside(slabs, truth, real={"L3": files}, eid=7)
    with pytest.raises(SchemaError, match="holds no labels of bones"):
        beside(slabs, masks, real={"L3": files})
    with pytest.raises(SourceError, match="no slab of participant 1000000 holds L3"):
        beside(without(slabs, 3, row=0), truth, real={"L3": files})


def test_read_middle_slice__turns_it_towards_the_feet(files: Files) -> None:
    """However the file stores it: Right at the left, Anterior at the top."""
    plain = read_middle_slice(files["fat"])
    assert plain.pixels.shape == (40, 50)
    assert plain.pixel_mm == (2, 2)
    rows, columns = np.nonzero(plain.pixels == 200)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (15, 19, 30, 39)

    image = nibabel.load(files["fat"])
    turned = files["fat"].with_name("turned.nii.gz")
    nibabel.save(image.as_reoriented([[1, -1], [0, -1], [2, -1]]), turned)
    np.testing.assert_array_equal(read_middle_slice(turned).pixels, plain.pixels)


def test_read_middle_slice__reads_a_folder_of_dicom(tmp_path: Path) -> None:
    contents = members(make_exam(tmp_path, 1000001, contrasts=("fat",)))
    folder = tmp_path / "series"
    folder.mkdir()
    for name, content in contents.items():
        if name.endswith(".dcm"):
            (folder / name).write_bytes(content)
    found = read_middle_slice(folder)
    assert found.pixels.shape == (174, 224)
    # The pattern of tests.exams: 100 + 10 z + 3 (y % 7) + x % 5 and so on.
    assert found.pixels[0, 5] - found.pixels[0, 4] == -4
    assert found.pixel_mm == pytest.approx((2.232143, 2.232143))


def test_read_middle_slice__passes_by_empty_slices(tmp_path: Path) -> None:
    volume = np.zeros((4, 4, 9), np.float32)
    volume[1, 1, 7] = 3
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "one.nii")
    assert read_middle_slice(tmp_path / "one.nii").pixels.max() == 3
    nibabel.save(nibabel.Nifti1Image(volume * 0, np.eye(4)), tmp_path / "none.nii")
    with pytest.raises(SourceError, match=r"all slices of .* are empty"):
        read_middle_slice(tmp_path / "none.nii")


def test_read_middle_slice__says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no image at"):
        read_middle_slice(tmp_path / "nothing.nii")
    (tmp_path / "text.nii").write_text("no image")
    with pytest.raises(SourceError, match="can't be read as NIfTI"):
        read_middle_slice(tmp_path / "text.nii")
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4), np.float32), np.eye(4)), tmp_path / "flat.nii")
    with pytest.raises(SourceError, match="has 2 dimensions, expected 3"):
        read_middle_slice(tmp_path / "flat.nii")


def test_real_piece__needs_one_grid(files: Files, tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.eye(9, dtype=np.float32)[..., None], np.eye(4)), tmp_path / "small.nii")
    with pytest.raises(SourceError, match="must have one grid"):
        real_piece({"fat": files["fat"], "water": tmp_path / "small.nii"})


@pytest.mark.skipif(not REAL.is_dir(), reason="the real images lie beside the repository, not in it")
def test_real_piece__finds_people() -> None:
    """A trunk is a third to half a metre wide and flatter than wide; the thigh is nearly round."""
    trunk = real_piece(
        {"fat": REAL / "lumbar_dixon/TUM01_fat.nii.gz", "water": REAL / "lumbar_dixon/TUM01_water.nii.gz"}
    )
    abdomen = real_piece({"in_phase": REAL / "abdomen_dual_echo_dicom/inphase"})
    thigh = real_piece({"fat": REAL / "thigh_fat_fraction/fat.nii.gz"})
    for height, width in (trunk.size, abdomen.size):
        assert 150 < height < 0.8 * width
        assert 280 < width < 500
    assert 150 < min(thigh.size) < max(thigh.size) < 230


def test_simulated_piece__is_one_leg_even_where_both_touch() -> None:
    """Two discs of 60 mm across that touch in the middle; the left one is wanted."""
    y, x = np.mgrid[:60, :80]
    discs = (np.hypot(y - 30, x - 24.5) < 15.5) | (np.hypot(y - 30, x - 54.5) < 15.5)
    image = np.broadcast_to(400 * discs, (3, 60, 80)).astype(np.uint16)
    station = Station("slab_5", np.array([[-2.0, 0, 0, 79], [0, -2.0, 0, 59], [0, 0, 4, 0]]), {"fat": image})
    leg = simulated_piece(station, (1, 30, 56), ("fat",))
    assert leg.size == pytest.approx((62, 60), abs=4)
    assert leg.middle == pytest.approx((61, 110), abs=4)
    whole = simulated_piece(
        Station("slab_2", station.affine, {"fat": image[..., :40].repeat(2, -1)}), (1, 30, 40), ("fat",)
    )
    assert whole.size[1] > 100
