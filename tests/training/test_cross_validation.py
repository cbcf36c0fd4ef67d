from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from bmx.models.cards import ModelCard
from bmx.training import TrainingOptions, cross_validate, read_examples
from tests.boxes import bright_boxes, write_boxes
from tests.networks import SIZES


def test_cross_validate__reports_every_case_and_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    """Killed in the second fold; its report equals that of one that wasn't."""
    torch.set_num_threads(1)

    def run(out: Path, stop: tuple[int, int] | None = None) -> pd.DataFrame:
        def interrupt(fold: int, step: int, _: int, __: float) -> None:
            if (fold, step) == stop:
                raise KeyboardInterrupt

        return cross_validate(
            "femoral_head", out, examples=bright_boxes(6, 1), folds=3, training_data="boxes", simulated=False,
            contrast="fat", progress=interrupt,
            options=TrainingOptions(steps=3, checkpoint_every=1, sizes=SIZES, validate_every=2),
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


def test_cross_validate__needs_nothing_but_examples_that_say_what_they_are(tmp_path: Path) -> None:
    """Every card says it, and which fold it is of."""
    examples = read_examples(*write_boxes(tmp_path / "drawn", 6), "femoral_head", contrast="fat")
    options = TrainingOptions(steps=1, sizes=SIZES)
    report = cross_validate("femoral_head", tmp_path / "folds", examples=examples, folds=2, options=options)
    assert sorted(report.cases["case"]) == list("abcdef")
    card = ModelCard.read(tmp_path / "folds" / "fold_2")
    assert (card.simulated, card.input) == (False, "fat")
    assert card.training_data.startswith("6 cases with masks of others, digest ")
    assert card.training_data.endswith("; fold 2 of 2")
