"""Apply the faults of one participant, stage by stage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from bmx.simulation.faults.base import Fault, FaultKind, Stage
from bmx.simulation.faults.draw import fault_seed
from bmx.simulation.faults.registry import FAULTS

Thing = TypeVar("Thing")


def apply_faults(
    stage: Stage, thing: Thing, names: Sequence[str], *, seed: int, index: int
) -> tuple[Thing, tuple[Fault, ...]]:
    """Apply those faults that belong to a stage.

    Parameters
    ----------
    stage : any but `file`
    thing : what the faults of this stage change
    names : faults of the participant, of any stage
    seed, index : of the cohort, and of the participant in it

    Returns
    -------
    The changed thing, and the labels of what was done.
    """
    labels = []
    for kind, rng in _of_stage(stage, names, seed, index):
        thing, label = kind.apply(thing, rng)
        labels.append(label)
    return thing, tuple(labels)


def damage_file(path: Path, names: Sequence[str], *, seed: int, index: int) -> tuple[Fault, ...]:
    """Apply the faults of the stage `file`, in place; give their labels."""
    return tuple(kind.apply(path, rng) for kind, rng in _of_stage("file", names, seed, index))


def _of_stage(stage: Stage, names: Sequence[str], seed: int, index: int) -> list[tuple[FaultKind, np.random.Generator]]:
    return [
        (kind, np.random.default_rng(fault_seed(seed, index, name)))
        for name, kind in FAULTS.items()
        if name in names and kind.stage == stage
    ]
