"""One simulated participant as arrays: what the scanner sees of a body in each slab, and the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bmx.acquisition import PIXEL_MM, SLABS, ContrastName, slab_top_mm
from bmx.core.dixon_signal import Receiver, dixon_images
from bmx.regions import regions_of_slab
from bmx.simulation.anatomy import draw_anatomy
from bmx.simulation.bones import paint_femur, paint_pelvis, paint_spine
from bmx.simulation.canvas import Canvas
from bmx.simulation.soft_tissue import paint_soft_tissue
from bmx.types import Affine, FloatVolume, IntVolume, Mask

HIP_BELOW_TOP_MM = 555.0
"""From the top of slab 1 down to the hip joints when a person of 170 cm is placed as the protocol says."""


@dataclass(frozen=True, slots=True)
class SimulatedSlab:
    """Images and truth of one slab."""

    images: Mapping[ContrastName, IntVolume]
    affine: Affine
    masks: Mapping[str, Mask]
    """By region that belongs to the slab."""
    fat_percent: FloatVolume
    """Fat fraction without noise and shading; NaN in air."""


def simulate_participant(person: Mapping[str, Any], slabs: tuple[int, ...], seed: int) -> dict[int, SimulatedSlab]:
    """Image one person (a row of `bmx.simulation.people.draw_people`) in some slabs.

    The result depends on `person` and `seed` alone: each slab is the same whichever others are asked for.
    """
    body = np.random.default_rng([seed, int(person["eid"])])
    anatomy = draw_anatomy(person, body)
    # The landmark is set by hand: the whole exam lies up to some 25 mm too high or too low.
    top = HIP_BELOW_TOP_MM * anatomy.size + body.normal(0, 9)
    scale, noise = body.uniform(350, 900), body.uniform(0.02, 0.035)
    return {
        number: _simulate_slab(
            number, anatomy, _affine(number, top), Receiver(scale, noise, shading=0.12),
            np.random.default_rng([seed, int(person["eid"]), number]),
        )
        for number in slabs
    }  # fmt: skip


def _simulate_slab(
    number: int, anatomy: Any, affine: Affine, receiver: Receiver, rng: np.random.Generator
) -> SimulatedSlab:
    slab = SLABS[number]
    canvas = Canvas((slab.slices, slab.rows, slab.columns), affine)
    paint_soft_tissue(canvas, anatomy, rng)
    paint_pelvis(canvas, anatomy)
    masks = {"spine": paint_spine(canvas, anatomy, rng)}
    left, right = anatomy.femora
    paint_femur(canvas, right, rng)
    masks |= paint_femur(canvas, left, rng)
    water, fat = canvas.finish()
    total = water + fat
    fat_percent = np.full_like(total, np.nan)
    np.divide(100 * fat, total, out=fat_percent, where=total > 0.01)
    return SimulatedSlab(
        images=dixon_images(water, fat, receiver, rng),
        affine=affine,
        masks={region.name: masks[region.name] for region in regions_of_slab(number)},
        fat_percent=fat_percent,
    )


def _affine(number: int, top: float) -> Affine:
    """Voxel index (x to Left, y to Posterior, z to Superior) to RAS+ mm; `top` is the height of slab 1's upper edge."""
    slab = SLABS[number]
    bottom = top - slab_top_mm(number) - slab.extent_mm
    return np.array(
        [
            [-PIXEL_MM, 0, 0, PIXEL_MM * (slab.columns - 1) / 2],
            [0, -PIXEL_MM, 0, PIXEL_MM * (slab.rows - 1) / 2],
            [0, 0, slab.slice_mm, bottom + slab.slice_mm / 2],
        ]
    )
