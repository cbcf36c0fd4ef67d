"""Fat-water swaps: the reconstruction takes fat for water in a slab, in one leg, or in a blob.

In-phase and opposed-phase are unchanged by it: F + W and |W − F| are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from bmx.simulation.faults.base import Fault, FaultKind

if TYPE_CHECKING:
    from bmx.simulation.bodies import SimulatedSlab
    from bmx.types import Mask

Slabs = Mapping[int, "SimulatedSlab"]

_LEG_SLABS = {5: 0.8, 6: 0.2}
"""How often a leg is swapped in which slab; the paper saw it in slab 5 and looked at no other."""

_ONE_SIDED = 0.9
"""Share of a piece on one side of the midline from which on it is that side's leg."""


def swap_slab(slabs: Slabs, rng: np.random.Generator) -> tuple[Slabs, Fault]:
    """Exchange fat and water in a whole slab."""
    number = int(rng.choice(sorted(slabs)))
    return _exchange(slabs, number, np.ones(slabs[number].images["fat"].shape, np.bool_)), Fault("swap_slab", number)


def swap_leg(slabs: Slabs, rng: np.random.Generator) -> tuple[Slabs, Fault]:
    """Exchange fat and water in one leg."""
    there = [number for number in _LEG_SLABS if number in slabs]
    weights = np.array([_LEG_SLABS[number] for number in there])
    number = int(rng.choice(there, p=weights / weights.sum()))
    side = "left" if rng.random() < 0.5 else "right"
    leg = find_leg(_body(slabs[number]), slabs[number].affine, side)
    return _exchange(slabs, number, leg), Fault("swap_leg", number, f"side={side} voxels={leg.sum()}")


def swap_blob(slabs: Slabs, rng: np.random.Generator) -> tuple[Slabs, Fault]:
    """Exchange fat and water in a connected blob with a sharp border."""
    number = int(rng.choice(sorted(slabs)))
    body = _body(slabs[number])
    blob = draw_blob(body, np.linalg.norm(slabs[number].affine[:, :3], axis=0)[::-1], rng)
    return _exchange(slabs, number, blob), Fault("swap_blob", number, f"voxels={blob.sum()}")


def find_leg(body: Mask, affine: np.ndarray, side: str) -> Mask:
    """Find one leg in each slice.

    Parameters
    ----------
    body : (z, y, x) bool
    affine : (3, 4) voxel index (x, y, z, 1) to RAS+ millimetres
    side : left (negative x) or right

    Returns
    -------
    (z, y, x) bool; connected pieces on that side, and of a piece that joins both thighs the half on that side.
    """
    x = affine[0, 0] * np.arange(body.shape[2]) + affine[0, 3]
    columns = body.sum((0, 1))
    midline = float(np.average(x, weights=columns)) if columns.any() else 0.0
    mine = x < midline if side == "left" else x >= midline
    leg = np.zeros_like(body)
    for z, section in enumerate(body):
        pieces, count = ndimage.label(section)
        for piece in range(1, count + 1):
            where = pieces == piece
            share = where[:, mine].sum() / where.sum()
            if share > 1 - _ONE_SIDED:
                leg[z] |= where if share > _ONE_SIDED else where & mine
    return leg


def draw_blob(body: Mask, spacing_mm: np.ndarray, rng: np.random.Generator) -> Mask:
    """Draw a smooth, connected piece of a body.

    Parameters
    ----------
    body : (z, y, x) bool, not empty
    spacing_mm : (3,) of z, y and x

    Returns
    -------
    (z, y, x) bool, some 25 to 70 mm in radius, cut by the border of the body.
    """
    centre = np.unravel_index(rng.choice(np.flatnonzero(body)), body.shape)
    radius = rng.uniform(25, 70, 3) / spacing_mm
    box = tuple(
        slice(max(int(middle - 1.5 * reach), 0), int(middle + 1.5 * reach) + 2)
        for middle, reach in zip(centre, radius, strict=True)
    )
    inside = body[box]
    grid = np.ogrid[tuple(slice(0, length) for length in inside.shape)]
    origin = np.array([part.start for part in box])
    distance = np.sqrt(
        sum(((axis - at) / reach) ** 2 for axis, at, reach in zip(grid, centre - origin, radius, strict=True))
    )
    bumps = ndimage.gaussian_filter(rng.standard_normal(inside.shape), 12 / spacing_mm)
    bumps /= max(float(np.abs(bumps).max()), 1e-9)
    pieces, _ = ndimage.label(inside & ((distance < 0.2) | (distance + 0.4 * bumps < 1)))
    blob = np.zeros_like(body)
    blob[box] = pieces == pieces[tuple(centre - origin)]
    return blob


def _body(slab: SimulatedSlab) -> Mask:
    return np.asarray(np.isfinite(slab.fat_percent), np.bool_)


def _exchange(slabs: Slabs, number: int, where: Mask) -> Slabs:
    """Exchange fat and water there, and keep in the truth where that was; twice is not at all."""
    slab = slabs[number]
    fat, water = slab.images["fat"], slab.images["water"]
    images: dict[Any, Any] = {
        **slab.images,
        "fat": np.where(where, water, fat),
        "water": np.where(where, fat, water),
    }
    before = where if slab.swapped is None else slab.swapped ^ where
    return {**slabs, number: replace(slab, images=images, swapped=before)}


KINDS = (
    FaultKind("swap_slab", "images", "fat and water are exchanged in a whole slab", swap_slab, "imaging artefact"),
    FaultKind(
        "swap_leg", "images", "fat and water are exchanged in one leg of slab 5 or 6", swap_leg, "imaging artefact",
        slabs=tuple(_LEG_SLABS),
    ),
    FaultKind("swap_blob", "images", "fat and water are exchanged in a blob", swap_blob, "imaging artefact"),
)  # fmt: skip
