"""Legs of one person: outlines of muscle and skin from the groin to the calf, around an axis from hip to knee."""

from __future__ import annotations

import numpy as np

from bmx.simulation.anatomy.contours import Contour, wavering

_Z = np.array([-560, -500, -450, -420, -400, -370, -340, -300, -250, -200, -150, -100, -60, 20], float)
"""Heights of a person of 170 cm; the joint line of the knee lies at -406."""

_OUTER_MM = np.array([46, 47, 46, 48, 50, 50, 51, 55, 61, 66, 70, 73, 75, 76], float)
_INNER_MM = np.array([46, 49, 46, 48, 50, 51, 52, 56, 62, 67, 71, 72, 70, 66], float)
_FRONT_MM = np.array([34, 37, 41, 48, 52, 52, 52, 56, 62, 66, 68, 68, 64, 58], float)
_BACK_MM = np.array([56, 58, 50, 46, 45, 47, 50, 54, 59, 64, 68, 72, 76, 80], float)

_FAT_OUTER_MM = (
    np.array([6, 6, 5, 4, 4, 5, 6, 6, 6, 7, 8, 9, 10, 10], float),
    np.array([10, 10, 9, 8, 9, 11, 13, 14, 17, 20, 24, 28, 31, 31], float),
)
_FAT_INNER_MM = (
    np.array([7, 7, 7, 6, 6, 7, 7, 7, 8, 9, 11, 13, 13, 12], float),
    np.array([11, 12, 12, 12, 13, 16, 17, 17, 18, 20, 23, 26, 26, 22], float),
)
_FAT_FRONT_MM = (
    np.array([4, 4, 4, 3, 3, 4, 5, 6, 6, 7, 7, 8, 8, 9], float),
    np.array([6, 6, 6, 5, 5, 7, 9, 11, 12, 13, 14, 15, 15, 16], float),
)
_FAT_BACK_MM = (
    np.array([7, 7, 8, 8, 8, 8, 8, 8, 8, 9, 10, 12, 18, 24], float),
    np.array([9, 9, 10, 11, 11, 12, 12, 12, 13, 15, 18, 24, 30, 34], float),
)
"""Subcutaneous fat at a BMI of 22.5: men, women."""


def draw_leg(
    rng: np.random.Generator, side: int, *, male: bool, size: float, bulk: float, fat: float
) -> tuple[Contour, Contour]:
    """Outlines of skin and of muscle of one leg; x and y count from the leg's axis.

    Parameters
    ----------
    side : -1 left, +1 right
    size, bulk : as of the trunk
    fat : thickness of the subcutaneous fat of the legs relative to a BMI of 22.5
    """
    count, sex = len(_Z), 0 if male else 1
    # The knee is bone: it grows with the skeleton, not with muscle.
    muscled = 1 - 0.75 * np.exp(-(((_Z + 408) / 45) ** 2))
    girth = size * (1 + (bulk * (1.0 if male else 0.96) - 1) * muscled)

    def around(table: np.ndarray, sd: float) -> np.ndarray:
        made: np.ndarray = table * wavering(rng, count, sd)
        return made

    outer, inner, front, back = (girth * around(table, 0.015) for table in (_OUTER_MM, _INNER_MM, _FRONT_MM, _BACK_MM))
    # Who gains weight gains less of it below the knee.
    reach = 0.45 + 0.55 * np.clip((_Z + 420) / 170, 0, 1)
    pads = [
        fat ** (share * reach) * around(table[sex], 0.05)
        for table, share in ((_FAT_OUTER_MM, 1.0), (_FAT_INNER_MM, 1.05), (_FAT_FRONT_MM, 1.0), (_FAT_BACK_MM, 0.85))
    ]
    z, middle = _Z * size, np.full(count, -3.0)
    power, flat = np.full(count, 2.1), np.full(count, 2.15)

    def contour(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> Contour:
        left, right = (a, b) if side < 0 else (b, a)
        return Contour(z, left, right, c, -d, middle, power, flat)

    muscle = contour(outer, inner, front, back)
    return contour(outer + pads[0], inner + pads[1], front + pads[2], back + pads[3]), muscle
