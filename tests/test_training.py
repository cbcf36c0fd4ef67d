from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bmx.errors import ModelError
from bmx.models.cards import ModelCard
from bmx.models.library import load_models
from bmx.regions import REGIONS
from bmx.simulation.examples import SimulatedExamples
from bmx.training import TrainingOptions, train
from bmx.training.step import mask_centre
from tests.networks import SIZES, write_model

Example = tuple[np.ndarray, np.ndarray]


def bright_boxes(n: int, seed: int) -> list[Example]:
    """The easiest task there is: a bright box in a dim volume."""
    rng = np.random.default_rng(seed)
    examples = []
    for _ in range(n):
        volume = rng.normal(0.2, 0.02, (16, 32, 40)).astype(np.float32)
        mask = np.zeros(volume.shape, bool)
        z, y, x = rng.integers(1, 8), rng.integers(2, 20), rng.integers(2, 26)
        mask[z : z + 6, y : y + 8, x : x + 8] = True
        volume[mask] = 1
        examples.append((volume, mask))
    return examples


def train_boxes(out: Path, steps: int, *, stop_after: int | None = None, seed: int = 0) -> None:
    def interrupt(step: int, _: int, __: float) -> None:
        if step == stop_after:
            raise KeyboardInterrupt

    train(
        "femoral_head", out, examples=bright_boxes(8, 1), held_out=bright_boxes(3, 2), training_data="boxes",
        simulated=True, progress=interrupt,
        options=TrainingOptions(steps=steps, checkpoint_every=2, seed=seed, sizes=SIZES),
    )  # fmt: skip


def test_train__an_interrupted_training_gives_the_very_same_weights(tmp_path: Path) -> None:
    torch.set_num_threads(1)  # the order of sums decides the last bits
    train_boxes(tmp_path / "whole", 6)
    with pytest.raises(KeyboardInterrupt):
        train_boxes(tmp_path / "halves", 6, stop_after=5)
    train_boxes(tmp_path / "halves", 6)
    for file in ("weights.safetensors", "curve.csv", "model.json"):
        whole, halves = ((tmp_path / name / file).read_bytes() for name in ("whole", "halves"))
        assert whole == halves, file


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
    with pytest.raises(ModelError, match=r"unfinished training with other options \(seed=0\)"):
        train_boxes(tmp_path, 2, seed=1)


def test_train__writes_a_card_that_says_what_it_was_trained_on(tmp_path: Path) -> None:
    train_boxes(tmp_path, 2)
    card = ModelCard.read(tmp_path)
    assert card.training_data == "boxes"
    assert card.held_out["n"] == 3
    assert load_models(tmp_path, regions=("femoral_head",))["femoral_head"].digest == card.weights_digest


@pytest.mark.slow
def test_train__learns_to_find_and_segment_a_bright_box(tmp_path: Path) -> None:
    """If the easiest task isn't learned in a minute, none will be."""
    train_boxes(tmp_path, 150)
    assert ModelCard.read(tmp_path).held_out["dice_mean"] > 0.85


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
    data = {"examples": bright_boxes(2, 1), "held_out": bright_boxes(1, 2), "training_data": "boxes", "simulated": True}
    train("femoral_head", tmp_path / "tuned", options=options, **data)
    tuned, given = (load_file(folder / "weights.safetensors") for folder in (tmp_path / "tuned", start))
    for name, tensor in given.items():
        torch.testing.assert_close(tuned[name], tensor, rtol=1e-3, atol=1e-6)
    with pytest.raises(ModelError, match="a model of femoral_head, expected spine"):
        train("spine", tmp_path / "other", options=options, **data)
