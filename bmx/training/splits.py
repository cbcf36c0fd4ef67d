"""Which cases are trained on, validated on and held out. Scans of one participant always go the same way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain

import numpy as np

from bmx.errors import ModelError
from bmx.sources.places import STEM

HELD_OUT_SHARE = VALIDATION_SHARE = 0.15
"""Of the participants; at least one each."""

_EXAM = re.compile(rf"{STEM}.*")

Parts = dict[str, list[int]]
"""Numbers of the cases of `training`, `validation` and `held_out`."""


def split(cases: Sequence[str], seed: int) -> Parts:
    """Split cases once.

    Parameters
    ----------
    cases : their names; those that begin with `EID_20201_I_0` and share an EID are scans of one participant
    seed : of the draw

    Raises
    ------
    ModelError
        If there are fewer than four participants.

    Examples
    --------
    >>> {part: len(numbers) for part, numbers in split([f"case {number}" for number in range(40)], seed=0).items()}
    {'training': 28, 'validation': 6, 'held_out': 6}
    """
    people = _people(cases)
    if len(people) < 4:
        raise ModelError(
            f"expected at least 4 participants: 2 to train on, 1 to validate and 1 to hold out; found {len(people)}"
        )
    order, validation = _order(len(people), seed), _share(len(people), VALIDATION_SHARE)
    held_out = _share(len(people), HELD_OUT_SHARE)
    return _parts(people, order[held_out + validation :], order[held_out:][:validation], order[:held_out])


def fold_splits(cases: Sequence[str], folds: int, seed: int) -> list[Parts]:
    """For each fold what `split` gives; every case is held out exactly once.

    Raises
    ------
    ModelError
        If the participants don't suffice for so many folds.

    Examples
    --------
    >>> sorted(number for parts in fold_splits("abcdef", 3, seed=0) for number in parts["held_out"])
    [0, 1, 2, 3, 4, 5]
    """
    people = _people(cases)
    n = len(people)
    validation = _share(n, VALIDATION_SHARE)
    if folds < 2 or n < folds or n - -(-n // folds) < validation + 2:
        raise ModelError(
            f"{n} participants are too few for {folds} folds, or there are fewer than 2 folds: "
            f"each needs 1 to hold out, {validation} to validate and 2 to train on"
        )
    order = _order(n, seed)
    splits = []
    for fold in range(folds):
        held_out = order[fold::folds]
        others = [person for person in order if person not in held_out]
        splits.append(_parts(people, others[validation:], others[:validation], held_out))
    return splits


def _people(cases: Sequence[str]) -> list[list[int]]:
    """Numbers of the cases of each participant."""
    found: dict[str, list[int]] = {}
    for number, name in enumerate(cases):
        exam = _EXAM.fullmatch(name)
        found.setdefault(f"EID {exam['eid']}" if exam else f"case {name}", []).append(number)
    return list(found.values())


def _order(n: int, seed: int) -> list[int]:
    return [int(person) for person in np.random.default_rng([seed, n]).permutation(n)]


def _share(n: int, share: float) -> int:
    return max(round(share * n), 1)


def _parts(people: list[list[int]], *chosen: Sequence[int]) -> Parts:
    numbers = (sorted(chain.from_iterable(people[person] for person in some)) for some in chosen)
    return dict(zip(("training", "validation", "held_out"), numbers, strict=True))
