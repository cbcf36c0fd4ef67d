"""Where one vertebra of a column ends and the next begins, from how full the column is along its centre line.

A disc space is a dip of two profiles: of the core (the part near the line, which hollow endplates empty first) and of
the whole cross section. Where a bad segmentation has bridged it, the dip is shallow, and as deep as the waist of a
vertebra; then only the distance of its neighbours tells one from the other. Both are weighed together, and the best of
all choices of borders is found exactly, by dynamic programming.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.signal import find_peaks

from bmx.core.column_line import STEP_MM, ColumnLine
from bmx.core.geometry import Points
from bmx.types import Affine, Mask

CORE_RADIUS_MM = 11.0
"""Half the radius of a lumbar vertebra: its hollow endplates lie nearer to the line than that."""

WHOLE_RADIUS_MM = 36.0
"""Beyond the rim of any vertebra."""

PITCH = 0.8
"""Distance of neighbouring vertebrae relative to the diameter of a circle as large as their cross section: between that
of whole bodies and that of bodies that a segmentation has drawn too large, where it matters most."""

_PITCHES = PITCH * np.exp(np.linspace(-0.35, 0.35, 15))
_PITCH_SD = 0.2
"""Of the logarithm: masks of the inner marrow are narrower than the bone, dilated ones are wider."""
_UNEVEN = 4.0
"""Price of a vertebra e times too long or too short; a fracture that halves one costs 2."""
_EMPTY = 0.1
"""A gap without any bone is worth ten."""
_PRICE = 0.12
"""What a dip must be worth to be a border of its own accord: more than the waist of a vertebra."""
_PRICE_IF_CLEAR = 0.5
"""The same where a quarter of the dips are clear gaps: then most borders are, and a shallow dip is rarely one."""
_SEEN_MM = 22.0
"""How far to either side a dip is compared with what is around it."""
Indices = npt.NDArray[np.int64]


def find_borders(line: ColumnLine, mask: Mask, affine: Affine) -> Points:
    """Places along a line where one vertebra ends and the next begins.

    Parameters
    ----------
    line : ColumnLine through the mask
    mask : (z, y, x) bool
    affine : (3, 4) float64

    Returns
    -------
    (n + 1,) float64, mm along the line, ascending, for n vertebrae: the ends of the column are the first and the last.
    """
    core = line.filled(mask, affine, CORE_RADIUS_MM)
    whole = line.filled(mask, affine, WHOLE_RADIUS_MM)
    (inside,) = np.nonzero(whole > 0)
    if len(inside) < 2:  # a few voxels, between the points of the discs
        return np.array([0.0, (len(whole) - 1) * STEP_MM])
    first, last = int(inside[0]), int(inside[-1]) + 1
    core, whole = core[first:last], whole[first:last]
    dip = _dip(core * whole)
    # As odds: a shallow dip is worth its depth, an empty gap more than any unevenness costs.
    worth = dip / (1 - dip + _EMPTY)
    dips = np.concatenate([[0], find_peaks(worth[:-1])[0], [len(whole)]])
    clear = len(dips) > 2 and np.percentile(worth[dips[1:-1]], 75) > 1
    worth -= _PRICE_IF_CLEAR if clear else _PRICE
    area = ndimage.percentile_filter(whole, 95, size=round(70 / STEP_MM), mode="nearest")
    diameter = 2 * WHOLE_RADIUS_MM * np.sqrt(area)
    best: tuple[float, list[int]] = (-np.inf, [0, len(whole)])
    for pitch in _PITCHES:
        score, borders = _best_choice(dips, worth, pitch * diameter)
        score -= 0.5 * (np.log(pitch / PITCH) / _PITCH_SD) ** 2
        best = max(best, (score, borders))
    return (np.array(best[1]) + first) * STEP_MM


def _dip(profile: Points) -> Points:
    """Share, 0-1, by which a profile lies below the smaller of its two highest values nearby on either side."""
    smooth = ndimage.gaussian_filter1d(profile, 1.0 / STEP_MM, mode="nearest")
    reach = round(_SEEN_MM / STEP_MM)
    padded = np.pad(smooth, reach)
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach + 1).max(axis=1)
    around = np.minimum(windows[: len(smooth)], windows[reach : reach + len(smooth)])
    dip: npt.NDArray[np.float64] = 1 - np.divide(smooth, around, out=np.ones_like(smooth), where=around > 0)
    return dip


def _best_choice(dips: Indices, worth: Points, pitch: Points) -> tuple[float, list[int]]:
    """Choose among the dips so that their worth, less the price of uneven distances, is greatest."""
    score = np.full(len(dips), -np.inf)
    score[0] = 0.0
    came = np.zeros(len(dips), np.int64)
    last = len(dips) - 1
    for end in range(1, len(dips)):
        starts = np.arange(end)
        size = (dips[end] - dips[starts]) * STEP_MM
        off = np.log(size / pitch[(dips[starts] + dips[end] - 1) // 2])
        # The column's ends may cut a vertebra anywhere, so that there only a long one is unlikely.
        cut = (starts == 0) | (end == last)
        total = score[starts] - _UNEVEN * np.where(cut, np.maximum(off, 0), off) ** 2
        chosen = int(np.argmax(total))
        score[end] = total[chosen] + (worth[dips[end]] if end < last else 0.0)
        came[end] = chosen
    chain = [last]
    while chain[-1] > 0:
        chain.append(int(came[chain[-1]]))
    return float(score[last]), [int(dips[one]) for one in chain[::-1]]
