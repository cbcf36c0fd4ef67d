from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bmx.errors import ModelError
from bmx.training.splits import fold_splits, split


def cases(n: int) -> list[str]:
    return [f"case {number}" for number in range(n)]


@given(st.integers(4, 70), st.integers(0, 5))
def test_split__uses_every_case_once(n: int, seed: int) -> None:
    """Nobody is trained on and held out."""
    parts = split(cases(n), seed)
    assert sorted(chain(*parts.values())) == list(range(n))
    assert len(parts["training"]) >= 2
    assert min(len(parts["validation"]), len(parts["held_out"])) >= 1


@given(st.integers(4, 70), st.integers(2, 10), st.integers(0, 5))
def test_fold_splits__hold_out_every_case_in_one_fold(n: int, folds: int, seed: int) -> None:
    """Each with something to learn from and to validate on."""
    assume(n >= max(folds, 6))
    splits = fold_splits(cases(n), folds, seed)
    assert sorted(case for parts in splits for case in parts["held_out"]) == list(range(n))
    for parts in splits:
        assert sorted(chain(*parts.values())) == list(range(n))
        assert len(parts["training"]) >= 2
        assert min(map(len, parts.values())) >= 1


def test_split__is_what_the_seed_says() -> None:
    """And another seed splits otherwise."""
    assert split(cases(40), 1) == split(cases(40), 1) != split(cases(40), 2)


@pytest.mark.parametrize(("n", "folds"), [(3, 3), (4, 5), (4, 2), (9, 1)])
def test_fold_splits__refuse_too_few_cases(n: int, folds: int) -> None:
    """With what a fold needs."""
    with pytest.raises(
        ModelError, match=rf"{n} participants are too few for {folds} folds, .* each needs 1 to hold out"
    ):
        fold_splits(cases(n), folds, 0)


def test_split__refuses_too_few_cases() -> None:
    """Three masks make no model."""
    with pytest.raises(ModelError, match=r"expected at least 4 participants: .* found 3"):
        split(cases(3), 0)


@pytest.mark.parametrize("seed", range(5))
def test_split__never_parts_the_scans_of_a_participant(seed: int) -> None:
    """Whoever was seen at the first visit is no stranger at the second: Dice would be flattered."""
    names = [f"{1000001 + person}_20201_{visit}_0" for visit in (2, 3) for person in range(8)]
    for parts in [split(names, seed), *fold_splits(names, 4, seed)]:
        where = {part: {names[number][:7] for number in numbers} for part, numbers in parts.items()}
        assert sum(map(len, where.values())) == len(set.union(*where.values())) == 8
        assert sum(map(len, parts.values())) == 16
