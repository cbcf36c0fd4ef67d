"""Volumes turned to the directions that somebody else's model has learned, and back. Arrays are (z, y, x)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from bmx.core.geometry import check_affine, voxel_size
from bmx.types import Affine

STORED = "SPL"
"""How bmx stores volumes: z grows towards Superior, y towards Posterior, x towards Left, as DICOM has them."""

_TOWARDS = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
"""Letter -> axis of RAS+ space, and the sign along it."""

_OBLIQUE = float(np.cos(np.deg2rad(30)))
"""Beyond 30 degrees it is a matter of taste which axis of the body a voxel axis runs along."""

Any3D = TypeVar("Any3D", bound=npt.NDArray[Any])


@dataclass(frozen=True, slots=True)
class Turn:
    """How the axes of a volume are exchanged and reversed, and nothing else: no voxel is interpolated."""

    order: tuple[int, int, int]
    """Which axis of the volume becomes the first, second and third."""
    reversed: tuple[bool, bool, bool]
    """Which of these then run the other way."""

    def apply(self, volume: Any3D) -> Any3D:
        """Turn a volume, (z, y, x) to the new order; a view.

        Examples
        --------
        >>> Turn((2, 1, 0), (True, False, False)).apply(np.arange(3).reshape(1, 1, 3)).tolist()
        [[[2]], [[1]], [[0]]]
        """
        return np.transpose(volume, self.order)[self._steps()]  # type: ignore[return-value]  # numpy forgets which array

    def undo(self, turned: Any3D) -> Any3D:
        """Turn a volume back; a view.

        Examples
        --------
        >>> turn, volume = Turn((1, 2, 0), (True, False, True)), np.arange(24).reshape(2, 3, 4)
        >>> bool((turn.undo(turn.apply(volume)) == volume).all())
        True
        """
        return np.transpose(turned[self._steps()], np.argsort(self.order))  # type: ignore[return-value]  # as above

    def affine(self, affine: Affine, shape: tuple[int, ...]) -> Affine:
        """Affine of the turned volume: voxel index in its own order, last axis first, to RAS+ mm.

        Parameters
        ----------
        affine : (3, 4) float64, of the volume before it is turned
        shape : (z, y, x), of the volume before it is turned

        Examples
        --------
        >>> Turn((0, 1, 2), (False, False, True)).affine(np.eye(3, 4), (5, 6, 7))[0]
        array([-1.,  0.,  0.,  6.])
        """
        columns, origin = affine[:, [2, 1, 0]], affine[:, 3].copy()  # in array order
        turned = []
        for axis, backwards in zip(self.order, self.reversed, strict=True):
            step = columns[:, axis]
            if backwards:
                origin = origin + (shape[axis] - 1) * step
            turned.append(-step if backwards else step)
        return np.column_stack([*turned[::-1], origin])

    def _steps(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, -1) if backwards else slice(None) for backwards in self.reversed)


def turn_to(affine: Affine, orientation: str) -> Turn:
    """Find how a volume must be turned so that its axes grow in given directions.

    Parameters
    ----------
    affine : (3, 4) float64, voxel index (x, y, z, 1) to RAS+ millimetres
    orientation : three letters of R/L, A/P and S/I: towards where the first, second and third axis shall grow. "SPL" is
        how bmx stores volumes, "SAR" how a NIfTI file in RAS+ looks to nnU-Net

    Returns
    -------
    Turn

    Raises
    ------
    ValueError
        The orientation isn't one, the affine isn't finite, or lies more than 30 degrees askew.

    Examples
    --------
    >>> turn_to(np.array([[-2.0, 0, 0, 250], [0, -2, 0, 190], [0, 0, 4.5, 0]]), "SAR")
    Turn(order=(0, 1, 2), reversed=(False, True, True))
    """
    wanted = check_orientation(orientation)
    check_affine(affine)
    cosines = (affine[:, :3] / voxel_size(affine))[:, ::-1]  # columns in array order z, y, x
    best = max(permutations(range(3)), key=lambda order: sum(abs(cosines[w, a]) for w, a in enumerate(order)))
    worst = min(abs(float(cosines[world, axis])) for world, axis in enumerate(best))
    if worst < _OBLIQUE:
        raise ValueError(
            f"the image lies {np.rad2deg(np.arccos(worst)):.0f} degrees askew to the body, expected at most 30: no "
            "turning by right angles makes it what a model has learned; check its affine"
        )
    order, backwards = [], []
    for world, sign in wanted:
        axis = best[world]
        order.append(axis)
        backwards.append(bool(cosines[world, axis] * sign < 0))
    return Turn((order[0], order[1], order[2]), (backwards[0], backwards[1], backwards[2]))


def check_orientation(orientation: str) -> list[tuple[int, int]]:
    """For each letter the axis of RAS+ space and the sign along it; refuse what is no orientation.

    Examples
    --------
    >>> check_orientation("SPL")
    [(2, 1), (1, -1), (0, -1)]
    >>> check_orientation("SSL")
    Traceback (most recent call last):
    ...
    ValueError: 'SSL' is no orientation; expected three letters, one of R or L, one of A or P and one of S or I, ...
    """
    wanted = [_TOWARDS.get(letter, (-1, 0)) for letter in orientation]
    if sorted(axis for axis, _ in wanted) != [0, 1, 2]:
        raise ValueError(
            f"{orientation!r} is no orientation; expected three letters, one of R or L, one of A or P and one of S or "
            f"I, for the directions in which the first, second and third axis grow; bmx stores volumes as {STORED}"
        )
    return wanted
