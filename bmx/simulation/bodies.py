"""One simulated participant as arrays: what the scanner sees of a body in each slab, and the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bmx.acquisition import PIXEL_MM, SLABS, ContrastName, slab_top_mm
from bmx.core.dixon_signal import Echoes, Separated, separate
from bmx.core.fat_fraction import fat_fraction
from bmx.core.receiver import Receiver, dixon_images
from bmx.regions import REGIONS, regions_of_slab
from bmx.simulation.anatomy.body import Anatomy, draw_anatomy
from bmx.simulation.marrow_masks import femur_masks, known_structures
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.femur import paint_femur
from bmx.simulation.painting.grid import Grid
from bmx.simulation.painting.pelvis import paint_pelvis
from bmx.simulation.painting.soft_tissue import paint_over_bones, paint_soft_tissue
from bmx.simulation.painting.spine import paint_spine
from bmx.simulation.painting.tissues import DixonPalette
from bmx.types import Affine, FloatVolume, IntVolume, Mask

TOP_MM = 555.0
"""Upper edge of slab 1 in the scanner; with it the hip joints of a person of 170 cm lie at z = 0."""

LANDMARK_MM = 490.0
"""Height of the collar bones, by which a person is placed: whoever is taller has the hips lower."""

_BREATH_HOLD = (2, 3, 4)
_SIGNAL = 0.02
"""Noise-free signal below which a voxel has no fat fraction; 1 is pure fat."""


@dataclass(frozen=True, slots=True)
class Placement:
    """How a person lies in the scanner, beside what chance does."""

    shift_mm: float = 0.0
    """The exam begins so much too low (the body lies nearer to the upper end of the slabs); negative: too high."""


@dataclass(frozen=True, slots=True)
class SimulatedSlab:
    """Images and truth of one slab."""

    images: Mapping[ContrastName, IntVolume]
    affine: Affine
    masks: Mapping[str, Mask]
    """By region that belongs to the slab."""
    clean: Separated
    """Water and fat without noise, shading and ghosts, 1 is pure fat."""
    labels: npt.NDArray[np.uint8]
    """Numbers of `bmx.simulation.labels.LABELS`."""
    coverage: Mapping[str, float] = field(default_factory=dict)
    """Share of each of these regions, 0-1, that lies inside this slab; the spine is what lies in it, always 1."""
    swapped: Mask | None = None
    """Where fat and water were exchanged afterwards."""

    @property
    def fat_percent(self) -> FloatVolume:
        """Two-point fat fraction without noise and shading; NaN where there is no signal."""
        percent = fat_fraction(self.clean.fat, self.clean.water)
        percent[self.clean.fat + self.clean.water < _SIGNAL] = np.nan
        return percent


def simulate_participant(
    person: Mapping[str, Any], slabs: tuple[int, ...], seed: int, *, placement: Placement | None = None
) -> dict[int, SimulatedSlab]:
    """Image one person (a row of `bmx.simulation.people.draw_people`) in some slabs.

    The result depends on `person`, `seed` and `placement` alone: each slab is the same whichever others are asked for.
    """
    return image_body(draw_body(person, seed), person, slabs, seed, placement=placement)


def draw_body(person: Mapping[str, Any], seed: int) -> Anatomy:
    """Draw the body of a person; the same for the same person and seed."""
    return draw_anatomy(person, np.random.default_rng([seed, int(person["eid"])]))


def image_body(
    anatomy: Anatomy,
    person: Mapping[str, Any],
    slabs: tuple[int, ...],
    seed: int,
    *,
    placement: Placement | None = None,
    scan: int = 0,
) -> dict[int, SimulatedSlab]:
    """Image a body in some slabs.

    Parameters
    ----------
    scan : another number gives another visit of the same body: placed, breathing and noisy anew

    Returns
    -------
    Slab number -> images (z, y, x) uint16 of four contrasts, affine, truth.
    """
    exam = np.random.default_rng([seed, int(person["eid"]), 100 + scan])
    moved = np.array([exam.normal(0, 4), exam.normal(0, 4), LANDMARK_MM * (1 - anatomy.size) + exam.normal(0, 8)])
    moved[2] += (placement or Placement()).shift_mm
    scale, noise = exam.uniform(450, 1100), exam.uniform(0.012, 0.022)
    return {
        number: _image_slab(
            number, anatomy, moved, scale, noise,
            np.random.default_rng([seed, int(person["eid"]), 100 + scan, number]),
        )
        for number in slabs
    }  # fmt: skip


def _image_slab(
    number: int, anatomy: Anatomy, moved: npt.NDArray[np.float64], scale: float, noise: float, rng: np.random.Generator
) -> SimulatedSlab:
    slab = SLABS[number]
    breath = rng.normal(0, 5) if number in _BREATH_HOLD else rng.normal(0, 2)
    fidget = rng.normal(0, 0.6, 3)  # nobody lies still between slabs
    affine = slab_affine(number)
    shape, in_body = (slab.slices, slab.rows, slab.columns), _moved(affine, -(moved + fidget))
    canvas = Canvas(shape, in_body, DixonPalette())
    paint_body(canvas, anatomy, float(breath))
    echoes = Echoes(*canvas.finish())
    labels, masks = known_structures(canvas, anatomy)
    opposed, in_phase = echoes.signals()
    receiver = Receiver(
        scale, noise, shading=0.13, phase_error=0.08, ghost_slices=int(rng.integers(2, 5)),
        ghost=float(rng.uniform(0.1, 0.6)), end_loss=float(rng.uniform(0.15, 0.5)),
    )  # fmt: skip
    return SimulatedSlab(
        images=dixon_images(echoes, receiver, rng),
        affine=affine,
        masks={region.name: masks[region.name] for region in regions_of_slab(number)},
        clean=separate(opposed.real, np.abs(in_phase)),
        labels=labels,
        coverage={region.name: coverage(anatomy, region.name, shape, in_body) for region in regions_of_slab(number)},
    )


def paint_body(canvas: Canvas, anatomy: Anatomy, breath_mm: float = 0.0) -> None:
    """Paint everything, from the skin inwards."""
    paint_soft_tissue(canvas, anatomy, breath_mm)
    paint_pelvis(canvas, anatomy)
    paint_spine(canvas, anatomy)
    for femur in anatomy.femora:
        paint_femur(canvas, femur, anatomy)
    paint_over_bones(canvas, anatomy)


def coverage(anatomy: Anatomy, region: str, shape: tuple[int, int, int], affine: Affine) -> float:
    """Share of a region, 0-1, that lies inside a grid; NaN if the body has no such region (an implant)."""
    if REGIONS[region].side == "both":
        return 1.0
    beyond = 80  # slices: more than a body can be misplaced by
    tall = Grid((shape[0] + 2 * beyond, *shape[1:]), _moved(affine, -beyond * affine[:, 2]))
    slices = femur_masks(tall, anatomy.femora[0])[region].sum(axis=(1, 2))
    total = int(slices.sum())
    return float(slices[beyond:-beyond].sum() / total) if total else float("nan")


def slab_affine(number: int) -> Affine:
    """Voxel index (x to Left, y to Posterior, z to Superior) to RAS+ mm of the scanner, as the protocol plans it."""
    slab = SLABS[number]
    bottom = TOP_MM - slab_top_mm(number) - slab.extent_mm
    return np.array(
        [
            [-PIXEL_MM, 0, 0, PIXEL_MM * (slab.columns - 1) / 2],
            [0, -PIXEL_MM, 0, PIXEL_MM * (slab.rows - 1) / 2],
            [0, 0, slab.slice_mm, bottom + slab.slice_mm / 2],
        ]
    )


def _moved(affine: Affine, by: npt.NDArray[np.float64]) -> Affine:
    return np.column_stack([affine[:, :3], affine[:, 3] + by])
