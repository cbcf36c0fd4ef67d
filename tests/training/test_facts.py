from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bmx.errors import ModelError
from bmx.models.cards import ModelCard
from bmx.regions import REGIONS
from bmx.simulation.examples import SimulatedExamples
from bmx.training.examples import Part, examples_digest
from bmx.training.facts import Facts, facts_of
from tests.boxes import bright_boxes
from tests.networks import write_model

PEOPLE = SimulatedExamples(REGIONS["spine"], 2, seed=5, contrast="fat")


def test_facts_of__asks_the_examples() -> None:
    """Those made on demand say it without being made."""
    assert facts_of(PEOPLE) == Facts(PEOPLE.identity, True, "fat")
    assert not PEOPLE._made


def test_facts_of__counts_and_digests_what_has_no_sentence_of_its_own() -> None:
    """Of a part, too; masks that were simulated aren't called drawn."""
    boxes = bright_boxes(3, 1)
    told = facts_of(boxes, simulated=False, contrast="fat+water").training_data
    assert told == f"3 cases with masks of others, digest {examples_digest(boxes)}"
    part = Part(boxes, [2])
    told = facts_of(part, simulated=True, contrast="fat+water").training_data
    assert told == f"1 cases with simulated masks, digest {examples_digest(part)}"


def test_facts_of__names_the_weights_that_training_begins_with(tmp_path: Path) -> None:
    """By digest: a folder is overwritten, or called the same elsewhere."""
    start = write_model(tmp_path / "start", "spine", seed=1)
    told = facts_of(PEOPLE, training_data="people", start=str(start)).training_data
    assert told == f"people; begun with the weights {ModelCard.read(start).weights_digest}"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"simulated": False}, "simulated=False was given, but these examples say simulated=True"),
        ({"contrast": "fat+water"}, "contrast='fat\\+water' was given, but these examples say contrast='fat'"),
    ],
)
def test_facts_of__refuses_to_contradict_the_examples(said: dict[str, Any], message: str) -> None:
    """A card must not say that masks of a simulation are masks of people."""
    with pytest.raises(ModelError, match=message):
        facts_of(PEOPLE, **said)


@pytest.mark.parametrize(("missing", "said"), [("simulated", {"contrast": "fat"}), ("contrast", {"simulated": False})])
def test_facts_of__refuses_what_nobody_knows(missing: str, said: dict[str, Any]) -> None:
    """A guess would stand on the card."""
    with pytest.raises(ModelError, match=f"expected an attribute '{missing}'.*give {missing}="):
        facts_of(bright_boxes(2, 1), **said)
