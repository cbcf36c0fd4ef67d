"""Which voxels of a volume are exchanged: the exact optimum of evidence and borders, as a minimum cut.

A voxel's label is 1 where fat and water are exchanged. Neighbours should have the same label wherever the fat fraction
goes on smoothly, or changes together with brightness, as it does from fat to muscle. Where the fat fraction is
mirrored from one voxel to the next, and brightness is not, lies the sharp border of a swap, and a change of label is
nearly free.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

from bmx.types import FloatVolume, Mask

_SMOOTH = 0.9
"""Price of a border through tissue whose fat fraction goes on: fat beside fat, water beside water."""

_STEP = 0.7
"""Price of a border where fat fraction and brightness change together."""

_ANYWHERE = 0.06
"""Price of any border: small things are not exchanged."""

_BRIGHTNESS = 0.45
"""Change of log brightness that is surely one of tissue."""

_UNITS = 1000
"""SciPy's flows are whole numbers."""


def link(contrast: FloatVolume, brightness: FloatVolume, inside: Mask, axis: int) -> FloatVolume:
    """Price of a border between each voxel and the next one along an axis.

    Parameters
    ----------
    contrast : (z, y, x) from -1 (water) to 1 (fat)
    brightness : (z, y, x) log of F + W
    inside : (z, y, x) bool, which voxels count

    Returns
    -------
    float32, one shorter along `axis`; 0 where one of the two doesn't count. It doesn't change if both are exchanged.

    Examples
    --------
    >>> fat_fat_water = np.float32([[[0.9, 0.9, -0.9]]])
    >>> same_brightness = np.zeros((1, 1, 3), np.float32)
    >>> link(fat_fat_water, same_brightness, np.ones((1, 1, 3), bool), 2).round(2)
    array([[[0.79, 0.06]]], dtype=float32)
    """
    one, other = _pairs(contrast, axis)
    both = np.logical_and(*_pairs(inside, axis))
    first, second = _pairs(brightness, axis)
    alike = one * other
    change = np.minimum(np.abs(first - second) / np.float32(_BRIGHTNESS), 1)
    price = np.where(alike > 0, _SMOOTH * alike, _STEP * -alike * change**2) + np.float32(_ANYWHERE)
    return np.where(both, price, 0).astype(np.float32)


def cut(evidence: FloatVolume, inside: Mask, links: tuple[FloatVolume, FloatVolume, FloatVolume]) -> Mask:
    """Label voxels as exchanged so that evidence for it, less the price of borders, is as large as it can be.

    Parameters
    ----------
    evidence : (z, y, x) for an exchange, log of a likelihood ratio
    inside : (z, y, x) bool, voxels to label
    links : of z, y and x, as `link` gives them

    Returns
    -------
    (z, y, x) bool; exact, not a local optimum.

    Examples
    --------
    >>> evidence = np.float32([[[1, -0.2, 1, -3]]])
    >>> links = tuple(np.full(shape, 0.5, np.float32) for shape in ((0, 1, 4), (1, 0, 4), (1, 1, 3)))
    >>> cut(evidence, np.ones((1, 1, 4), bool), links).astype(int)
    array([[[1, 1, 1, 0]]])
    """
    labels = np.zeros(inside.shape, np.bool_)
    numbers = np.full(inside.shape, -1, np.int32)
    count = int(np.count_nonzero(inside))
    if not count or not (evidence[inside] > 0).any():
        return labels
    numbers[inside] = np.arange(count, dtype=np.int32)
    gain = np.rint(evidence[inside] * _UNITS).astype(np.int64)
    source, sink = count, count + 1
    towards, away = np.flatnonzero(gain > 0), np.flatnonzero(gain < 0)
    rows = [np.full(len(towards), source), away]
    columns = [towards, np.full(len(away), sink)]
    capacity = [gain[towards], -gain[away]]
    for axis, price in enumerate(links):
        one, other = _pairs(numbers, axis)
        tied = (one >= 0) & (other >= 0) & (price > 0)
        strength = np.rint(price[tied] * _UNITS).astype(np.int64)
        rows += [one[tied], other[tied]]
        columns += [other[tied], one[tied]]
        capacity += [strength, strength]
    graph = sparse.csr_array(
        (np.concatenate(capacity).astype(np.int32), (np.concatenate(rows), np.concatenate(columns))),
        shape=(count + 2, count + 2),
    )
    graph.indices, graph.indptr = graph.indices.astype(np.int32), graph.indptr.astype(np.int32)
    flow = csgraph.maximum_flow(graph, source, sink).flow
    left = graph - flow
    left.data[left.data < 0] = 0
    left.eliminate_zeros()
    reached = csgraph.breadth_first_order(left, source, return_predecessors=False)
    chosen = np.zeros(count + 2, np.bool_)
    chosen[reached] = True
    labels[inside] = chosen[:count]
    return labels


def _pairs(volume: npt.NDArray[Any], axis: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Each voxel and the next one along an axis."""
    along = [slice(None)] * 3
    before, after = list(along), list(along)
    before[axis], after[axis] = slice(None, -1), slice(1, None)
    return volume[tuple(before)], volume[tuple(after)]
