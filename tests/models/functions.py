"""Functions that answer by geometry alone, as models: at the top of a module, so that other processes find them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bmx.core.geometry import to_world
from bmx.types import Affine


def places_of(shape: tuple[int, ...], affine: Affine) -> npt.NDArray[np.float64]:
    return to_world(affine, np.moveaxis(np.indices(shape), 0, -1))


def ellipsoid(image: npt.NDArray[np.float32], affine: Affine) -> npt.NDArray[np.bool_]:
    """A model that answers by geometry alone: something without any symmetry, on the left of the body."""
    offset = (places_of(image.shape, affine) - [-14, 6, -8]) / [14, 10, 16]
    return np.asarray((offset**2).sum(axis=-1) < 1)


def bands(image: npt.NDArray[np.float32], affine: Affine) -> npt.NDArray[np.int64]:
    """Labels by geometry: 1 is right, 2 left, 3 whatever lies high."""
    places = places_of(image.shape, affine)
    return np.where(places[..., 2] > 0, 3, np.where(places[..., 0] > 0, 1, 2))


def few_slices(image: npt.NDArray[np.float32], affine: Affine) -> npt.NDArray[np.bool_]:
    """A block in the middle, wherever the volume lies."""
    drawn = np.zeros(image.shape, np.bool_)
    drawn[tuple(slice(n // 2 - 5, n // 2 + 5) for n in image.shape)] = True
    return drawn
