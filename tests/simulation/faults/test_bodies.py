"""Unusual bodies, seen in the written files: images by pydicom alone, where to look by the truth."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from scipy import ndimage

from bmx.acquisition import CONTRASTS
from bmx.simulation.bodies import SimulatedSlab, draw_body
from bmx.simulation.exam_zips import write_exam
from bmx.simulation.faults.apply import apply_faults
from bmx.simulation.faults.base import Fault
from bmx.simulation.labels import LABELS
from bmx.simulation.people import draw_person
from bmx.simulation.visits import simulate_visit
from tests.exams import read_with_pydicom_alone

pytestmark = pytest.mark.slow  # a slab of a real body takes seconds

PERSON = draw_person(1_234_567, 0, 0)
SUFFIX = {"in_phase": "in", "opposed_phase": "opp", "fat": "F", "water": "W"}
Seen = tuple[dict[str, np.ndarray], SimulatedSlab, Fault | None]


@cache
def seen(slab: int, fault: str = "", index: int = 0) -> Seen:
    """Images of one slab as pydicom reads them, its truth, and the label."""
    visit = simulate_visit(PERSON, index=index, slabs=(slab,), seed=1, faults=[fault] if fault else [])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "1234567_20201_2_0.zip"
        write_exam(path, visit.exam)
        series = read_with_pydicom_alone(path)
    images = {
        name: np.stack(
            [one.pixel_array for one in next(v for k, v in series.items() if k.endswith(f"_{SUFFIX[name]}"))]
        )
        for name in CONTRASTS
    }
    return (
        {name: image.astype(float) for name, image in images.items()},
        visit.slabs[slab],
        next(iter(visit.faults), None),
    )


def sideways(slab: SimulatedSlab, straight: SimulatedSlab) -> float:
    """How far a vertebra's middle lies beside where it is in a straight spine, at most, mm."""
    vertebrae = [n for n in np.unique(slab.labels) if 1 <= n <= 17 and (straight.labels == n).sum() > 500]
    x = [
        [ndimage.center_of_mass(one.labels == number)[2] * slab.affine[0, 0] for number in vertebrae]
        for one in (slab, straight)
    ]
    return float(np.abs(np.subtract(*x)).max())


def body_area(images: dict[str, np.ndarray]) -> float:
    """Voxels with signal in the middle slices."""
    section = images["in_phase"][20:40]
    return float((section > 0.15 * np.percentile(section, 99)).sum())


def test_scolioses__bend_the_spine_to_the_side() -> None:
    """The severe one more than the mild one; the files show marrow where the truth says that vertebrae are."""
    clean, mild, severe = (seen(2, fault) for fault in ("", "mild_scoliosis", "severe_scoliosis"))
    assert sideways(severe[1], clean[1]) > sideways(mild[1], clean[1]) > 2
    for images, slab, _ in (mild, severe):
        inside = ndimage.binary_erosion(slab.masks["spine"], iterations=1)
        percent = 100 * images["fat"][inside].sum() / (images["fat"] + images["water"])[inside].sum()
        assert percent == pytest.approx(np.nanmean(slab.fat_percent[inside]), abs=8)


def test_marrow_depletion__takes_the_signal_of_all_marrow() -> None:
    """As in the paper's lymphoma: dark vertebrae in a body as bright as before."""
    (clean, slab, _), (depleted, _, label) = seen(2), seen(2, "marrow_depletion")
    inside = slab.masks["spine"]
    assert label is not None
    assert np.median(depleted["in_phase"][inside]) < 0.4 * np.median(clean["in_phase"][inside])
    elsewhere = (slab.labels == 0) & (clean["in_phase"] > 200)
    assert np.median(depleted["in_phase"][elsewhere]) == pytest.approx(
        np.median(clean["in_phase"][elsewhere]), rel=0.05
    )


def test_vertebral_fracture__makes_one_vertebra_smaller() -> None:
    """The vertebra that the label names, and no other; the image changes there."""
    index = next(i for i in range(20) if _level(i) in ("T11", "T12", "L1"))
    (clean, before, _), (broken, after, label) = seen(2), seen(2, "vertebral_fracture", index)
    assert label is not None
    number = LABELS[label.value("level")]
    assert (after.labels == number).sum() < 0.92 * (before.labels == number).sum()
    others = [one for one in np.unique(before.labels) if one not in (0, number)]
    for other in others:
        assert (after.labels == other).sum() == pytest.approx((before.labels == other).sum(), rel=0.03)
    change = np.abs(clean["fat"] - broken["fat"])
    assert change[before.labels == number].mean() > 3 * change[np.isin(before.labels, others)].mean()


def _level(index: int) -> str:
    (label,) = apply_faults("body", draw_body(PERSON, 1), ["vertebral_fracture"], seed=1, index=index)[1]
    return label.value("level")


@pytest.mark.parametrize("fault", ["dark_lines", "hip_implant"])
def test_hips__are_crossed_by_dark_lines_or_replaced_by_metal(fault: str) -> None:
    """On the side that the label names, and not on the other."""
    (clean, slab, _), (changed, _, label) = seen(4), seen(4, fault)
    assert label is not None
    for side in ("left", "right"):
        hip = np.isin(slab.labels, [LABELS[f"{name}_{side}"] for name in ("femoral_head", "total_hip")])
        ratio = changed["in_phase"][hip] / np.maximum(clean["in_phase"][hip], 1)
        if side != label.value("side"):
            assert np.median(ratio) == pytest.approx(1, abs=0.1)
            assert (ratio < 0.5).mean() < 0.03
        elif fault == "hip_implant":
            assert np.median(ratio) < 0.15
        else:
            assert 0.03 < (ratio < 0.5).mean() < 0.7


def test_people__are_shorter_taller_or_leaner_in_the_images() -> None:
    """Tall people have their hips lower in the scanner; lean thighs have less area."""
    usual, short, tall, lean = (seen(5, fault) for fault in ("", "very_short", "very_tall", "very_lean"))
    heights = [isthmus(slab) for _, slab, _ in (short, usual, tall)]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] - heights[2] > 50
    assert body_area(lean[0]) < 0.9 * body_area(usual[0])
    for images, slab, _ in (short, tall):
        shaft = slab.masks["femoral_diaphysis"]
        assert 100 * images["fat"][shaft].sum() / (images["fat"] + images["water"])[shaft].sum() > 50


def isthmus(slab: SimulatedSlab) -> float:
    """Height of the middle of the shaft's mask in the scanner, mm."""
    z = ndimage.center_of_mass(slab.masks["femoral_diaphysis"])[0]
    return float(slab.affine[2, 3] + slab.affine[2, 2] * z)
