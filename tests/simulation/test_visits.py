"""From a person to an exam. A ruler lies in the scanner instead of a body: each voxel tells its height in the body."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bmx.acquisition import CONTRASTS, SLABS
from bmx.core.dixon_signal import Separated
from bmx.regions import regions_of_slab
from bmx.simulation import visits
from bmx.simulation.bodies import Placement, SimulatedSlab, slab_affine
from bmx.simulation.exam_zips import write_exam
from bmx.simulation.faults.placement import Attempt, Positioning, appended_repeat
from bmx.simulation.faults.registry import FAULTS
from bmx.simulation.people import draw_person
from bmx.simulation.visits import Visit, simulate_visit
from tests.exams import read_with_pydicom_alone

PERSON = draw_person(1_234_567, 0, 0)
SEED = 3


def image_ruler(
    anatomy: object,
    person: Mapping[str, Any],
    slabs: tuple[int, ...],
    seed: int,
    *,
    placement: Placement | None = None,
    scan: int = 0,
) -> dict[int, SimulatedSlab]:
    """In place of `image_body`: a voxel is its height in the body plus 2000, in tenths of a millimetre."""
    made = {}
    for number in slabs:
        grid, affine = SLABS[number], slab_affine(number)
        shape = (grid.slices, 8, 8)
        height = affine[2, 3] + affine[2, 2] * np.arange(grid.slices) - (placement or Placement()).shift_mm
        volume = np.broadcast_to(np.rint(10 * (height + 2000))[:, None, None], shape).astype(np.uint16)
        body = np.ones(shape, np.float32)
        made[number] = SimulatedSlab(
            dict.fromkeys(CONTRASTS, volume), affine, {region.name: body > 0 for region in regions_of_slab(number)},
            Separated(body, body), np.zeros(shape, np.uint8), {region.name: 1.0 for region in regions_of_slab(number)},
        )  # fmt: skip
    return made


@pytest.fixture(autouse=True)
def ruler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visits, "image_body", image_ruler)


def visit(*faults: str, index: int = 0, slabs: tuple[int, ...] = (2, 3)) -> Visit:
    return simulate_visit(PERSON, index=index, slabs=slabs, seed=SEED, faults=faults)


def heights(made: Visit, folder: Path) -> dict[tuple[str, int], tuple[float, float]]:
    """By study and series number: where the lowest slice says it lies, and which height of the body it shows, mm."""
    path = folder / "1234567_20201_2_0.zip"
    write_exam(path, made.exam)
    lowest = {}
    for found in read_with_pydicom_alone(path).values():
        for image in found:
            key = (image.StudyInstanceUID, int(image.SeriesNumber))
            claimed, shown = float(image.ImagePositionPatient[2]), float(image.pixel_array[0, 0]) / 10 - 2000
            if key not in lowest or claimed < lowest[key][0]:
                lowest[key] = (claimed, shown)
    return lowest


def test_simulate_visit__without_faults_is_a_clean_exam(tmp_path: Path) -> None:
    """Nothing is labelled, and the body lies where the files say."""
    made = visit()
    assert made.faults == ()
    assert made.person == PERSON
    found = heights(made, tmp_path)
    assert sorted(number for _, number in found) == list(range(5, 13))
    for claimed, shown in found.values():
        assert shown == pytest.approx(claimed, abs=0.11)


@pytest.mark.parametrize(("fault", "sign"), [("begun_too_high", -1), ("begun_too_low", 1)])
def test_begun_too_high_or_low__shows_another_part_of_the_body(tmp_path: Path, fault: str, sign: int) -> None:
    """The files say that they lie as always; what they show lies 20 to 120 mm higher or lower in the body."""
    made = visit(fault)
    (label,) = made.faults
    shift = float(label.value("shift_mm"))
    assert 20 <= sign * shift <= 120
    for claimed, shown in heights(made, tmp_path).values():
        assert claimed - shown == pytest.approx(shift, abs=0.11)


def find(fault: str, **details: str) -> int:
    """Index of a participant whose fault has these details."""
    for index in range(300):
        (label,) = visit(fault, index=index).faults
        if all(label.value(key) == value for key, value in details.items()):
            return index
    raise AssertionError("no participant has this fault")


@pytest.mark.parametrize("relandmarked", ["yes", "no"])
@pytest.mark.parametrize("slabs", ["2", "2,3"])
def test_appended_repeat__comes_before_the_exam(tmp_path: Path, slabs: str, relandmarked: str) -> None:
    """Numbers go on after the attempt. Heights agree with the body, unless they are counted from a new landmark."""
    made = visit("appended_repeat", index=find("appended_repeat", slabs=slabs, relandmarked=relandmarked))
    shift = float(made.faults[0].value("shift_mm"))
    assert 60 <= abs(shift) <= 250
    found = heights(made, tmp_path)
    series = 4 * len(slabs.split(","))
    assert len({study for study, _ in found}) == 1
    numbers = sorted(number for _, number in found)
    assert numbers == [*range(1, series + 1), *range(5 + series, 13 + series)]
    for (_, number), (claimed, shown) in found.items():
        wrong = shift if relandmarked == "yes" and number <= series else 0.0
        assert claimed - shown == pytest.approx(wrong, abs=0.11)
    clean = visit().slabs[2].affine
    np.testing.assert_array_equal(made.slabs[2].affine, clean)


def test_same_series_numbers__are_two_studies(tmp_path: Path) -> None:
    """Each number occurs twice, once in either study; the truth is that of the later."""
    made = visit("same_series_numbers")
    shift = float(made.faults[0].value("shift_mm"))
    found = heights(made, tmp_path)
    studies = {study for study, _ in found}
    assert len(studies) == 2
    for study in studies:
        assert sorted(number for one, number in found if one == study) == list(range(5, 13))
    for (study, _), (claimed, shown) in found.items():
        wrong = shift if study == made.exam.series[0].study.uid else 0.0
        assert claimed - shown == pytest.approx(wrong, abs=0.11)
    assert made.exam.series[0].study.begun < made.exam.series[-1].study.begun
    assert made.exam.series[-1].volume is made.slabs[3].images["water"]


def test_appended_repeat__adds_to_earlier_attempts() -> None:
    """An exam can be begun three times, and too high on top of it."""
    lying = Positioning((2, 3), shift_mm=-30.0)
    for seed in range(2):
        lying, _ = appended_repeat(lying, np.random.default_rng(seed))
    assert lying.shift_mm == -30
    assert len(lying.earlier) == 2
    assert all(isinstance(attempt, Attempt) and not attempt.own_study for attempt in lying.earlier)


@pytest.mark.parametrize("fault", [name for name, kind in FAULTS.items() if kind.stage not in ("file", "images")])
def test_simulate_visit__labels_every_fault(fault: str) -> None:
    """One label with its name; drawing it again gives the same."""
    one, other = visit(fault), visit(fault)
    assert [label.name for label in one.faults] == [fault]
    assert one.faults == other.faults
    assert [series.number for series in one.exam.series] == [series.number for series in other.exam.series]


def test_simulate_visit__composes_faults() -> None:
    """Each is drawn as if it were alone, whatever the order in which they are named."""
    names = ("missing_slice", "begun_too_low", "swap_slab", "shifted_series_numbers", "very_tall")
    together, reversed_ = visit(*names), visit(*reversed(names))
    alone = {name: visit(name).faults[0] for name in names}
    assert {label.name: label for label in together.faults} == alone
    assert together.faults == reversed_.faults
    assert [label.name for label in together.faults] == [
        "very_tall", "begun_too_low", "swap_slab", "missing_slice", "shifted_series_numbers"
    ]  # fmt: skip


def test_simulate_visit__takes_what_is_missing_last() -> None:
    """The only slab may be gone in the end, and every fault before it still found its images."""
    names = [name for name, kind in FAULTS.items() if kind.stage == "exam"]
    made = visit(*names, slabs=(2,))
    assert {label.name for label in made.faults} == set(names)
    assert 2 not in made.exam.slabs
