from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from bmx.cli.app import app
from bmx.models.cards import ModelCard
from tests.boxes import write_boxes


def bmx(*words: object) -> Result:
    import bmx.cli  # noqa: F401  # registers the commands

    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200", "NO_COLOR": "1"})


@pytest.fixture
def drawn(tmp_path: Path) -> tuple[object, ...]:
    """Options for six cases with masks and hardly any training."""
    images, masks = write_boxes(tmp_path / "drawn", 6)
    return ("--region", "femoral_head", "--images", images, "--masks", masks, "--steps", 1, "--input", "fat")


def test_train__on_masks_writes_a_model_for_people_and_its_report(drawn: tuple[object, ...], tmp_path: Path) -> None:
    """Split by itself; the card says that nothing was simulated."""
    said = bmx("train", tmp_path / "model", *drawn)
    assert said.exit_code == 0, said.output
    assert "held-out Dice" in said.output
    card = ModelCard.read(tmp_path / "model")
    assert (card.simulated, card.input) == (False, "fat")
    assert {part: one["n"] for part, one in card.examples.items()} == {"training": 4, "validation": 1, "held_out": 1}
    assert card.training_data.startswith("6 cases with masks of others, digest ")
    for file in ("curve.csv", "curve.png", "held_out.csv", "worst.png", "splits.csv", "weights.safetensors"):
        assert (tmp_path / "model" / file).stat().st_size > 0, file


def test_train__with_folds_reports_on_every_case(drawn: tuple[object, ...], tmp_path: Path) -> None:
    """Each of the six is held out once."""
    said = bmx("train", tmp_path / "folds", *drawn, "--folds", 2)
    assert said.exit_code == 0, said.output
    assert pd.read_csv(tmp_path / "folds" / "held_out.csv")["case"].tolist() == list("abcdef")
    for word in ("dice", "hausdorff95_mm", "volume_error_percent", "worst.png"):
        assert word in said.output
    assert ModelCard.read(tmp_path / "folds" / "fold_1").input == "fat"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--images", "x"), "--images and --masks belong together"),
        (("--images", "x", "--masks", "y", "--simulate", "3"), "not both"),
        (("--folds", "3"), "--folds needs --images and --masks"),
    ],
)
def test_train__refuses_options_that_do_not_go_together(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    """Before anything is simulated or read."""
    said = bmx("train", tmp_path, "--region", "spine", *words)
    assert said.exit_code == 2
    assert message in said.output
