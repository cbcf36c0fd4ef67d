"""What a network sees of a Dixon pair: F + W (or another contrast), cut to the body, at a standard brightness."""

from __future__ import annotations

from typing import Literal, NamedTuple, cast, get_args

import numpy as np
from scipy import ndimage

from bmx.errors import did_you_mean
from bmx.types import FloatVolume, IntVolume

InputContrast = Literal["fat+water", "fat"]

BODY_THRESHOLD = 0.12
"""Share of the bright level above which a voxel belongs to the body."""

MARGIN = 4
"""Pixels of air kept around the body."""


class Prepared(NamedTuple):
    """A network's input, and where it lies in the slab."""

    volume: FloatVolume
    """(z, y, x); bright tissue is near 1."""
    box: tuple[slice, slice, slice]
    """What was cut from the slab."""


def get_contrast(name: str) -> InputContrast:
    """Give the contrast called `name`, or say which there are.

    Examples
    --------
    >>> get_contrast("F+W")
    Traceback (most recent call last):
    ...
    ValueError: no network input is called 'F+W'; expected one of fat+water, fat
    """
    if name not in get_args(InputContrast):
        raise ValueError(f"no network input is called {name!r}; {did_you_mean(str(name), get_args(InputContrast))}")
    return cast("InputContrast", name)


def prepare(
    fat: IntVolume | FloatVolume, water: IntVolume | FloatVolume, contrast: InputContrast = "fat+water"
) -> Prepared:
    """Cut a slab to the body and scale it.

    F + W is the default: a fat-water swap leaves it unchanged. Background is removed as in the paper
    (2.5); only rows and columns are cut, never slices.

    Parameters
    ----------
    fat, water : (z, y, x) uint16, or float32 if they were resampled; arbitrary scanner units, acquired slices only

    Raises
    ------
    ValueError
        If there is no such contrast.

    Examples
    --------
    >>> fat = np.zeros((4, 60, 80), np.uint16)
    >>> fat[:, 20:40, 30:60] = 500
    >>> prepared = prepare(fat, np.zeros_like(fat))
    >>> prepared.volume.shape, float(prepared.volume.max())
    ((4, 28, 36), 1.0)
    """
    seen_by_network = get_contrast(contrast)
    total = fat.astype(np.float32) + water.astype(np.float32)
    level = bright_level(total)
    if level == 0:
        return Prepared(np.zeros(total.shape, np.float32), (slice(None), slice(None), slice(None)))
    box = body_box(total > BODY_THRESHOLD * level)
    seen = total[box] if seen_by_network == "fat+water" else fat[box].astype(np.float32)
    return Prepared(seen / np.float32(level), box)


def bright_level(volume: FloatVolume) -> float:
    """Brightness of fatty tissue: the 98th percentile of what isn't air; 0 for an empty volume."""
    top = float(volume.max(initial=0))
    tissue = volume[volume > 0.05 * top]
    return float(np.percentile(tissue, 98)) if tissue.size else 0.0


def body_box(body: np.ndarray) -> tuple[slice, slice, slice]:
    """Rows and columns of the trunk, or of both legs, with a margin; arms that don't touch it are left out.

    Parameters
    ----------
    body : (z, y, x) bool
    """
    # A projection at a quarter of the resolution tells trunk, legs and arms apart and is quick to label.
    profile = body.mean(axis=0) > 0.3
    rows, columns = (length // 4 * 4 for length in profile.shape)
    coarse = profile[:rows, :columns].reshape(rows // 4, 4, columns // 4, 4).mean(axis=(1, 3)) > 0.5
    labels, count = ndimage.label(coarse)
    if count == 0:
        return slice(None), slice(None), slice(None)
    sizes = ndimage.sum_labels(coarse, labels, np.arange(1, count + 1))
    # Two legs are alike in size; an arm is less than half a leg.
    kept = np.isin(labels, np.flatnonzero(sizes >= 0.5 * sizes.max()) + 1)
    ranges = []
    for axis, length in ((1, profile.shape[0]), (0, profile.shape[1])):
        found = np.flatnonzero(kept.any(axis=axis))
        ranges.append(slice(max(int(found[0]) * 4 - MARGIN, 0), min(int(found[-1] + 1) * 4 + MARGIN, length)))
    return slice(None), ranges[0], ranges[1]
