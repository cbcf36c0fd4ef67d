"""What the card of a model says of the examples it was trained on: asked of them, or said by the caller."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bmx.core.preparation import InputContrast, get_contrast
from bmx.errors import ModelError
from bmx.models.cards import ModelCard
from bmx.training.examples import Examples, examples_digest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Facts:
    """What examples are."""

    training_data: str
    """A sentence."""
    simulated: bool
    """Whether they are simulated anatomy; such a model is refused on images of people."""
    contrast: InputContrast
    """What the volumes show."""


def facts_of(
    examples: Examples,
    *,
    training_data: str | None = None,
    simulated: bool | None = None,
    contrast: InputContrast | None = None,
    start: str | None = None,
) -> Facts:
    """Take what examples say of themselves, as those of `read_examples` do, and what is said here of others.

    Parameters
    ----------
    examples : pairs to learn from
    training_data : a sentence; by default their number and digest
    simulated, contrast : needed for examples without attributes of these names; must not contradict those with them
    start : folder of the model whose weights training begins with; the sentence names it

    Raises
    ------
    ValueError
        If no network input is called `contrast`.
    ModelError
        If it isn't known whether examples are simulated, or what they show, or if they say otherwise.

    Examples
    --------
    >>> facts_of([], training_data="forty people, drawn by two readers", simulated=False, contrast="fat")
    Facts(training_data='forty people, drawn by two readers', simulated=False, contrast='fat')
    """
    made = _agreed(examples, "simulated", simulated, "True or False: whether they are simulated anatomy")
    shows = get_contrast(_agreed(examples, "contrast", contrast, "'fat+water' or 'fat': what their volumes show"))
    if training_data is None:
        told: str | None = getattr(examples, "identity", None)
        source = "simulated masks" if made else "masks of others"
        training_data = told or f"{len(examples)} cases with {source}, digest {examples_digest(examples)}"
    if start is not None:
        training_data += f"; begun with the weights {ModelCard.read(Path(start)).weights_digest}"
    return Facts(training_data, made, shows)


def _agreed(examples: Examples, name: str, said: T | None, choices: str) -> T:
    """What examples say, and nobody contradicts; else what is said."""
    own: T | None = getattr(examples, name, None)
    if own is None:
        if said is None:
            raise ModelError(
                f"these examples don't say what they are: expected an attribute {name!r}, as those of read_examples "
                f"have, found none; give {name}={choices}"
            )
        return said
    if said not in (None, own):
        raise ModelError(f"{name}={said!r} was given, but these examples say {name}={own!r}; leave it out")
    return own
