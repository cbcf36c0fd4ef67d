"""Faults of positioning: where a person lies in the scanner, and how often the exam was begun."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bmx.simulation.faults.base import Fault, FaultKind


@dataclass(frozen=True, slots=True)
class Attempt:
    """An exam, or the first slabs of one, before the one that counts."""

    slabs: tuple[int, ...]
    shift_mm: float
    """How far the body lies towards the head, relative to the slabs of the exam that counts."""
    relandmarked: bool
    """Whether heights were counted from another landmark: slabs then claim to lie where the later ones do."""
    own_study: bool
    """Whether it is a study of its own; otherwise the later exam goes on with its series numbers."""


@dataclass(frozen=True, slots=True)
class Positioning:
    """How one participant is imaged."""

    slabs: tuple[int, ...]
    """Slabs of the exam that counts."""
    shift_mm: float = 0.0
    """How far the body lies towards the head, relative to the protocol's slabs."""
    earlier: tuple[Attempt, ...] = ()


def begun_too_high(lying: Positioning, rng: np.random.Generator) -> tuple[Positioning, Fault]:
    """Begin above the landmark: every slab shows what lies higher in the body."""
    shift = -_draw_mm(20, 120, rng)
    return replace(lying, shift_mm=lying.shift_mm + shift), Fault("begun_too_high", detail=f"shift_mm={shift}")


def begun_too_low(lying: Positioning, rng: np.random.Generator) -> tuple[Positioning, Fault]:
    """Begin below the landmark: every slab shows what lies lower in the body."""
    shift = _draw_mm(20, 120, rng)
    return replace(lying, shift_mm=lying.shift_mm + shift), Fault("begun_too_low", detail=f"shift_mm={shift}")


def appended_repeat(lying: Positioning, rng: np.random.Generator) -> tuple[Positioning, Fault]:
    """Begin at a wrong landmark, notice it after one to all slabs, and begin again in the same study."""
    slabs = lying.slabs[: int(rng.integers(1, len(lying.slabs) + 1))]
    shift = _draw_mm(60, 250, rng) * (1 if rng.random() < 0.5 else -1)
    attempt = Attempt(slabs, shift, relandmarked=bool(rng.random() < 0.5), own_study=False)
    return replace(lying, earlier=(*lying.earlier, attempt)), Fault("appended_repeat", detail=_describe(attempt))


def same_series_numbers(lying: Positioning, rng: np.random.Generator) -> tuple[Positioning, Fault]:
    """Image the person twice: a second study repeats all slabs, and their numbers, after they lay down anew."""
    shift = round(float(rng.normal(0, 15)), 1)
    attempt = Attempt(lying.slabs, shift, relandmarked=True, own_study=True)
    return replace(lying, earlier=(*lying.earlier, attempt)), Fault("same_series_numbers", detail=_describe(attempt))


def _draw_mm(low: float, high: float, rng: np.random.Generator) -> float:
    return round(float(rng.uniform(low, high)), 1)


def _describe(attempt: Attempt) -> str:
    slabs = ",".join(map(str, attempt.slabs))
    return f"slabs={slabs} shift_mm={attempt.shift_mm} relandmarked={'yes' if attempt.relandmarked else 'no'}"


KINDS = (
    FaultKind("begun_too_high", "placement", "the whole exam begins 20 to 120 mm above its landmark", begun_too_high),
    FaultKind("begun_too_low", "placement", "the whole exam begins 20 to 120 mm below its landmark", begun_too_low),
    FaultKind(
        "appended_repeat", "placement", "slabs of an attempt at a wrong landmark precede the exam, numbers go on",
        appended_repeat, "data structure",
    ),
    FaultKind(
        "same_series_numbers", "placement", "two studies in one zip with the same series numbers; the later one counts",
        same_series_numbers, "data structure",
    ),
)  # fmt: skip
