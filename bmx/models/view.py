"""How a slab is shown to a model that isn't made for its grid: contrasts, turned and resampled; and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmx.core.geometry import Points, voxel_size
from bmx.core.orientation import STORED, Turn, check_orientation, turn_to
from bmx.core.regrid import regrid
from bmx.errors import ModelError, did_you_mean
from bmx.types import Affine, FloatVolume, IntVolume

Contrast = Literal["fat+water", "fat", "water", "in_phase", "opposed_phase"]
"""What a model can be shown. In-phase is F + W and opposed-phase is |F − W|, as the scanner made fat and water of them;
so neither needs to be in the store."""

_SAME = 0.005
"""Spacings that differ by less than this share are the same: `regrid` leaves such voxels as they are."""
_LARGEST = 2**28
"""Voxels of a resampled slab; even at 1 mm a slab has a tenth of that."""


class Seen(NamedTuple):
    """What a model is shown."""

    images: tuple[FloatVolume, ...]
    """One for each contrast, each (·, ·, ·) in the model's orientation and spacing; arbitrary units."""
    affine: Affine
    """Voxel index, last axis first, to RAS+ mm."""
    turn: Turn
    turned_shape: tuple[int, ...]
    """After turning and before resampling."""
    steps: tuple[float, float, float]
    """How many voxels of the turned slab one step of the images is long; 1 where nothing was resampled."""


@dataclass(frozen=True, slots=True)
class View:
    """What a model wants to see; what it answers is laid back onto the slab."""

    input: tuple[Contrast, ...]
    """One for each channel."""
    orientation: str = STORED
    """Directions in which the first, second and third axis grow."""
    spacing: tuple[float, float, float] | None = None
    """Of these axes, mm; None if the model resamples by itself, or takes any."""

    def __post_init__(self) -> None:
        for one in self.input:
            if one not in get_args(Contrast):
                raise ModelError(f"no contrast is called {one!r}; {did_you_mean(str(one), get_args(Contrast))}")
        if not self.input:
            raise ModelError(f"a model must be shown at least one contrast; {did_you_mean('', get_args(Contrast))}")
        if self.spacing is not None and not (len(self.spacing) == 3 and min(self.spacing) > 0):
            raise ModelError(f"spacing must be three positive numbers, mm, or None; found {self.spacing}")
        try:
            check_orientation(self.orientation)
        except ValueError as exc:
            raise ModelError(str(exc)) from exc

    def see(self, fat: IntVolume, water: IntVolume, affine: Affine) -> Seen:
        """Show a slab.

        Parameters
        ----------
        fat, water : (z, y, x) uint16, arbitrary scanner units
        affine : (3, 4) float64

        Raises
        ------
        ValueError
            The affine isn't finite or far askew, or the spacing asks for more voxels than can be meant.
        """
        turn = turn_to(affine, self.orientation)
        images = tuple(turn.apply(mix(fat, water, one)) for one in self.input)
        here, shape = turn.affine(affine, fat.shape), images[0].shape
        if self.spacing is None:
            return Seen(tuple(np.ascontiguousarray(image) for image in images), here, turn, shape, (1.0, 1.0, 1.0))
        current = voxel_size(here)[::-1]
        refuse_too_many(shape, current.tolist(), self.spacing)
        steps = np.array(self.spacing) / current
        steps[np.abs(steps - 1) < _SAME] = 1.0
        images = tuple(regrid(image, current.tolist(), (steps * current).tolist()) for image in images)
        first = _first_voxel(shape, images[0].shape, steps)
        columns = here[:, :3] * steps[::-1]
        moved = np.column_stack([columns, here[:, :3] @ first[::-1] + here[:, 3]])
        return Seen(images, moved, turn, shape, (float(steps[0]), float(steps[1]), float(steps[2])))

    def lay_back(self, answer: npt.NDArray[Any], seen: Seen) -> npt.NDArray[Any]:
        """Labels, or a mask of 0 and 1, of what was seen, laid onto the slab: (z, y, x), of the dtype that came."""
        if seen.steps != (1.0, 1.0, 1.0):
            answer = _onto(answer, seen)
        return seen.turn.undo(answer)


def mix(fat: IntVolume, water: IntVolume, contrast: Contrast) -> FloatVolume:
    """One contrast from fat and water, float32.

    Examples
    --------
    >>> float(mix(np.uint16([60000]), np.uint16([30000]), "fat+water")[0])
    90000.0
    """
    fat32, water32 = fat.astype(np.float32), water.astype(np.float32)
    match contrast:
        case "fat":
            return fat32
        case "water":
            return water32
        case "opposed_phase":
            apart: FloatVolume = np.abs(fat32 - water32)
            return apart
        case _:
            return fat32 + water32


def refuse_too_many(shape: tuple[int, ...], spacing: list[float], target: tuple[float, ...]) -> None:
    """Refuse a spacing that is in another unit, or of another kind of image."""
    voxels = float(np.prod([n * s / t for n, s, t in zip(shape, spacing, target, strict=True)]))
    if voxels > _LARGEST:
        raise ValueError(
            f"at a spacing of {', '.join(f'{one:g}' for one in target)} mm this slab of "
            f"{', '.join(f'{one:g}' for one in spacing)} mm would have {voxels:.2g} voxels, expected at most "
            f"{_LARGEST:.2g}; is the spacing in millimetres, and the model one of bodies?"
        )


def _first_voxel(shape: tuple[int, ...], resampled: tuple[int, ...], steps: npt.NDArray[np.float64]) -> Points:
    """Where `regrid` puts the first new voxel, in old voxels: the middle of the volume stays in the middle."""
    return np.asarray((np.array(shape) - 1) / 2 - steps * (np.array(resampled) - 1) / 2, np.float64)


def _onto(answer: npt.NDArray[Any], seen: Seen) -> npt.NDArray[Any]:
    """Back to the voxels before resampling: labels from the nearest voxel, a mask where at least half is inside."""
    steps = np.array(seen.steps)
    offset = -_first_voxel(seen.turned_shape, answer.shape, steps) / steps
    labels = int(answer.max(initial=0)) > 1
    back = ndimage.affine_transform(
        answer if labels else answer.astype(np.float32),
        1 / steps,
        offset,
        output_shape=seen.turned_shape,
        order=0 if labels else 1,
        mode="nearest",
    )
    return np.asarray(back if labels else back >= 0.5).astype(answer.dtype)
