"""What training learns from: pairs of a volume and its mask, and parts of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import overload

import numpy as np

from bmx.core.preparation import InputContrast
from bmx.types import FloatVolume, Mask

Example = tuple[FloatVolume, Mask]
"""(volume, mask), each (z, y, x), as `bmx.core.preparation.prepare` gives the volume."""

Examples = Sequence[Example]
"""They may say more of themselves by attributes: `names`, `realistic`, `simulated`, `contrast`, `identity`."""


class Part(Sequence[Example]):
    """Some of the examples, in a given order; nothing is copied."""

    def __init__(self, examples: Examples, indices: Sequence[int]) -> None:
        self._examples, self._indices = examples, tuple(indices)
        everyone = names(examples)
        self.names = tuple(everyone[index] for index in self._indices)
        ordinary = realistic(examples)
        self.realistic = tuple(ordinary[index] for index in self._indices)
        self.simulated: bool | None = getattr(examples, "simulated", None)
        self.contrast: InputContrast | None = getattr(examples, "contrast", None)

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return [self._examples[one] for one in self._indices[index]]
        return self._examples[self._indices[index]]


def names(examples: Examples) -> tuple[str, ...]:
    """Names of the examples, where they have any; otherwise their numbers.

    Examples
    --------
    >>> import numpy as np
    >>> names([(np.zeros((1, 1, 1), np.float32), np.zeros((1, 1, 1), bool))])
    ('1',)
    """
    found: tuple[str, ...] | None = getattr(examples, "names", None)
    return tuple(str(number + 1) for number in range(len(examples))) if found is None else tuple(found)


def realistic(examples: Examples) -> tuple[bool, ...]:
    """Which examples look as people do; all of them, unless they say so themselves, as simulated ones do.

    Examples
    --------
    >>> realistic([])
    ()
    """
    found: tuple[bool, ...] | None = getattr(examples, "realistic", None)
    return (True,) * len(examples) if found is None else tuple(found)


def examples_digest(examples: Examples) -> str:
    """BLAKE2 of volumes and masks as training sees them, 32 hexadecimal digits; names don't count."""
    digest = hashlib.blake2b(digest_size=16)
    for volume, mask in examples:
        digest.update(repr(volume.shape).encode())
        digest.update(np.ascontiguousarray(volume, np.float32).tobytes())
        digest.update(np.packbits(mask).tobytes())
    return digest.hexdigest()
