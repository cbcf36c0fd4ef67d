from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from bmx.errors import ModelError
from bmx.models.cards import ModelCard
from bmx.models.library import load_models
from bmx.regions import REGIONS
from bmx.simulation.examples import SimulatedExamples
from bmx.training import TrainingOptions, read_examples, train
from bmx.training.examples import examples_digest
from bmx.training.step import mask_centre
from tests.boxes import bright_boxes, write_boxes
from tests.networks import SIZES, write_model


def train_boxes(
    out: Path, steps: int, *, stop_after: int | None = None, validation: int = 0, seed: int = 0, **options: Any
) -> None:
    def interrupt(step: int, _: int, __: float) -> None:
        if step == stop_after:
            raise KeyboardInterrupt

    train(
        "femoral_head", out, examples=bright_boxes(8, 1), held_out=bright_boxes(3, 2), training_data="boxes",
        validation=bright_boxes(validation, 3), simulated=True, contrast="fat+water", progress=interrupt,
        options=TrainingOptions(steps=steps, checkpoint_every=2, seed=seed, sizes=SIZES, **options),
    )  # fmt: skip


LEFT = ("weights.safetensors", "model.json", "curve.csv", "curve.png", "held_out.csv", "held_out_summary.csv",
        "worst.png", "splits.csv")  # fmt: skip
"""All that a finished training leaves, but its checkpoint."""


def test_train__an_interrupted_training_gives_the_very_same_weights(tmp_path: Path) -> None:
    torch.set_num_threads(1)  # the order of sums decides the last bits
    train_boxes(tmp_path / "whole", 6)
    with pytest.raises(KeyboardInterrupt):
        train_boxes(tmp_path / "halves", 6, stop_after=5)
    train_boxes(tmp_path / "halves", 6)
    for file in LEFT:
        whole, halves = ((tmp_path / name / file).read_bytes() for name in ("whole", "halves"))
        assert whole == halves, file


def test_train__an_interrupted_training_stops_early_at_the_very_same_step(tmp_path: Path) -> None:
    """The best weights, and how long they have been waited for, belong to the state. With a tiny rate nothing gets
    better after the first validation, so that patience runs out.
    """
    torch.set_num_threads(1)
    options = {"validation": 2, "validate_every": 3, "patience": 2, "learning_rate": 1e-12}
    train_boxes(tmp_path / "whole", 30, **options)
    for stop_after in (4, 8):
        with pytest.raises(KeyboardInterrupt):
            train_boxes(tmp_path / "parts", 30, stop_after=stop_after, **options)
    train_boxes(tmp_path / "parts", 30, **options)
    for file in LEFT:
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "parts" / file).read_bytes(), file
    steps = pd.read_csv(tmp_path / "whole" / "curve.csv")
    assert len(steps) == 9
    assert steps["step"][steps["validation_dice"].notna()].tolist() == [2, 5, 8]
    assert ModelCard.read(tmp_path / "whole").training_steps == 3


def test_train__of_a_finished_training_gives_it_again(tmp_path: Path) -> None:
    """Nothing is learned anew, whether it took all steps or stopped early."""
    options = {"validation": 1, "validate_every": 1, "patience": 1, "learning_rate": 1e-12}
    train_boxes(tmp_path, 9, **options)
    before = {file: (tmp_path / file).read_bytes() for file in LEFT}
    train_boxes(tmp_path, 9, stop_after=1, **options)
    assert {file: (tmp_path / file).read_bytes() for file in LEFT} == before


def test_train__keeps_the_weights_of_the_best_validation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those of the last step: Dice is said to be best after the second of four."""
    told = iter([0.1, 0.5, 0.3, 0.2])
    seen: list[dict[str, torch.Tensor]] = []

    def say(network: torch.nn.Module, _: object) -> float:
        seen.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        return next(told)

    monkeypatch.setattr("bmx.training.learning.mean_dice", say)
    train_boxes(tmp_path, 4, validation=1, validate_every=1)
    kept = load_file(tmp_path / "weights.safetensors")
    assert [all(torch.equal(kept[name], then[name].half()) for name in kept) for then in seen] == [
        False, True, False, False,
    ]  # fmt: skip


def test_train__refuses_patience_without_a_validation_part(tmp_path: Path) -> None:
    """It would never stop."""
    with pytest.raises(ModelError, match=r"patience=2 stops training .* give validation="):
        train_boxes(tmp_path, 2, patience=2)


def test_train__refuses_a_contrast_that_it_doesn_t_know(tmp_path: Path) -> None:
    """Before it learns, not when it writes a card that can't be read."""
    data = {"examples": bright_boxes(2, 1), "held_out": bright_boxes(1, 2), "simulated": True, "training_data": ""}
    with pytest.raises(ValueError, match="no network input is called 'F'"):
        train("femoral_head", tmp_path, contrast="F", **data)  # type: ignore[arg-type]
    assert not [*tmp_path.iterdir()]


def test_train__refuses_to_go_on_with_other_data(tmp_path: Path) -> None:
    """Half learned from these cases and half from those is no training that anybody could describe."""
    options = TrainingOptions(steps=1, sizes=SIZES)
    data = {"examples": bright_boxes(2, 1), "held_out": bright_boxes(1, 2), "simulated": True, "options": options}
    data |= {"contrast": "fat+water"}
    train("femoral_head", tmp_path, training_data="boxes", **data)
    with pytest.raises(ModelError, match=r"other options or examples \(training_data=boxes\)"):
        train("femoral_head", tmp_path, training_data="spheres", **data)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"contrast": "fat"}, r"\(contrast=fat\+water\)"),
        ({"simulated": False}, r"\(simulated=True\)"),
        ({"examples": bright_boxes(2, 9)}, r"\(training examples=2, names \w+, digest \w+\)"),
        ({"validation": bright_boxes(1, 9)}, r"\(validation examples="),
        ({"held_out": bright_boxes(1, 9)}, r"\(held_out examples="),
    ],
)
def test_train__never_relabels_a_finished_training(tmp_path: Path, other: dict[str, Any], message: str) -> None:
    """Without learning anything, the old weights would get a card that says what isn't so, such as that they
    aren't of simulated anatomy, or a score on cases that they were chosen by.
    """
    data: dict[str, Any] = {
        "examples": bright_boxes(2, 1), "validation": bright_boxes(1, 3), "held_out": bright_boxes(1, 2),
        "training_data": "boxes", "simulated": True, "contrast": "fat+water",
        "options": TrainingOptions(steps=1, sizes=SIZES),
    }  # fmt: skip
    train("femoral_head", tmp_path, **data)
    before = (tmp_path / "model.json").read_bytes()
    with pytest.raises(ModelError, match=message):
        train("femoral_head", tmp_path, **data | other)
    assert (tmp_path / "model.json").read_bytes() == before


def test_train__refuses_a_damaged_checkpoint(tmp_path: Path) -> None:
    """A disk that ran full, say."""
    (tmp_path / "checkpoint.safetensors").write_bytes(b"not this")
    with pytest.raises(ModelError, match=r"checkpoint\.safetensors is damaged .* delete it"):
        train_boxes(tmp_path, 2)


def test_train__begins_its_curve_anew_if_it_was_killed_before_the_first_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_boxes(tmp_path, 2, stop_after=1)
    train_boxes(tmp_path, 2)
    assert [line.split(",")[0] for line in (tmp_path / "curve.csv").read_text().splitlines()] == ["step", "0", "1"]


def test_train__refuses_too_few_examples(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected at least 2 examples and 1 held out, found 1 and 0"):
        train("spine", tmp_path, examples=bright_boxes(1, 1), held_out=[], training_data="", simulated=True)


def test_train__refuses_to_continue_a_training_with_other_options(tmp_path: Path) -> None:
    train_boxes(tmp_path, 2)
    with pytest.raises(ModelError, match=r"holds a training with other options or examples \(seed=0\)"):
        train_boxes(tmp_path, 2, seed=1)


def test_train__needs_nothing_but_examples_that_say_what_they_are(tmp_path: Path) -> None:
    """Parts are drawn as on the command line; the card says of the masks what their headers and the reader said."""
    examples = read_examples(*write_boxes(tmp_path / "drawn", 6), "femoral_head", contrast="fat")
    options = TrainingOptions(steps=1, sizes=SIZES)
    card = train("femoral_head", tmp_path / "model", examples=examples, options=options).card
    assert (card.simulated, card.input) == (False, "fat")
    assert card.training_data == f"6 cases with masks of others, digest {examples_digest(examples)}"
    splits = pd.read_csv(tmp_path / "model" / "splits.csv")
    assert sorted(splits["case"]) == list("abcdef")
    assert splits["part"].value_counts().to_dict() == {"training": 4, "validation": 1, "held_out": 1}


def test_train__refuses_a_validation_part_with_nothing_held_out(tmp_path: Path) -> None:
    """It would be chosen by what it is scored on, or its parts overlap."""
    data = {"examples": bright_boxes(6, 1), "validation": bright_boxes(1, 2), "simulated": True, "contrast": "fat"}
    with pytest.raises(ModelError, match="found validation= without held_out="):
        train("femoral_head", tmp_path, **data)  # type: ignore[arg-type]


def test_train__writes_a_card_that_says_what_it_was_trained_on(tmp_path: Path) -> None:
    """How many, which by their digest, and how well on those it never saw; no names."""
    train_boxes(tmp_path, 2, validation=2)
    card = ModelCard.read(tmp_path)
    assert card.training_data == "boxes"
    assert {part: entry["n"] for part, entry in card.examples.items()} == {
        "training": 8, "validation": 2, "held_out": 3,
    }  # fmt: skip
    assert card.examples["held_out"]["digest"] == examples_digest(bright_boxes(3, 2))
    assert card.examples["held_out"]["digest"] != examples_digest(bright_boxes(3, 3))
    cases = pd.read_csv(tmp_path / "held_out.csv")
    assert len(cases) == card.held_out["n"] == 3
    assert cases["dice"].mean() == pytest.approx(card.held_out["dice_mean"], rel=1e-4)
    assert load_models(tmp_path, regions=("femoral_head",))["femoral_head"].digest == card.weights_digest
    splits = pd.read_csv(tmp_path / "splits.csv")
    assert splits["part"].value_counts().to_dict() == {"training": 8, "validation": 2, "held_out": 3}


@pytest.mark.slow
def test_train__learns_to_find_and_segment_a_bright_box(tmp_path: Path) -> None:
    """If the easiest task isn't learned in a minute, none will be. Three seeds reached 0.998 or more in 300 steps;
    after half as many some are still at 0.67, so that the last bits of a sum would decide.
    """
    train_boxes(tmp_path, 300)
    assert ModelCard.read(tmp_path).held_out["dice_mean"] > 0.95


def test_train__never_uses_mixed_precision_on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """bfloat16 on a CPU is slow and loses digits for nothing."""
    asked = []
    real = torch.autocast

    def autocast(kind: str, **how: Any) -> Any:
        asked.append((kind, how["enabled"]))
        return real(kind, **how)

    monkeypatch.setattr(torch, "autocast", autocast)
    monkeypatch.setattr("bmx.training.learning.best_device", lambda: torch.device("cpu"))
    train_boxes(tmp_path, 1)
    assert asked == [("cpu", False)]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_train__learns_in_mixed_precision_on_a_gpu(tmp_path: Path) -> None:
    """As well as on a CPU; run where there is a GPU."""
    train_boxes(tmp_path, 300)
    assert ModelCard.read(tmp_path).held_out["dice_mean"] > 0.95


def test_mask_centre__is_the_middle_of_the_box_in_the_coordinates_of_the_locator() -> None:
    mask = torch.zeros(8, 16, 32)
    mask[0:4, 4:12, 31] = 1
    torch.testing.assert_close(mask_centre(mask), torch.tensor([-0.5, 0.0, 31.5 / 16 - 1]))


def test_simulated_examples__are_what_the_seed_says() -> None:
    first = SimulatedExamples(REGIONS["femoral_diaphysis"], 2, seed=5)
    again = SimulatedExamples(REGIONS["femoral_diaphysis"], 1, seed=5)
    volume, mask = first[0]
    np.testing.assert_array_equal(volume, again[0][0])
    np.testing.assert_array_equal(mask, again[0][1])
    assert volume.shape == mask.shape
    assert mask.any()


def test_train__begins_with_the_weights_of_another_model(tmp_path: Path) -> None:
    """With steps too small to change anything, what comes out is what training began with."""
    start = write_model(tmp_path / "start", "femoral_head", seed=3)
    options = TrainingOptions(steps=1, learning_rate=1e-12, sizes=SIZES, start=str(start))
    data = {"examples": bright_boxes(2, 1), "held_out": bright_boxes(1, 2), "simulated": True, "contrast": "fat"}
    told = train("femoral_head", tmp_path / "tuned", options=options, **data).card.training_data
    assert told.endswith(f"; begun with the weights {ModelCard.read(start).weights_digest}")
    tuned, given = (load_file(folder / "weights.safetensors") for folder in (tmp_path / "tuned", start))
    for name, tensor in given.items():
        torch.testing.assert_close(tuned[name], tensor, rtol=1e-3, atol=1e-6)
    with pytest.raises(ModelError, match="femoral_head, asked for a roi_attention_unet of spine"):
        train("spine", tmp_path / "other", options=options, **data)
    with pytest.raises(ModelError, match="a roi_attention_unet of femoral_head, asked for a unet of femoral_head; ask"):
        train("femoral_head", tmp_path / "other", options=replace(options, architecture="unet"), **data)
    assert not (tmp_path / "other").exists()


def test_train__has_the_sizes_of_the_model_that_it_begins_with(tmp_path: Path) -> None:
    """Whoever fine-tunes a small network doesn't know its sizes, and needn't."""
    start = write_model(tmp_path / "start", "femoral_head", seed=3)
    data = {"examples": bright_boxes(2, 1), "held_out": bright_boxes(1, 2), "simulated": True, "contrast": "fat"}
    options = TrainingOptions(steps=1, start=str(start))
    assert train("femoral_head", tmp_path / "tuned", options=options, **data).card.sizes == SIZES  # type: ignore[arg-type]


@pytest.mark.parametrize("option", ["steps", "checkpoint_every", "validate_every", "patience"])
def test_training_options__are_1_or_more(option: str) -> None:
    """No steps would be random weights with a card."""
    with pytest.raises(ValueError, match=f"expected {option} of 1 or more, found 0"):
        TrainingOptions(**{option: 0})  # type: ignore[arg-type]


def test_train__shows_a_bar_unless_somebody_else_shows_something(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script would be silent for minutes otherwise; and two bars would write over one another."""
    data = {"examples": bright_boxes(2, 1), "held_out": bright_boxes(1, 2), "simulated": True, "contrast": "fat"}
    options = TrainingOptions(steps=2, sizes=SIZES)
    train("femoral_head", tmp_path / "shown", options=options, **data)  # type: ignore[arg-type]
    assert "training femoral_head, loss" in capsys.readouterr().err
    told: list[tuple[int, int]] = []
    train(
        "femoral_head", tmp_path / "told", options=options, **data,  # type: ignore[arg-type]
        progress=lambda step, steps, loss: told.append((step, steps)),
    )  # fmt: skip
    assert told == [(1, 2), (2, 2)]
    assert "training" not in capsys.readouterr().err
