"""Faults of bodies: what is unusual inside a person."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.anatomy.femur import Femur
from bmx.simulation.anatomy.spine import LEVELS, bend
from bmx.simulation.faults.base import Fault, FaultKind
from bmx.simulation.painting.solids import Point

FEMORAL = ("femoral_head", "total_hip")


def mild_scoliosis(anatomy: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, Fault]:
    """Bend the spine to the side by 5 to 10 degrees; the paper's networks coped with that."""
    return _scoliosis("mild_scoliosis", anatomy, float(rng.uniform(5, 10)), rng)


def severe_scoliosis(anatomy: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, Fault]:
    """Bend the spine to the side by 22 to 35 degrees."""
    return _scoliosis("severe_scoliosis", anatomy, float(rng.uniform(22, 35)), rng)


def _scoliosis(name: str, anatomy: Anatomy, degrees: float, rng: np.random.Generator) -> tuple[Anatomy, Fault]:
    return replace(anatomy, spine=bend(anatomy.spine, degrees, rng)), Fault(name, 0, f"tilt_deg={degrees:.1f}")


def marrow_depletion(anatomy: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, Fault]:
    """Take nearly all signal from all marrow, as in the paper's case of non-Hodgkin lymphoma."""
    signal = float(rng.uniform(0.05, 0.2))
    return replace(anatomy, marrow_signal=signal), Fault("marrow_depletion", 0, f"signal={signal:.2f}")


def dark_lines(anatomy: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, Fault]:
    """Lay sclerotic sheets across head and neck of one femur: distinct lines of low signal."""
    side = int(rng.choice((-1, 1)))
    count = int(rng.integers(2, 5))
    old = _femur(anatomy, side)
    lines = tuple(_sheet(old, rng) for _ in range(count))
    return _with(anatomy, replace(old, dark_lines=lines)), Fault("dark_lines", 4, f"side={_name(side)} lines={count}")


def _sheet(femur: Femur, rng: np.random.Generator) -> tuple[Point, Point, float]:
    """A plane somewhere between the middle of the head and the trochanters, roughly across the neck."""
    along = rng.uniform(-0.25, 0.9)
    x, y, z = (a + along * (b - a) + rng.normal(0, 3) for a, b in zip(femur.head, femur.neck_end, strict=True))
    normal = np.subtract(femur.neck_end, femur.head) / np.linalg.norm(np.subtract(femur.neck_end, femur.head))
    normal = normal + rng.normal(0, 0.35, 3)
    u, v, w = (normal / np.linalg.norm(normal)).tolist()
    return (float(x), float(y), float(z)), (u, v, w), float(rng.uniform(1.2, 2.6))


def hip_implant(anatomy: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, Fault]:
    """Replace one hip by metal: no signal where head, neck and the upper shaft were, nor around them."""
    side = int(rng.choice((-1, 1)))
    return _with(anatomy, replace(_femur(anatomy, side), implant=True)), Fault("hip_implant", 4, f"side={_name(side)}")


def vertebral_fracture(anatomy: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, Fault]:
    """Let the front of one vertebra between T10 and L2 lose 25 to 60 % of its height."""
    level = LEVELS[int(rng.integers(LEVELS.index("T10"), LEVELS.index("L2") + 1))]
    front = float(rng.uniform(0.4, 0.75))
    vertebrae = tuple(
        replace(vertebra, front=front, marbling=vertebra.marbling + 4) if vertebra.name == level else vertebra
        for vertebra in anatomy.spine.vertebrae
    )
    changed = replace(anatomy, spine=replace(anatomy.spine, vertebrae=vertebrae))
    return changed, Fault("vertebral_fracture", 0, f"level={level} front={front:.2f}")


def _femur(anatomy: Anatomy, side: int) -> Femur:
    return next(femur for femur in anatomy.femora if femur.side == side)


def _with(anatomy: Anatomy, changed: Femur) -> Anatomy:
    left, right = (changed if femur.side == changed.side else femur for femur in anatomy.femora)
    return replace(anatomy, femora=(left, right))


def _name(side: int) -> str:
    return "left" if side < 0 else "right"


KINDS: tuple[FaultKind, ...] = (
    FaultKind("mild_scoliosis", "body", "the spine bends 5-10 degrees to the side", mild_scoliosis, regions=("spine",),
              diagnoses=("M419",)),
    FaultKind(
        "severe_scoliosis", "body", "the spine bends 22-35 degrees to the side", severe_scoliosis,
        "skeletal abnormality", ("spine",), diagnoses=("M419",),
    ),
    FaultKind(
        "marrow_depletion", "body", "marrow gives nearly no signal (lymphoma)", marrow_depletion,
        "skeletal abnormality", ("spine", *FEMORAL, "femoral_diaphysis"), diagnoses=("C859",),
    ),
    FaultKind(
        "dark_lines", "body", "dark lines cross head and neck of one femur", dark_lines,
        "imaging artefact", FEMORAL, (4,),
    ),
    FaultKind(
        "hip_implant", "body", "metal replaces one hip", hip_implant, "skeletal abnormality",
        (*FEMORAL, "femoral_diaphysis"), (4,), ("Z966",),
    ),
    FaultKind("vertebral_fracture", "body", "one vertebra has lost height in front", vertebral_fracture,
              regions=("spine",), diagnoses=("S320",)),
)  # fmt: skip
