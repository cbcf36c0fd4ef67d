"""Trunk of one person: outlines of muscle, cavity and skin from the neck to the groin."""

from __future__ import annotations

import numpy as np

from bmx.simulation.anatomy.contours import Contour, Numbers, wavering

_Z = np.array([-95, -60, -20, 20, 60, 100, 140, 190, 240, 290, 340, 390, 430, 460, 490, 505, 530, 560], float)
"""Heights of a person of 170 cm; the hip joints lie at 0."""

_HALF_MM = np.array([148, 160, 161, 159, 150, 138, 130, 126, 130, 138, 144, 150, 156, 162, 142, 108, 66, 56], float)
_FRONT_MM = np.array([38, 52, 62, 66, 68, 70, 72, 74, 78, 84, 88, 86, 76, 62, 46, 40, 38, 38], float)
_BACK_MM = np.array([-84, -101, -107, -105, -99, -91, -87, -87, -91, -98, -106, -114, -117, -114, -106, -100, -88, -76])
_POWER = np.array([2.2, 2.2, 2.2, 2.2, 2.15, 2.1, 2.1, 2.1, 2.1, 2.1, 2.1, 2.2, 2.3, 2.4, 2.2, 2.1, 2.0, 2.0])
_POWER_BACK = np.array([2.2, 2.2, 2.2, 2.2, 2.3, 2.4, 2.5, 2.5, 2.5, 2.5, 2.5, 2.6, 2.7, 2.6, 2.4, 2.2, 2.0, 2.0])
_WOMAN = np.array(
    [1.03, 1.03, 1.03, 1.01, 0.98, 0.95, 0.92, 0.9, 0.9, 0.91, 0.92, 0.92, 0.92, 0.91, 0.9, 0.9, 0.9, 0.88]
)
"""Of muscle, a lean man; how wide a woman is relative to him."""

_CAVITY_Z = np.array([-75, -50, -20, 20, 60, 100, 140, 190, 240, 290, 340, 390, 430, 460, 490, 515, 540], float)
_CAVITY_HALF_MM = np.array([36, 46, 55, 66, 86, 100, 105, 106, 112, 121, 126, 126, 120, 108, 88, 62, 28], float)
_CAVITY_FRONT_MM = np.array([25, 36, 44, 50, 55, 58, 60, 63, 67, 72, 76, 73, 62, 47, 30, 18, 2], float)
_CAVITY_BACK_MM = np.array([-56, -68, -78, -80, -72, -63, -60, -62, -70, -80, -90, -97, -98, -94, -84, -66, -44], float)

_FAT_FRONT_MM = (
    np.array([8, 8, 9, 11, 14, 16, 17, 16, 14, 12, 10, 8, 8, 7, 6, 6, 5, 5], float),
    np.array([12, 14, 16, 20, 23, 25, 25, 22, 18, 14, 11, 10, 11, 9, 7, 7, 6, 5], float),
)
_FAT_SIDE_MM = (
    np.array([10, 10, 11, 12, 14, 17, 19, 18, 15, 12, 11, 10, 9, 8, 7, 6, 5, 5], float),
    np.array([33, 33, 32, 30, 28, 27, 25, 22, 18, 15, 14, 14, 13, 10, 8, 7, 6, 5], float),
)
_FAT_BACK_MM = (
    np.array([20, 24, 26, 24, 20, 15, 13, 12, 10, 9, 8, 8, 8, 8, 8, 8, 7, 7], float),
    np.array([32, 36, 38, 36, 30, 22, 18, 16, 14, 12, 11, 11, 11, 10, 9, 9, 8, 8], float),
)
"""Subcutaneous fat at a BMI of 22.5: men, women."""

_BELLY = np.exp(-(((_Z - 175) / 95) ** 2))
"""Where visceral fat lifts the wall."""


def draw_trunk(
    rng: np.random.Generator, *, male: bool, size: float, bulk: float, fat: float, android: float, visceral_kg: float
) -> tuple[Contour, Contour, Contour]:
    """Outlines of skin, of muscle and of the cavity inside it.

    Parameters
    ----------
    size : length of the skeleton relative to 170 cm
    bulk : girth of muscle relative to middle
    fat : thickness of the subcutaneous fat relative to a BMI of 22.5
    android : how much more of it lies on the belly than usual
    visceral_kg : fat inside the cavity
    """
    count = len(_Z)
    sex = 0 if male else 1
    wide = size * bulk * (np.ones(count) if male else _WOMAN)
    deep = size * bulk * (1.0 if male else 0.95)
    lift = float(np.clip(visceral_kg - 0.7, -0.4, 3.2))
    sides = [_HALF_MM * wide * wavering(rng, count, 0.012) + 7.0 * lift * _BELLY for _ in range(2)]
    front = _FRONT_MM * deep * wavering(rng, count, 0.02) + 17.0 * lift * _BELLY
    back = _BACK_MM * size * bulk**0.5 * wavering(rng, count, 0.01)
    middle = 0.45 * front + 0.55 * back
    z = _Z * size
    muscle = Contour(z, sides[0], sides[1], front, back, middle, _POWER, _POWER_BACK)

    belly = 1 + (android - 1) * _BELLY
    thick = [fat * belly * wavering(rng, count, 0.06) * table[sex] for table in (_FAT_FRONT_MM, _FAT_SIDE_MM)]
    # What a person lies upon is pressed flat: fat behind grows less than elsewhere.
    behind = fat**0.75 * wavering(rng, count, 0.05) * _FAT_BACK_MM[sex]
    pads = [thick[1] * wavering(rng, count, 0.02) for _ in range(2)]
    power = _POWER + 0.1 * min(fat, 3)
    skin = Contour(
        z, sides[0] + pads[0], sides[1] + pads[1], front + thick[0], back - behind, middle, power, _POWER_BACK + 0.1
    )
    return skin, muscle, _draw_cavity(rng, muscle, size, 1.0 if male else 0.94)


def _draw_cavity(rng: np.random.Generator, muscle: Contour, size: float, slim: float) -> Contour:
    """Inside of the ribs, the wall of the belly and the pelvis: it follows the muscle around it."""
    z = _CAVITY_Z * size
    around = [np.interp(z, muscle.z, values) for values in (muscle.left, muscle.right, muscle.front)]
    usual = [np.interp(_CAVITY_Z, _Z, values) * size * slim for values in (_HALF_MM, _HALF_MM, _FRONT_MM)]
    # A wall that is pushed outward keeps its thickness.
    left, right = (
        _CAVITY_HALF_MM * size * slim + 0.95 * (now - then) for now, then in zip(around[:2], usual[:2], strict=True)
    )
    front = _CAVITY_FRONT_MM * size * slim + 0.97 * (around[2] - usual[2])
    back = _CAVITY_BACK_MM * size * wavering(rng, len(z), 0.015)
    floor = np.full(len(z), 20.0)
    power = np.interp(_CAVITY_Z, [-75, 60, 190, 390, 540], [2.0, 2.3, 2.4, 2.3, 2.0])
    return Contour(
        z, np.maximum(left, floor), np.maximum(right, floor), front, back, 0.4 * front + 0.6 * back, power, power + 0.2
    )


def half_width(contour: Contour, side: int, z: float) -> float:
    """How far a contour reaches to one side (-1 left, +1 right) at a height, mm."""
    values: Numbers = contour.left if side < 0 else contour.right
    return float(np.interp(z, contour.z, values))
