"""A slab of the protocol that shows a body, a contrast and artefacts drawn far beyond what is realistic.

`bmx.simulation.randomised` gives views of any grid and the numbers of all structures; here the grid is a slab's, and
the truth is what a network of one region shall draw in it.
"""

from __future__ import annotations

import numpy as np

from bmx.acquisition import SLABS
from bmx.regions import Region
from bmx.simulation.bodies import LANDMARK_MM, paint_body, slab_affine
from bmx.simulation.marrow_masks import known_structures
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.random_palette import RandomPalette
from bmx.simulation.randomised import degrade, draw_strange_body
from bmx.types import FloatVolume, Mask

_LIES_MM = (12.0, 12.0, 30.0)
"""SD of where the body lies: x, y, z."""


def draw_randomised_slab(region: Region, rng: np.random.Generator) -> tuple[FloatVolume, Mask]:
    """One image of the region's slab and the region's mask.

    Returns
    -------
    volume : (z, y, x) float32, one channel; bright tissue is near 1
    mask : (z, y, x) bool
    """
    anatomy = draw_strange_body(rng)
    slab = SLABS[region.slab]
    affine = slab_affine(region.slab)
    # As in `image_body`: people are placed by their collar bones.
    affine[:, 3] -= rng.normal(0, _LIES_MM) + np.array([0, 0, LANDMARK_MM * (1 - anatomy.size)])
    canvas = Canvas((slab.slices, slab.rows, slab.columns), affine, RandomPalette(rng))
    paint_body(canvas, anatomy, float(rng.normal(0, 10)))
    _, masks = known_structures(canvas, anatomy)
    return degrade(canvas.finish()[0], rng), masks[region.name]
