"""Muscles of thigh and calf, each a belly of its own."""

from __future__ import annotations

import numpy as np

from bmx.simulation.anatomy.femur import Femur
from bmx.simulation.painting.bellies import Frame, Row, packed
from bmx.simulation.painting.scene import Scene
from bmx.simulation.painting.skin import leg_axis, leg_box
from bmx.simulation.painting.solids import tube

_BULGE_MM = 5.5

RECTUS_FEMORIS: list[Row] = [
    (-370, 0.05, 0.85, 0.08, 0.03, 0), (-320, 0.05, 0.80, 0.16, 0.10, 0), (-260, 0.08, 0.74, 0.26, 0.18, 0),
    (-200, 0.12, 0.72, 0.32, 0.22, -8), (-120, 0.18, 0.74, 0.30, 0.22, -12), (-60, 0.24, 0.76, 0.24, 0.18, -12),
    (30, 0.30, 0.74, 0.10, 0.10, 0),
]  # fmt: skip
VASTUS_LATERALIS: list[Row] = [
    (-385, 0.45, 0.40, 0.06, 0.06, 0), (-340, 0.54, 0.36, 0.24, 0.30, 15), (-290, 0.60, 0.32, 0.32, 0.42, 20),
    (-220, 0.64, 0.30, 0.34, 0.52, 22), (-150, 0.70, 0.26, 0.28, 0.54, 18), (-80, 0.74, 0.24, 0.22, 0.44, 10),
    (-30, 0.72, 0.20, 0.10, 0.20, 0),
]  # fmt: skip
VASTUS_INTERMEDIUS: list[Row] = [
    (-370, 0.05, 0.62, 0.10, 0.05, 0), (-330, 0.06, 0.52, 0.32, 0.16, 0), (-280, 0.14, 0.40, 0.38, 0.26, 0),
    (-200, 0.26, 0.30, 0.38, 0.34, -10), (-120, 0.38, 0.30, 0.32, 0.34, -15), (-50, 0.48, 0.34, 0.12, 0.16, 0),
]  # fmt: skip
VASTUS_MEDIALIS: list[Row] = [
    (-404, -0.45, 0.30, 0.05, 0.08, 0), (-370, -0.50, 0.32, 0.22, 0.32, -20), (-330, -0.50, 0.32, 0.32, 0.44, -22),
    (-270, -0.42, 0.38, 0.30, 0.44, -25), (-200, -0.24, 0.42, 0.24, 0.36, -25), (-130, -0.02, 0.42, 0.16, 0.26, -20),
    (-60, 0.24, 0.34, 0.06, 0.12, 0),
]  # fmt: skip
SARTORIUS: list[Row] = [
    (-440, -0.72, -0.15, 0.05, 0.12, 0), (-370, -0.84, -0.26, 0.09, 0.20, 5), (-300, -0.84, 0.06, 0.09, 0.19, -5),
    (-220, -0.70, 0.46, 0.10, 0.18, -30), (-150, -0.42, 0.78, 0.17, 0.09, 25), (-80, 0.00, 0.92, 0.17, 0.09, 5),
    (0, 0.45, 0.86, 0.13, 0.09, -20), (60, 0.75, 0.62, 0.08, 0.10, 0),
]  # fmt: skip
ADDUCTOR_LONGUS: list[Row] = [
    (-235, -0.10, 0.14, 0.06, 0.06, 0), (-170, -0.28, 0.30, 0.20, 0.19, 0), (-100, -0.44, 0.50, 0.30, 0.20, 20),
    (-35, -0.62, 0.58, 0.16, 0.10, 0),
]  # fmt: skip
ADDUCTOR_BREVIS: list[Row] = [
    (-155, 0.02, 0.14, 0.06, 0.06, 0), (-110, -0.16, 0.20, 0.24, 0.15, 15), (-45, -0.50, 0.28, 0.20, 0.12, 0),
]  # fmt: skip
PECTINEUS: list[Row] = [
    (-95, 0.20, 0.24, 0.08, 0.10, 0), (-60, 0.00, 0.42, 0.24, 0.17, 15), (-5, -0.32, 0.62, 0.22, 0.12, 0),
]  # fmt: skip
ADDUCTOR_MAGNUS: list[Row] = [
    (-335, -0.50, -0.06, 0.06, 0.08, 0), (-260, -0.38, -0.10, 0.24, 0.22, 0), (-200, -0.36, -0.10, 0.38, 0.31, 0),
    (-130, -0.38, -0.12, 0.46, 0.36, 0), (-80, -0.42, -0.20, 0.44, 0.36, 0),
    (-40, -0.40, -0.25, 0.26, 0.22, 0),
]  # fmt: skip
GRACILIS: list[Row] = [
    (-430, -0.74, -0.40, 0.04, 0.06, 0), (-380, -0.78, -0.50, 0.06, 0.09, 0), (-300, -0.85, -0.40, 0.08, 0.16, 10),
    (-220, -0.90, -0.18, 0.08, 0.23, 5), (-130, -0.91, 0.00, 0.08, 0.28, 0), (-55, -0.86, 0.10, 0.07, 0.24, 0),
]  # fmt: skip
SEMIMEMBRANOSUS: list[Row] = [
    (-405, -0.50, -0.46, 0.10, 0.10, 0), (-350, -0.46, -0.55, 0.30, 0.26, 20), (-270, -0.44, -0.55, 0.31, 0.25, 20),
    (-200, -0.40, -0.54, 0.24, 0.18, 15), (-120, -0.28, -0.52, 0.12, 0.10, 0),
    (-70, -0.2, -0.5, 0.06, 0.06, 0),
]  # fmt: skip
SEMITENDINOSUS: list[Row] = [
    (-400, -0.64, -0.68, 0.04, 0.04, 0), (-290, -0.36, -0.84, 0.16, 0.09, 15), (-220, -0.20, -0.80, 0.26, 0.16, 10),
    (-150, -0.12, -0.72, 0.27, 0.20, 0), (-100, -0.06, -0.62, 0.22, 0.20, 0),
    (-50, -0.04, -0.52, 0.10, 0.12, 0),
]  # fmt: skip
BICEPS_LONG: list[Row] = [
    (-430, 0.62, -0.40, 0.05, 0.06, 0), (-390, 0.56, -0.46, 0.16, 0.17, -20), (-340, 0.50, -0.52, 0.25, 0.26, -25),
    (-290, 0.42, -0.58, 0.31, 0.28, -25), (-220, 0.32, -0.66, 0.32, 0.24, -15), (-150, 0.24, -0.68, 0.27, 0.20, 0),
    (-95, 0.22, -0.58, 0.20, 0.18, 0),
    (-50, 0.14, -0.50, 0.08, 0.10, 0),
]  # fmt: skip
BICEPS_SHORT: list[Row] = [
    (-390, 0.58, -0.40, 0.06, 0.06, 0), (-340, 0.56, -0.36, 0.15, 0.15, 0), (-260, 0.52, -0.28, 0.16, 0.19, 0),
    (-180, 0.44, -0.22, 0.08, 0.12, 0),
]  # fmt: skip
TIBIALIS_ANTERIOR: list[Row] = [
    (-660, 0.28, 0.62, 0.24, 0.24, 0), (-500, 0.38, 0.60, 0.24, 0.30, 25), (-440, 0.42, 0.46, 0.12, 0.16, 0),
]  # fmt: skip
EXTENSORS: list[Row] = [
    (-660, 0.52, 0.36, 0.14, 0.26, 20), (-500, 0.60, 0.34, 0.12, 0.26, 20), (-445, 0.62, 0.20, 0.06, 0.12, 0),
]  # fmt: skip
PERONEI: list[Row] = [
    (-660, 0.80, -0.06, 0.18, 0.28, 0), (-500, 0.82, 0.02, 0.14, 0.28, 0), (-440, 0.78, 0.00, 0.06, 0.10, 0),
]  # fmt: skip
TIBIALIS_POSTERIOR: list[Row] = [
    (-660, 0.22, 0.02, 0.26, 0.24, 0), (-500, 0.26, 0.06, 0.22, 0.22, 0), (-450, 0.26, 0.02, 0.08, 0.08, 0),
]  # fmt: skip
POPLITEUS: list[Row] = [
    (-490, -0.20, -0.06, 0.20, 0.08, 0), (-450, 0.00, -0.14, 0.40, 0.12, -10), (-412, 0.35, -0.25, 0.12, 0.06, 0),
]  # fmt: skip
SOLEUS: list[Row] = [
    (-660, 0.06, -0.36, 0.80, 0.36, 0), (-520, 0.10, -0.30, 0.74, 0.28, 0), (-470, 0.34, -0.32, 0.36, 0.18, 0),
    (-435, 0.50, -0.32, 0.12, 0.08, 0),
]  # fmt: skip
GASTROCNEMIUS_MEDIAL: list[Row] = [
    (-660, -0.42, -0.78, 0.40, 0.20, -20), (-520, -0.48, -0.58, 0.46, 0.38, -30), (-460, -0.50, -0.50, 0.40, 0.40, -15),
    (-410, -0.36, -0.58, 0.24, 0.24, 0), (-375, -0.30, -0.50, 0.10, 0.10, 0),
]  # fmt: skip
GASTROCNEMIUS_LATERAL: list[Row] = [
    (-660, 0.34, -0.80, 0.34, 0.14, 15), (-520, 0.40, -0.70, 0.42, 0.28, 20), (-460, 0.38, -0.62, 0.32, 0.28, 0),
    (-410, 0.34, -0.60, 0.22, 0.22, 0), (-375, 0.30, -0.52, 0.08, 0.08, 0),
]  # fmt: skip
THIGH = (
    RECTUS_FEMORIS, VASTUS_LATERALIS, VASTUS_INTERMEDIUS, VASTUS_MEDIALIS, SARTORIUS, ADDUCTOR_LONGUS, ADDUCTOR_BREVIS,
    PECTINEUS, ADDUCTOR_MAGNUS, GRACILIS, SEMIMEMBRANOSUS, SEMITENDINOSUS, BICEPS_LONG, BICEPS_SHORT,
)  # fmt: skip
CALF = (
    TIBIALIS_ANTERIOR, EXTENSORS, PERONEI, TIBIALIS_POSTERIOR, POPLITEUS, SOLEUS, GASTROCNEMIUS_MEDIAL,
    GASTROCNEMIUS_LATERAL,
)  # fmt: skip
"""Outward and forward are counted in half axes of the leg's own muscle outline."""


def paint_leg_muscles(scene: Scene) -> None:
    """Paint the bellies of both legs, with the great vessels between them."""
    anatomy = scene.anatomy
    size, build = anatomy.size, anatomy.build
    for which, femur in enumerate(anatomy.femora):
        box = leg_box(scene.canvas, femur.side, high=62 * size)
        if box is None:
            continue
        x, y, z = scene.canvas.coordinates(box)
        at = build.leg_fascia[which].at(z)
        cx, cy = leg_axis(femur, z, size)
        side = np.float32(femur.side)
        frame = Frame(
            cx + (at.right - at.left) / 2, cy + (at.front + at.back) / 2,
            side * (at.left + at.right) / 2, (at.front - at.back) / 2, size,
        )  # fmt: skip
        # Inner boundaries of a compartment aren't in its outline: only what lies in the fascia is muscle.
        muscle = packed(
            x, y, z, (*THIGH, *CALF), frame,
            gap_mm=build.fat_between, bulge_mm=_BULGE_MM, wobble=scene.wobble(box),
        )  # fmt: skip
        np.maximum(muscle, scene.lines.fascia[box] + np.float32(0.6), out=muscle)
        scene.muscle(box, muscle)
        _paint_vessels(scene, femur)


def _paint_vessels(scene: Scene, femur: Femur) -> None:
    """Femoral artery and vein, from the groin through the adductors to the back of the knee."""
    size, side = scene.anatomy.size, float(femur.side)
    heights = np.array([10, -60, -130, -200, -270, -330, -400, -470]) * size
    out = [74, 78, 70, 66, 66, 72, 77, 80]
    front = [46, 44, 38, 22, 0, -18, -30, -26]
    for aside, behind, radius in ((0, 0, 3.6), (-9, -5, 4.4)):
        for start in range(len(heights) - 1):
            pair = [
                (side * (out[i] + aside) * size, front[i] * size + behind + femur.knee[1], float(heights[i]))
                for i in (start, start + 1)
            ]
            box = scene.canvas.along(*pair, margin=radius + 5)
            if box is not None:
                vessel = scene.canvas.distance(box, tube, pair, radius * size)
                scene.canvas.paint(box, vessel - np.float32(1.5), "fat", fat_percent=88)
                scene.canvas.paint(box, vessel, "blood")
