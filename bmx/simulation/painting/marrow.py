"""Bone with its marrow: a thin shell without signal around marbled marrow."""

from __future__ import annotations

import numpy as np

from bmx.simulation.anatomy.body import Anatomy
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.grid import Box
from bmx.simulation.painting.solids import Field

_DEPLETED = 0.5
"""Marrow signal below which marrow is painted as depleted."""


def paint_bone(
    canvas: Canvas,
    box: Box,
    bone: Field,
    anatomy: Anatomy,
    *,
    percent: Field | float,
    marbling: float,
    cortex_mm: Field | float,
) -> None:
    """Paint a bone and the marrow inside its cortex.

    Parameters
    ----------
    bone : signed distance to the surface of the bone, mm
    percent : two-point fat fraction of its marrow
    marbling : SD of the fat fraction from place to place, percentage points
    cortex_mm : thickness of the cortex
    """
    canvas.paint(box, bone, "cortex")
    marrow = bone + np.asarray(cortex_mm, np.float32)
    marbled = np.clip(percent + np.float32(marbling) * canvas.texture(box, anatomy.marrow), 2, 97)
    healthy = anatomy.marrow_signal >= _DEPLETED
    canvas.paint(box, marrow, "marrow" if healthy else "depleted_marrow", fat_percent=marbled if healthy else None)
