from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bmx.acquisition import SLABS
from bmx.core.dixon_signal import Echoes
from bmx.core.femur_parts import FemurCut
from bmx.errors import ModelError
from bmx.models.callables import from_labels_callable
from bmx.models.label_tables import LABEL_TABLES, LabelTable, get_table
from bmx.regions import REGIONS
from bmx.simulation.bodies import draw_body, paint_body, slab_affine
from bmx.simulation.marrow_masks import femur_masks, spine_mask
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.femur import femur_box, femur_surface
from bmx.simulation.painting.tissues import DixonPalette
from bmx.simulation.people import draw_people, person_at
from bmx.types import IntVolume, Mask
from tests.core.test_vertebral_bodies import vertebrae

TABLE = LABEL_TABLES["mrsegmentator"]
SPINE, LEFT, RIGHT = 25, 29, 30


class Slab:
    """A slab of a simulated body: its image, the whole bones that a model would label, and the known regions."""

    def __init__(self, number: int) -> None:
        body = draw_body(person_at(draw_people(6, 3), 5), 3)
        slab, self.affine = SLABS[number], slab_affine(number)
        self.affine[2, 3] -= 490 * (1 - body.size)
        canvas = Canvas((slab.slices, slab.rows, slab.columns), self.affine, DixonPalette())
        paint_body(canvas, body)
        _, in_phase = Echoes(*canvas.finish()).signals()
        self.fat: IntVolume = (800 * np.abs(in_phase)).astype(np.uint16)
        self.labels = np.zeros(canvas.shape, np.int64)
        self.labels[np.logical_or(*vertebrae(canvas, body))] = SPINE
        self.truth: dict[str, Mask] = {"spine": spine_mask(canvas, body)}
        for femur, label, end in zip(body.femora, (LEFT, RIGHT), ("", "_right"), strict=True):
            box = femur_box(canvas, femur)
            if box is not None:
                self.labels[canvas.mask(box, canvas.distance(box, femur_surface, femur))] = label
            self.truth |= {f"{name}{end}": mask for name, mask in femur_masks(canvas, femur).items()}


slab_of = cache(Slab)


def models_of(labels: npt.NDArray[np.int64], table: LabelTable = TABLE, **options: Any) -> Any:
    return from_labels_callable(lambda image, affine: labels, labels=table, name="bones", version="1", **options)


def dice(one: npt.NDArray[Any], other: Mask) -> float:
    return float(2 * (one.astype(bool) & other).sum() / (one.sum() + other.sum()))


@pytest.mark.parametrize(
    ("region", "least"), [("spine", 0.87), ("femoral_head", 0.97), ("total_hip", 0.9), ("femoral_diaphysis", 0.9)]
)
def test_draw__cuts_the_regions_out_of_whole_bones(region: str, least: float) -> None:
    """Against the marrow that is known from the anatomy, in the slab where the region is measured."""
    slab = slab_of(REGIONS[region].slab)
    model = models_of(slab.labels)[region]
    for side, end in (("left", ""), ("right", "_right"))[: 1 if region == "spine" else 2]:
        found = model.draw(slab.fat, np.zeros_like(slab.fat), slab.affine, side=side).mask
        assert dice(found, slab.truth[region + end]) > least


def test_draw__labels_in_another_orientation_give_the_same_regions() -> None:
    """A model that was trained on RAS+ files answers in their directions."""
    slab = slab_of(4)
    straight = models_of(slab.labels)["femoral_head"].draw(slab.fat, slab.fat, slab.affine).mask
    turned = models_of(slab.labels[:, ::-1, ::-1], orientation="SAR")["femoral_head"]
    np.testing.assert_array_equal(turned.draw(slab.fat, slab.fat, slab.affine).mask, straight)
    assert straight.any()


def test_draw__a_model_whose_left_is_right_is_refused() -> None:
    """What a wrong orientation does: without this check everybody's other leg would be measured."""
    slab = slab_of(4)
    swapped = models_of(np.where(slab.labels == LEFT, RIGHT, np.where(slab.labels == RIGHT, LEFT, slab.labels)))
    with pytest.raises(ModelError, match=r"left femur \d+ mm to the right of the right one.*orientation="):
        swapped["total_hip"].draw(slab.fat, slab.fat, slab.affine)


def test_draw__a_single_femur_on_the_wrong_side_is_refused() -> None:
    """Only one was found: its head then says which it is."""
    slab = slab_of(4)
    alone = models_of(np.where(slab.labels == RIGHT, LEFT, 0))
    with pytest.raises(ModelError, match="the head of this femur lies on the left of its shaft"):
        alone["femoral_head"].draw(slab.fat, slab.fat, slab.affine)


def test_draw__a_function_that_was_changed_is_asked_again() -> None:
    """Answers are kept for the regions of one slab, not for another function of the same name."""
    slab = slab_of(4)
    for labels in (slab.labels, np.zeros_like(slab.labels)):
        drawn = models_of(labels)["femoral_head"].draw(slab.fat, slab.fat, slab.affine).mask
        assert drawn.any() == labels.any()


def test_draw__bones_that_are_not_there_give_an_empty_mask() -> None:
    slab = slab_of(5)
    models = models_of(np.zeros_like(slab.labels))
    for model in models.values():
        drawing = model.draw(slab.fat, slab.fat, slab.affine)
        assert not drawing.mask.any()
        assert np.isnan(drawing.confidence)


def test_draw__a_region_that_the_model_draws_itself_is_taken_as_it_is() -> None:
    labels = np.random.default_rng(0).integers(0, 4, (6, 8, 9))
    fat, affine = np.full(labels.shape, 9, np.uint16), slab_affine(4)
    table = LabelTable("own", regions={"femoral_head": 1, "femoral_head_right": 2, "total_hip": 3})
    models = models_of(labels, table, orientation="SPL")
    assert list(models) == ["femoral_head", "total_hip"]
    np.testing.assert_array_equal(models["femoral_head"].draw(fat, fat, affine).mask, labels == 1)
    np.testing.assert_array_equal(models["femoral_head"].draw(fat, fat, affine, side="right").mask, labels == 2)
    with pytest.raises(ModelError, match="has no label of total_hip_right"):
        models["total_hip"].draw(fat, fat, affine, side="right")


def test_draw__a_model_of_the_right_side_alone_draws_that() -> None:
    """Its label would be passed over without a word if only those of left femora made a model."""
    labels = np.random.default_rng(0).integers(0, 4, (6, 8, 9))
    fat, affine = np.full(labels.shape, 9, np.uint16), slab_affine(4)
    models = models_of(labels, LabelTable("own", regions={"femoral_head_right": 2}), orientation="SPL")
    assert list(models) == ["femoral_head"]
    np.testing.assert_array_equal(models["femoral_head"].draw(fat, fat, affine, side="right").mask, labels == 2)
    with pytest.raises(ModelError, match=r"no label of femoral_head, only of femoral_head_right; .* the right side"):
        models["femoral_head"].draw(fat, fat, affine)


@pytest.mark.parametrize("name", LABEL_TABLES)
def test_label_tables__each_is_consistent(name: str) -> None:
    """Each label has the words that it is checked by, and no label means two things."""
    table = get_table(name)
    used = (*table.vertebrae, *(table.femora or ()))
    assert len(set(used)) == len(used)
    assert set(table.words) == set(used)
    assert table.orientation in ("SAR", "SPL")
    table.check({label: "_".join(table.words[label]) for label in used}, "dataset.json")
    table.check({label: str(label) for label in used}, "dataset.json")  # a list of numbers says nothing


def test_label_tables__another_version_is_refused() -> None:
    """TotalSegmentator's first MR models had femora 34 and 35, and hips where they are now."""
    names = {19: "vertebrae", 34: "femur_left", 35: "femur_right", 36: "hip_left", 37: "hip_right"}
    with pytest.raises(ModelError, match=r"calls label 36 'hip_left', but .* expects femur and left"):
        LABEL_TABLES["totalsegmentator_mr"].check(names, "dataset.json")
    with pytest.raises(ModelError, match=r"dataset.json has no label 25"):
        LABEL_TABLES["mrsegmentator"].check(names, "dataset.json")


def test_label_tables__a_table_needs_labels_and_regions_that_are_ones() -> None:
    with pytest.raises(ModelError, match="the label table none has no labels"):
        LabelTable("none")
    with pytest.raises(ValueError, match="no region is called 'spin'"):
        LabelTable("odd", regions={"spin": 1})


def test_digest__follows_table_and_cut() -> None:
    labels = np.zeros((2, 2, 2), np.int64)
    one = models_of(labels)["total_hip"].digest
    assert one == models_of(labels)["total_hip"].digest
    assert one != models_of(labels, cut=FemurCut(hip_depth_mm=5.0))["total_hip"].digest
    assert one != models_of(labels)["femoral_head"].digest
    assert one != models_of(labels, LABEL_TABLES["totalsegmentator_mr"])["total_hip"].digest
