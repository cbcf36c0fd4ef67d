"""One simulated visit: a person, their body in the scanner, the exam, and every fault on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bmx.simulation.bodies import Placement, SimulatedSlab, draw_body, image_body
from bmx.simulation.exams import Exam, append_exam, plan_exam
from bmx.simulation.faults.apply import apply_faults
from bmx.simulation.faults.base import Fault
from bmx.simulation.faults.placement import Attempt, Positioning
from bmx.types import Affine

_EIDS = 10_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """What is known of one participant's visit before it is written."""

    person: Mapping[str, Any]
    """As imaged: after faults of the person."""
    slabs: Mapping[int, SimulatedSlab]
    """Images and truth of the exam that counts; an earlier attempt is in `exam` alone."""
    exam: Exam
    faults: tuple[Fault, ...]
    """Labels, in the order in which the faults were applied; those of files are still to come."""


def simulate_visit(
    person: Mapping[str, Any], *, index: int, slabs: tuple[int, ...], seed: int, faults: Sequence[str] = ()
) -> Visit:
    """Simulate one participant's exam.

    Parameters
    ----------
    person : a row of `bmx.simulation.people.draw_people`
    index : place of that row; faults depend on it and on the seed
    slabs : which slabs the exam holds
    seed : of the cohort
    faults : names from `bmx.simulation.faults.registry`

    Returns
    -------
    Visit
        Without faults, the body and the exam are the same as they were before there were faults at all.
    """
    known = {"seed": seed, "index": index}
    person, of_person = apply_faults("person", person, faults, **known)
    anatomy, of_body = apply_faults("body", draw_body(person, seed), faults, **known)
    lying, of_placement = apply_faults("placement", Positioning(slabs), faults, **known)
    simulated = image_body(anatomy, person, slabs, seed, placement=Placement(lying.shift_mm))
    images: Mapping[int, SimulatedSlab]
    images, of_images = apply_faults("images", simulated, faults, **known)
    uid_seed = seed * _EIDS + int(person["eid"])
    exam = plan_exam(
        {number: slab.images for number, slab in images.items()},
        {number: slab.affine for number, slab in images.items()},
        seed=uid_seed,
    )
    for count, attempt in reversed(list(enumerate(lying.earlier, start=1))):
        shown = image_body(
            anatomy, person, attempt.slabs, seed,
            placement=Placement(lying.shift_mm + attempt.shift_mm),
            # Within one study nobody gets up: the body lies as it lay, only the slabs move.
            scan=count if attempt.own_study else 0,
        )  # fmt: skip
        earlier = plan_exam(
            {number: slab.images for number, slab in shown.items()},
            {number: _affine(images[number].affine, attempt) for number in shown},
            seed=uid_seed,
            attempt=count,
        )
        exam = append_exam(earlier, exam, own_study=attempt.own_study)
    exam, of_exam = apply_faults("exam", exam, faults, **known)
    return Visit(person, images, exam, (*of_person, *of_body, *of_placement, *of_images, *of_exam))


def _affine(later: Affine, attempt: Attempt) -> Affine:
    """Where a slab of an attempt says that it lies, given the same slab of the exam that counts."""
    affine = later.copy()
    if not attempt.relandmarked:
        affine[2, 3] -= attempt.shift_mm
    return np.asarray(affine)
