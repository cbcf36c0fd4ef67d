from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cloudpickle
import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

from bmx.errors import ModelError
from bmx.models.callables import from_callable, from_labels_callable
from bmx.models.label_tables import LabelTable
from bmx.segmentation import segment
from bmx.types import Affine
from tests.conftest import MaxComputes, make_toy_cohort
from tests.models.functions import bands, ellipsoid

STORED: Affine = np.array([[-2.0, 0, 0, 40], [0, -2.0, 0, 30], [0, 0, 4.0, -30]])
SHAPE = (12, 30, 40)
FAT = np.full(SHAPE, 700, np.uint16)


@pytest.mark.parametrize("orientation", ["SPL", "SAR", "RAS", "LIP", "ASR"])
def test_from_callable__an_answer_by_geometry_is_the_same_voxels_in_any_orientation(orientation: str) -> None:
    expected = ellipsoid(np.zeros(SHAPE, np.float32), STORED)
    model = from_callable(ellipsoid, region="spine", name="ball", version="1", orientation=orientation)
    drawing = model.draw(FAT, FAT, STORED)
    np.testing.assert_array_equal(drawing.mask, expected)
    assert drawing.mask.dtype == np.uint8
    assert np.isnan(drawing.confidence)


@pytest.mark.parametrize("spacing", [(4.0, 2.0, 2.0), (2.0, 1.0, 1.0), (3.0, 1.5, 1.7), (4.0, 3.0, 2.005)])
@pytest.mark.parametrize("orientation", ["SPL", "SAR"])
def test_from_callable__another_spacing_moves_nothing(spacing: tuple[float, float, float], orientation: str) -> None:
    """What lies on the border may change; the middle stays within a fifth of a voxel."""
    expected = ellipsoid(np.zeros(SHAPE, np.float32), STORED)
    model = from_callable(ellipsoid, region="spine", name="ball", version="1", orientation=orientation, spacing=spacing)
    found = model.draw(FAT, FAT, STORED).mask.astype(bool)
    assert 2 * (found & expected).sum() / (found.sum() + expected.sum()) > 0.92
    apart = np.argwhere(found).mean(axis=0) - np.argwhere(expected).mean(axis=0)
    assert np.abs(apart).max() < 0.2


@pytest.mark.parametrize("flipped", [(0,), (1,), (2,), (0, 1, 2)])
def test_from_callable__a_flipped_slab_gives_the_same_places(flipped: tuple[int, ...]) -> None:
    """The same body in an array that runs the other way: the answer runs the other way, too."""
    affine = STORED.copy()
    for axis in flipped:
        column = 2 - axis
        affine[:, 3] += (SHAPE[axis] - 1) * affine[:, column]
        affine[:, column] *= -1
    model = from_callable(ellipsoid, region="spine", name="ball", version="1", orientation="SAR", spacing=(3, 2, 2))
    straight, turned = model.draw(FAT, FAT, STORED).mask, model.draw(FAT, FAT, affine).mask
    np.testing.assert_array_equal(np.flip(turned, flipped), straight)


def test_from_labels_callable__labels_come_back_whole_from_another_spacing() -> None:
    """Averaging 1 and 3 would give a 2 that nobody drew."""
    models = from_labels_callable(
        bands, labels={"spine": 3, "total_hip": 2}, name="bands", version="1", orientation="SAR", spacing=(2, 2, 2)
    )
    expected = bands(np.zeros(SHAPE, np.float32), STORED)
    for region, label in (("spine", 3), ("total_hip", 2)):
        found = models[region].draw(FAT, FAT, STORED).mask
        assert (found.astype(bool) == (expected == label)).mean() > 0.97


def test_from_callable__shows_the_contrasts_that_were_asked_for() -> None:
    """In-phase and opposed-phase as the scanner would have them; no sum wraps."""
    seen: list[float] = []

    def look(*given: Any) -> npt.NDArray[np.bool_]:
        seen.extend(float(image[0, 0, 0]) for image in given[:-1])
        return np.zeros(given[0].shape, np.bool_)

    contrasts = ("fat", "water", "fat+water", "in_phase", "opposed_phase")
    model = from_callable(look, region="spine", name="look", version="1", input=contrasts)
    model.draw(np.full((1, 2, 2), 40_000, np.uint16), np.full((1, 2, 2), 50_000, np.uint16), STORED)
    assert seen == [40_000, 50_000, 90_000, 90_000, 10_000]


def test_from_callable__the_right_femur_is_drawn_in_the_mirrored_volume() -> None:
    fat = FAT.copy()
    fat[4, 5, 30], fat[4, 5, 9] = 900, 800
    model = from_callable(lambda image, affine: image == 1800, region="femoral_head", name="brightest", version="1")
    mirrored = model.draw(fat, fat, STORED, side="right").mask
    np.testing.assert_array_equal(mirrored, model.draw(fat[..., ::-1], fat[..., ::-1], STORED).mask[..., ::-1])


def test_from_callable__nothing_is_drawn_where_nothing_is_seen() -> None:
    def never(image: Any, affine: Affine) -> Any:
        raise AssertionError

    drawing = from_callable(never, region="spine", name="never", version="1").draw(FAT * 0, FAT * 0, STORED)
    assert not drawing.mask.any()
    assert np.isnan(drawing.confidence)


def test_from_callable__tells_how_sure_it_is() -> None:
    model = from_callable(lambda image, affine: (image > 0, 0.75), region="spine", name="sure", version="1")
    assert model.draw(FAT, FAT, STORED).confidence == 0.75


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda image: np.zeros((1, 2, 3)), r"a mask of shape \(1, 2, 3\), expected \(12, 30, 40\)"),
        (lambda image: np.full(image.shape, np.nan), "NaN"),
        (lambda image: image / 2000, "values other than 0 and 1, the first 0.7;.*compare with a threshold"),
        (lambda image: np.full(image.shape, 2), "values other than 0 and 1, the first 2"),
        (lambda image: None, "NoneType, expected a mask as an array of numbers"),
        (lambda image: (image > 0, 1.5), "a confidence of 1.5, expected 0 to 1"),
        (lambda image: (image > 0, "high"), "a confidence of 'high', expected a number"),
    ],
)
def test_from_callable__an_answer_that_is_no_mask_is_refused(answer: Callable[..., Any], message: str) -> None:
    model = from_callable(lambda image, affine: answer(image), region="spine", name="ours", version="1")
    with pytest.raises(ModelError, match=f"the model ours gave {message}"):
        model.draw(FAT, FAT, STORED)


@pytest.mark.parametrize(
    ("value", "message"), [(-1, "-1, which is no label"), (0.5, "0.5, which is no label"), (np.nan, "NaN")]
)
def test_from_labels_callable__an_answer_that_is_no_label_is_refused(value: float, message: str) -> None:
    models = from_labels_callable(
        lambda image, affine: np.full(image.shape, value), labels={"spine": 1}, name="ours", version="1"
    )
    with pytest.raises(ModelError, match=f"the model ours gave {message}"):
        models["spine"].draw(FAT, FAT, STORED)


def test_from_callable__its_own_errors_say_whose_they_are() -> None:
    model = from_callable(lambda image, affine: 1 // 0, region="spine", name="ours", version="1")
    with pytest.raises(ZeroDivisionError) as caught:
        model.draw(FAT, FAT, STORED)
    assert "in the model ours, given 1 volumes of shape (12, 30, 40)" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"region": "spin"}, "no region is called 'spin'; .*did you mean spine"),
        ({"input": "fatt"}, "no contrast is called 'fatt'; .*did you mean fat"),
        ({"input": ()}, "at least one contrast"),
        ({"orientation": "XYZ"}, "'XYZ' is no orientation"),
        ({"spacing": (1.0, 2.0)}, "three positive numbers"),
    ],
)
def test_from_callable__says_what_is_wrong(changed: dict[str, Any], message: str) -> None:
    given = {"region": "spine", "name": "ours", "version": "1"} | changed
    with pytest.raises(ModelError, match=message):
        from_callable(ellipsoid, **given)


def test_from_callable__a_spacing_in_another_unit_is_refused() -> None:
    model = from_callable(ellipsoid, region="spine", name="ours", version="1", spacing=(0.004, 0.002, 0.002))
    with pytest.raises(ValueError, match="is the spacing in millimetres"):
        model.draw(FAT, FAT, STORED)


def test_digest__follows_what_decides_the_mask() -> None:
    def digest(**changed: Any) -> str:
        given = {"region": "spine", "name": "ours", "version": "1"} | changed
        return from_callable(ellipsoid, **given).digest

    changes: list[dict[str, Any]] = [
        {}, {"name": "theirs"}, {"version": "2"}, {"region": "total_hip"}, {"input": "fat"}, {"orientation": "SAR"},
        {"spacing": (2, 2, 2)},
    ]  # fmt: skip
    assert len({digest(**changed) for changed in changes}) == len(changes)
    assert digest() == digest()
    assert len(digest()) == 32


def test_segment__takes_any_function_and_travels(max_computes: MaxComputes) -> None:
    """As a user says it: lazily, through cloudpickle as Dask does, and once for each volume."""
    calls = xr.Dataset(attrs={"n": 0})  # something mutable that cloudpickle copies: counted in this process only

    def label(image: npt.NDArray[np.float32], affine: Affine) -> npt.NDArray[np.int64]:
        calls.attrs["n"] += 1
        return np.where(image > np.median(image), 1, 2)

    table = LabelTable("two", regions={"spine": 1, "femoral_head": 1, "total_hip": 2, "femoral_diaphysis": 2})
    models = from_labels_callable(label, labels=table, name="two", version="1")
    slabs = make_toy_cohort(participants=2)[0]
    with max_computes(0):
        masks = segment(slabs, models=models, neighbours=False)
    found = {name: node["mask"].to_numpy() for name, node in masks.children.items()}
    assert calls.attrs["n"] == 6  # three slabs of two participants; slab 4 has two regions
    assert masks["slab_4/model"].to_numpy().tolist() == [models["femoral_head"].digest, models["total_hip"].digest]
    travelled = cloudpickle.loads(cloudpickle.dumps(models))  # our own, as Dask sends it
    again = segment(slabs, models=travelled, neighbours=False)
    for name, mask in found.items():
        np.testing.assert_array_equal(again[f"{name}/mask"].to_numpy(), mask)
        assert mask.any()
