"""The masks of the paper's regions: the bone shrunk by a depth in millimetres.

The paper draws the inner marrow only (2.6: up to where the signal has dropped by half), and its volumes are a
third of the bones'. Bones keep their true size here; the mask begins `MASK_DEPTH_MM` inside.
"""

from __future__ import annotations

import numpy as np

from bmx.regions import REGIONS
from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.anatomy.femur import FEMORAL_REGIONS, Femur
from bmx.simulation.labels import LABELS
from bmx.simulation.painting.femur import cortex_mm, femur_box, femur_surface, implant_void
from bmx.simulation.painting.grid import Grid
from bmx.simulation.painting.solids import Field, intersection, sphere
from bmx.simulation.painting.spine import sacrum, sacrum_box, vertebra_reach, vertebral_body
from bmx.types import Mask

MASK_DEPTH_MM = {"spine": 3.1, "femoral_head": 7.0, "total_hip": 7.3, "femoral_diaphysis": 2.6}
"""How far inside the surface of the bone (diaphysis: of the medullary canal) a mask begins."""

DIAPHYSIS_LENGTH_MM = 45.0
"""Length of the diaphysis mask, the same in everybody, centred on the narrowest part of the canal."""


def spine_mask(grid: Grid, anatomy: Anatomy) -> Mask:
    """Inner marrow of all vertebral bodies, (z, y, x) bool."""
    mask = np.zeros(grid.shape, bool)
    for vertebra in anatomy.spine.vertebrae:
        box = grid.around(vertebra.centre, vertebra_reach(vertebra))
        if box is not None:
            body = grid.distance(box, vertebral_body, vertebra)
            mask |= grid.mask(box, body + np.float32(MASK_DEPTH_MM["spine"]))
    return mask


def femur_masks(grid: Grid, femur: Femur) -> dict[str, Mask]:
    """Inner marrow of the three regions of one femur, each (z, y, x) bool; empty where metal is."""
    box = femur_box(grid, femur)
    if box is None:
        return {name: np.zeros(grid.shape, bool) for name in FEMORAL_REGIONS}
    head = grid.distance(box, sphere, femur.head, femur.head_radius)
    bone = grid.distance(box, femur_surface, femur)
    z = grid.z[box[0]][:, None, None]
    marrow: Field = bone + cortex_mm(femur, z)
    if femur.implant:
        metal = np.float32(1) - grid.distance(box, implant_void, femur)
        head, bone, marrow = (intersection(one, metal) for one in (head, bone, marrow))

    lesser_trochanter = np.float32(femur.neck_end[2] - 1.5 * femur.head_radius)
    depth = {name: np.float32(MASK_DEPTH_MM[name]) for name in FEMORAL_REGIONS}
    # The lesser trochanter is a knob on the bone: what lies in it isn't between the trochanters.
    smooth = grid.distance(box, femur_surface, femur, False)
    in_hip = intersection(np.maximum(bone, smooth) + depth["total_hip"], np.float32(1.5) - head, lesser_trochanter - z)
    at_isthmus = np.abs(z - np.float32(femur.isthmus_z)) - np.float32(DIAPHYSIS_LENGTH_MM / 2)
    return {
        "femoral_head": grid.mask(box, intersection(head, bone) + depth["femoral_head"]),
        "total_hip": grid.mask(box, in_hip),
        "femoral_diaphysis": grid.mask(box, intersection(marrow + depth["femoral_diaphysis"], at_isthmus)),
    }


def known_structures(grid: Grid, anatomy: Anatomy) -> tuple[np.ndarray, dict[str, Mask]]:
    """What lies where in a grid.

    Returns
    -------
    labels : (z, y, x) uint8, every vertebra, the sacrum, the regions of both femora; numbers of `LABELS`
    masks : the paper's four regions, each (z, y, x) bool
    """
    labels = np.zeros(grid.shape, np.uint8)
    box = sacrum_box(grid, anatomy)
    if box is not None:
        labels[grid.mask(box, grid.distance(box, sacrum, anatomy))] = LABELS["sacrum"]
    for vertebra in anatomy.spine.vertebrae:
        box = grid.around(vertebra.centre, vertebra_reach(vertebra))
        if box is not None:
            labels[grid.mask(box, grid.distance(box, vertebral_body, vertebra))] = LABELS[vertebra.name]
    left, right = (femur_masks(grid, femur) for femur in anatomy.femora)
    for side, masks in (("left", left), ("right", right)):
        for name, mask in masks.items():
            labels[mask] = LABELS[f"{name}_{side}"]
    found = {"spine": spine_mask(grid, anatomy)} | left
    return labels, {name: found[name] for name in REGIONS}
