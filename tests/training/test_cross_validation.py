from __future__ import annotations

from itertools import chain
from pathlib import Path

import pandas as pd
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from bmx.errors import ModelError
from bmx.models.cards import ModelCard
from bmx.training import TrainingOptions, cross_validate
from bmx.training.cross_validation import fold_splits, split
from tests.boxes import bright_boxes
from tests.networks import SIZES


@given(st.integers(4, 70), st.integers(0, 5))
def test_split__uses_every_case_once(n: int, seed: int) -> None:
    """Nobody is trained on and held out."""
    parts = split(n, seed)
    assert sorted(chain(*parts.values())) == list(range(n))
    assert len(parts["training"]) >= 2
    assert min(len(parts["validation"]), len(parts["held_out"])) >= 1


@given(st.integers(4, 70), st.integers(2, 10), st.integers(0, 5))
def test_fold_splits__hold_out_every_case_in_one_fold(n: int, folds: int, seed: int) -> None:
    """Each with something to learn from and to validate on."""
    assume(n >= max(folds, 6))
    splits = fold_splits(n, folds, seed)
    assert sorted(case for parts in splits for case in parts["held_out"]) == list(range(n))
    for parts in splits:
        assert sorted(chain(*parts.values())) == list(range(n))
        assert len(parts["training"]) >= 2
        assert min(map(len, parts.values())) >= 1


def test_split__is_what_the_seed_says() -> None:
    """And another seed splits otherwise."""
    assert split(40, 1) == split(40, 1) != split(40, 2)


@pytest.mark.parametrize(("n", "folds"), [(3, 3), (4, 5), (4, 2)])
def test_fold_splits__refuse_too_few_cases(n: int, folds: int) -> None:
    """With what a fold needs."""
    with pytest.raises(ModelError, match=rf"{n} cases are too few for {folds} folds: each needs 1 held out"):
        fold_splits(n, folds, 0)


def test_split__refuses_too_few_cases() -> None:
    """Three masks make no model."""
    with pytest.raises(ModelError, match=r"expected at least 4 cases: .* found 3"):
        split(3, 0)


def test_cross_validate__reports_every_case_and_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    """Killed in the second fold; its report equals that of one that wasn't."""
    torch.set_num_threads(1)

    def run(out: Path, stop: tuple[int, int] | None = None) -> pd.DataFrame:
        def interrupt(fold: int, step: int, _: int, __: float) -> None:
            if (fold, step) == stop:
                raise KeyboardInterrupt

        return cross_validate(
            "femoral_head", out, examples=bright_boxes(6, 1), folds=3, training_data="boxes", simulated=False,
            options=TrainingOptions(steps=3, checkpoint_every=1, sizes=SIZES, validate_every=2), progress=interrupt,
        ).cases  # fmt: skip

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", stop=(2, 2))
    pd.testing.assert_frame_equal(run(tmp_path / "parts"), whole)
    assert whole["case"].tolist() == ["1", "2", "3", "4", "5", "6"]
    assert whole["fold"].value_counts().tolist() == [2, 2, 2]
    for file in ("held_out.csv", "held_out_summary.csv", "worst.png"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "parts" / file).read_bytes()
    card = ModelCard.read(tmp_path / "whole" / "fold_2")
    assert (card.training_data, card.simulated) == ("boxes; fold 2 of 3", False)
    of_fold = whole[whole["fold"] == 2]
    assert card.held_out["dice_mean"] == pytest.approx(of_fold["dice"].mean(), rel=1e-6)
