"""Faults of one slab's series: what the scanner or the archive made of four images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bmx.acquisition import CONTRASTS, ContrastName
from bmx.simulation.exams import Exam, SeriesImages
from bmx.simulation.faults.base import Fault, FaultKind

_PAIR: tuple[ContrastName, ContrastName] = ("fat", "water")


def water_in_fat_slot(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Exchange the series numbers of fat and water: whoever counts series takes water for fat."""
    slab = _draw_slab(exam, _PAIR, rng)
    fat, water = (exam.find(slab, name) for name in _PAIR)
    one, other = exam.series[fat], exam.series[water]
    changed = exam.with_series({fat: replace(one, number=other.number), water: replace(other, number=one.number)})
    return changed, Fault("water_in_fat_slot", slab)


def exchanged_descriptions(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Exchange the descriptions of fat and water; ImageType still tells the truth."""
    slab = _draw_slab(exam, _PAIR, rng)
    fat, water = (exam.find(slab, name) for name in _PAIR)
    one, other = exam.series[fat], exam.series[water]
    changed = exam.with_series(
        {fat: replace(one, description=other.description), water: replace(other, description=one.description)}
    )
    return changed, Fault("exchanged_descriptions", slab)


def different_sizes(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Cut fat or water down: fewer slices at one end, or a smaller field of view."""
    slab, contrast = _draw_series(exam, _PAIR, rng)
    index = exam.find(slab, contrast)
    series = exam.series[index]
    slices, rows, columns = series.volume.shape
    cut = int(rng.integers(2, 7))
    low, high, edge = ((cut, slices, 0), (0, slices - cut, 0), (0, slices, cut))[int(rng.integers(3))]
    corner = series.affine @ (edge, edge, low, 1.0)
    smaller = replace(
        series,
        volume=series.volume[low:high, edge : rows - edge, edge : columns - edge],
        affine=np.column_stack([series.affine[:, :3], corner]),
    )
    size = "x".join(map(str, smaller.volume.shape[::-1]))
    return exam.with_series({index: smaller}), Fault("different_sizes", slab, f"contrast={contrast} size={size}")


def wrong_origin(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Say that one of a slab's images lies elsewhere, along the body or across it."""
    slab, contrast = _draw_series(exam, tuple(CONTRASTS), rng)
    index = exam.find(slab, contrast)
    series = exam.series[index]
    axis = int(rng.integers(3))
    offset = round(float(rng.choice([-1, 1]) * rng.uniform(15, 80)), 1)
    affine = series.affine.copy()
    affine[axis, 3] += offset
    detail = f"contrast={contrast} {'xyz'[axis]}_mm={offset}"
    return exam.with_series({index: replace(series, affine=affine)}), Fault("wrong_origin", slab, detail)


def missing_slice(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Leave out one to three slices of one image, not at its ends."""
    slab, contrast = _draw_series(exam, tuple(CONTRASTS), rng)
    index = exam.find(slab, contrast)
    series = exam.series[index]
    lost = _draw_slices(series, int(rng.integers(1, 4)), rng)
    changed = exam.with_series({index: replace(series, missing=(*series.missing, *lost))})
    return changed, Fault("missing_slice", slab, f"contrast={contrast} slices={_listed(lost)}")


def corrupt_member(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Damage the compressed pixels of one image file."""
    slab, contrast = _draw_series(exam, tuple(CONTRASTS), rng)
    index = exam.find(slab, contrast)
    series = exam.series[index]
    lost = _draw_slices(series, 1, rng)
    changed = exam.with_series({index: replace(series, damaged=(*series.damaged, *lost))})
    return changed, Fault("corrupt_member", slab, f"contrast={contrast} slices={_listed(lost)}")


def missing_series(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Leave out fat, water, in-phase or opposed-phase of one slab."""
    slab, contrast = _draw_series(exam, tuple(CONTRASTS), rng)
    lost = exam.find(slab, contrast)
    kept = tuple(one for i, one in enumerate(exam.series) if i != lost)
    return replace(exam, series=kept), Fault("missing_series", slab, f"contrast={contrast}")


def missing_slab(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Leave out a slab; the numbers of the later ones may close the gap."""
    slab = int(rng.choice(exam.slabs))
    newest = max(one.acquired for one in exam.series if one.slab == slab)
    lost = [one for one in exam.series if (one.slab, one.acquired) == (slab, newest)]
    close = bool(rng.random() < 0.5)
    after = max(one.number for one in lost)
    kept = tuple(
        replace(one, number=one.number - len(lost)) if close and one.number > after else one
        for one in exam.series
        if one not in lost
    )
    return replace(exam, series=kept), Fault("missing_slab", slab, f"numbers={'closed' if close else 'kept'}")


def _draw_slab(exam: Exam, contrasts: tuple[ContrastName, ...], rng: np.random.Generator) -> int:
    """A slab that has all of these contrasts."""
    held = {(one.slab, one.contrast) for one in exam.series}
    return int(rng.choice([slab for slab in exam.slabs if all((slab, name) in held for name in contrasts)]))


def _draw_series(exam: Exam, contrasts: tuple[ContrastName, ...], rng: np.random.Generator) -> tuple[int, ContrastName]:
    """A slab that has all of these contrasts, and one of them."""
    return _draw_slab(exam, contrasts, rng), contrasts[int(rng.integers(len(contrasts)))]


def _draw_slices(series: SeriesImages, count: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Neighbouring slices that are still there, not the first or last."""
    inner = len(series.volume) - 1 - count
    first = int(rng.integers(1, max(inner, 1) + 1))
    return tuple(range(first, first + count))


def _listed(slices: tuple[int, ...]) -> str:
    return ",".join(map(str, slices))


KINDS = (
    FaultKind(
        "water_in_fat_slot", "exam", "fat and water of one slab have each other's series numbers",
        water_in_fat_slot, "data structure",
    ),
    FaultKind(
        "exchanged_descriptions", "exam", "fat and water of one slab have each other's SeriesDescription",
        exchanged_descriptions, "data structure",
    ),
    FaultKind(
        "different_sizes", "exam", "fat or water of one slab has fewer slices or a smaller field of view",
        different_sizes, "data structure",
    ),
    FaultKind(
        "wrong_origin", "exam", "one image of a slab claims to lie 15 to 80 mm from where it does",
        wrong_origin, "data structure",
    ),
    FaultKind("missing_slice", "exam", "one image of a slab lacks 1 to 3 slices", missing_slice, "data structure"),
    FaultKind("corrupt_member", "exam", "one image file in the zip is damaged", corrupt_member, "data structure"),
    FaultKind("missing_series", "exam", "a slab lacks one of its four images", missing_series, "data structure"),
    FaultKind("missing_slab", "exam", "a slab is not in the zip", missing_slab, "data structure"),
)  # fmt: skip
