"""Whether a piece of a slab that a cut has labelled is surely exchanged.

The cut finds what is most likely; it also finds bright organs in fat, and fat that is dark because a slab ends there.
What tells them apart is the border. That of a swap is sharp, goes straight through tissue, and mirrors the fat
fraction without a change of brightness; that of an organ changes both, and that of a shadow changes neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bmx.core.swap_evidence import Coarse
from bmx.types import FloatVolume, Mask

_CLEAR = 0.25
"""Product of two contrasts from which on both voxels say clearly what they are."""

_SAME_BRIGHTNESS = 0.25
"""Change of log brightness below which two voxels are of one tissue."""

_SHARP = 0.15
"""Share of a border that has to be a swap's."""

_LEAST = 25.0
"""Log likelihood ratio of a whole piece."""

_EACH = 0.02
"""The same per voxel: brightness and skin together."""

_ALONE = 0.25
"""Border to other tissue, relative to (voxels)^(2/3), below which a piece stands alone: an arm, a leg."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What speaks for and against one piece."""

    voxels: int
    evidence: float
    """Log likelihood ratio of all its voxels."""
    border: int
    """Pairs of voxels across its border, inside the body."""
    sharp: float
    """Share of them that mirror the fat fraction and not brightness, 0-1."""

    @property
    def alone(self) -> bool:
        """Whether it hardly touches other tissue."""
        return bool(self.border < _ALONE * self.voxels ** (2 / 3))

    @property
    def sure(self) -> bool:
        """Whether to exchange it."""
        strong = self.evidence >= _LEAST and self.evidence >= _EACH * self.voxels
        return strong and (self.sharp >= _SHARP or (self.alone and self.evidence >= 4 * _EACH * self.voxels))

    @property
    def suspect(self) -> bool:
        """Whether to look at it, if it isn't sure."""
        return self.evidence >= _LEAST and self.sharp >= 0.7 * _SHARP


def judge_piece(coarse: Coarse, contrast: FloatVolume, evidence: FloatVolume, piece: Mask) -> Piece:
    """Weigh one piece.

    Parameters
    ----------
    contrast : (z, y, x) as `Coarse.contrast`, perhaps with other pieces exchanged
    evidence : (z, y, x) as `local_evidence` gives it, of the same
    piece : (z, y, x) bool
    """
    border = sharp = 0
    for axis in range(3):
        before: list[slice] = [slice(None)] * 3
        after: list[slice] = [slice(None)] * 3
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        one, other = tuple(before), tuple(after)
        across = (piece[one] != piece[other]) & coarse.body[one] & coarse.body[other]
        product = contrast[one][across] * contrast[other][across]
        change = np.abs(coarse.brightness[one][across] - coarse.brightness[other][across])
        border += int(np.count_nonzero(across))
        sharp += int(np.count_nonzero((product < -_CLEAR) & (change < _SAME_BRIGHTNESS)))
    return Piece(int(np.count_nonzero(piece)), float(evidence[piece].sum()), border, sharp / max(border, 1))
