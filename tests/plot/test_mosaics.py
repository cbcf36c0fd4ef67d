from __future__ import annotations

import subprocess
import sys
from io import BytesIO

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.image import imread

import bmx
from bmx.acquisition import CONTRASTS
from bmx.errors import SchemaError, SourceError
from bmx.plot.mosaics import LEVELS, mosaic
from tests.conftest import make_toy_cohort
from tests.plot.images import EIDS, whole_body, without

COLUMNS = len(LEVELS)


def wholes(figure: Figure) -> list[Axes]:
    """Coronal and sagittal panel of each contrast."""
    return figure.axes[: 2 * len(CONTRASTS)]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for part in (figure, *figure.axes) for text in part.texts]


def row_of(axes: Axes, z: float) -> int:
    """Row of a panel's picture at a height, mm."""
    (image,) = axes.images
    _, _, low, high = image.get_extent()
    return int((high - z) / (high - low) * image.get_array().shape[0])


def brightness(axes: Axes, z: float) -> float:
    """Of the brightest pixel at a height, mm."""
    return float(axes.images[0].get_array()[row_of(axes, z)].max())


def test_mosaic__shows_all_contrasts_whole_and_in_slices() -> None:
    figure = bmx.plot.mosaic(*whole_body())
    assert len(figure.axes) == (2 + COLUMNS) * len(CONTRASTS)
    found = texts(figure)
    assert "Simulated participant 1000000" in found
    assert {"In phase", "Opposed phase", "Fat", "Water"} <= set(found)
    assert {level.heading for level in LEVELS} <= set(found)


def test_mosaic__has_equal_millimetres_in_both_directions() -> None:
    for axes in mosaic(*whole_body()).axes:
        assert axes.get_aspect() == 1
        (image,) = axes.images
        right, left, bottom, top = image.get_extent()
        rows, columns = image.get_array().shape
        assert (top - bottom) / rows == pytest.approx((right - left) / columns, rel=0.02)
        # The panel has the shape of its contents: nothing is lost to letterboxes.
        width, height = axes.get_position().size * axes.figure.get_size_inches()
        assert width / height == pytest.approx((right - left) / (top - bottom), rel=0.001)


def test_mosaic__a_block_has_its_size_and_place() -> None:
    """40 mm wide, however thick the slices are; all slabs below each other make 310 mm."""
    coronal = wholes(mosaic(*whole_body()))[0]
    picture = coronal.images[0].get_array()
    assert (picture > 50).sum(axis=1).max() == pytest.approx(40, abs=2)
    assert picture.shape[0] == 6 * 60 - 5 * 10


def test_mosaic__cuts_overlaps_in_the_middle() -> None:
    """Slab 1 reaches from 300 down to 240, slab 2 begins at 250: they meet at 245."""
    for axes in wholes(mosaic(*whole_body()))[:2]:
        assert brightness(axes, 246) == pytest.approx(100)
        assert brightness(axes, 244) == pytest.approx(200)


def test_mosaic__leaves_gaps_black() -> None:
    slabs, masks = whole_body(overlap_mm=-20)
    for axes in wholes(mosaic(slabs, masks))[:2]:
        assert [brightness(axes, z) for z in (241, 239, 221, 219)] == [100, 0, 0, 200]


def test_mosaic__an_absent_slab_is_black_and_said() -> None:
    slabs, masks = whole_body()
    figure = mosaic(without(slabs, 4, row=0), masks, eid=EIDS[0])
    low, high = 300 - 3 * 50 - 60 + 10, 300 - 3 * 50 - 10  # what no neighbour covers
    for axes in wholes(figure):
        rows = slice(row_of(axes, high) + 1, row_of(axes, low))
        assert not axes.images[0].get_array()[rows].any()
    assert texts(figure).count("Slab 4 is absent") == 2 * len(CONTRASTS)
    assert "Slab 4 is absent" not in texts(mosaic(slabs, masks, eid=EIDS[1]))


def test_mosaic__outlines_the_masks_where_they_are() -> None:
    figure = mosaic(*whole_body())
    columns = figure.axes[2 * len(CONTRASTS) :]
    panel = columns[[level.region for level in LEVELS].index("total_hip") * len(CONTRASTS)]
    outlines = [found for found in panel.collections if isinstance(found, QuadContourSet)]
    assert len(outlines) == 2  # of both regions in the slab
    points = np.concatenate([path.vertices for path in outlines[0].get_paths()])
    # Voxels 15-19 of x at 2 mm, beginning at +39: their edges lie at 10 and 0.
    assert (points[:, 0].min(), points[:, 0].max()) == pytest.approx((0, 10), abs=0.6)
    # Voxels 12-17 of y, beginning at +29.
    assert (points[:, 1].min(), points[:, 1].max()) == pytest.approx((-6, 6), abs=0.6)


@pytest.mark.parametrize("absent", [False, True])
def test_mosaic__shows_a_region_in_the_slab_where_it_was_drawn(absent: bool) -> None:
    """A hip that left its slab was found in the one below; its own slab would show it as if it were empty."""
    slabs, masks = whole_body()
    own, below = (masks[name].to_dataset(inherit=False) for name in ("slab_4", "slab_5"))
    moved = own.sel(region=["total_hip"])
    own["mask"][0, 1] = 0
    masks["slab_4"] = xr.DataTree(own)
    masks["slab_5"] = xr.DataTree(xr.concat([below, moved], "region"))
    figure = mosaic(without(slabs, 4, row=0) if absent else slabs, masks)
    place = [level.region for level in LEVELS].index("total_hip")
    panel = figure.axes[2 * len(CONTRASTS) + place * len(CONTRASTS)]
    assert panel.images[0].get_array().max() == pytest.approx(500)  # fat of slab 5
    assert any(isinstance(found, QuadContourSet) for found in panel.collections)


def test_mosaic__shows_the_patients_left_on_the_right_and_the_head_above() -> None:
    figure = mosaic(*whole_body())
    coronal, sagittal = wholes(figure)[:2]
    axial = figure.axes[2 * len(CONTRASTS)]
    for axes, letters in ((coronal, "RLSI"), (sagittal, "APSI"), (axial, "RLAP")):
        assert [text.get_text() for text in axes.texts][:4] == list(letters)
        assert axes.get_xlim()[0] > axes.get_xlim()[1]  # RAS: Right and Anterior are positive
        assert axes.get_ylim()[0] < axes.get_ylim()[1]


def test_mosaic__one_window_serves_all_images() -> None:
    assert len({image.get_clim() for axes in mosaic(*whole_body()).axes for image in axes.images}) == 1


def test_mosaic__reads_only_the_participant() -> None:
    slabs, masks = whole_body()
    read: list[int] = []

    def spy(block: np.ndarray, block_info: dict | None = None) -> np.ndarray:
        if block_info:
            read.append(block_info[0]["chunk-location"][0])
        return block

    def spied(tree: xr.DataTree) -> xr.DataTree:
        groups = {node.path: node.to_dataset(inherit=False) for node in tree.subtree}
        for dataset in groups.values():
            for name in [name for name, found in dataset.data_vars.items() if "z" in found.dims]:
                chunked = dataset[name].chunk({"participant": 1})
                dataset[name] = chunked.copy(data=da.map_blocks(spy, chunked.data, dtype=chunked.dtype))
        return xr.DataTree.from_dict(groups)

    mosaic(spied(slabs), spied(masks), eid=EIDS[1])
    assert set(read) == {1}


def test_mosaic__an_unknown_eid_is_one_clear_error() -> None:
    with pytest.raises(KeyError, match="participant 7 is not in the slabs; choose one of their 2 EIDs"):
        mosaic(*whole_body(), eid=7)
    slabs, masks = whole_body()
    with pytest.raises(KeyError, match="participant 1000001 is not in the masks; choose one of their 1 EIDs"):
        mosaic(slabs, masks.isel(participant=[0]), eid=EIDS[1])


def test_mosaic__nobody_without_images() -> None:
    slabs, masks = whole_body()
    for number in range(1, 7):
        slabs = without(slabs, number, row=0)
    with pytest.raises(SourceError, match="participant 1000000 has no slab with images"):
        mosaic(slabs, masks)


def test_mosaic__needs_four_contrasts() -> None:
    with pytest.raises(SchemaError, match=r"the store has no in_phase.*bmx convert --contrasts"):
        mosaic(*make_toy_cohort())


def test_mosaic__is_2400_pixels_wide() -> None:
    with BytesIO() as file:
        mosaic(*whole_body()).savefig(file, format="png")
        file.seek(0)
        assert imread(file, format="png").shape[1] == 2400


def test_plot__needs_no_pyplot() -> None:
    code = "import sys, bmx; bmx.plot.mosaic, bmx.plot.beside; sys.exit('matplotlib.pyplot' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_plot__names_an_unknown_one() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'mozaic'"):
        _ = bmx.plot.mozaic
