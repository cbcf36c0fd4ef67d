"""How large the bones of a simulated body are, without imaging it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bmx.acquisition import SLABS
from bmx.regions import REGIONS
from bmx.simulation.bodies import LANDMARK_MM, draw_body, slab_affine
from bmx.simulation.marrow_masks import femur_masks, spine_mask
from bmx.simulation.painting.grid import Grid


@dataclass(frozen=True, slots=True)
class BodySizes:
    """Sizes of one body, of the left femur where there are two."""

    voxels: Mapping[str, int]
    """Native voxels of each region's mask, by region; of the spine what lies in a slab 2 placed as planned."""
    head_width_mm: float
    """Diameter of the femoral head with its cortex."""
    hip_to_hip_mm: float
    hip_to_knee_mm: float


def body_sizes(person: Mapping[str, Any], seed: int) -> BodySizes:
    """Sizes of the body that `simulate_participant(person, …, seed)` images."""
    anatomy = draw_body(person, seed)
    left, right = anatomy.femora
    voxels = {}
    for region in REGIONS.values():
        slab, affine = SLABS[region.slab], slab_affine(region.slab)
        extra = 0 if region.side == "both" else 60
        # Placed by the collar bones: whoever is tall has the hips lower in the scanner.
        moved = np.array([0, 0, LANDMARK_MM * (1 - anatomy.size)])
        origin = affine[:, 3] - extra * affine[:, 2] - moved
        grid = Grid((slab.slices + 2 * extra, slab.rows, slab.columns), np.column_stack([affine[:, :3], origin]))
        mask = spine_mask(grid, anatomy) if region.side == "both" else femur_masks(grid, left)[region.name]
        voxels[region.name] = int(mask.sum())
    return BodySizes(
        voxels=voxels,
        head_width_mm=2 * left.head_radius,
        hip_to_hip_mm=float(np.linalg.norm(np.subtract(left.head, right.head))),
        hip_to_knee_mm=float(np.linalg.norm(np.subtract(left.head, left.knee))),
    )
