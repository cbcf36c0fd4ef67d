"""The model card: what a model is for, what it was trained on, and how well it did."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bmx.core.preparation import InputContrast, get_contrast
from bmx.errors import ModelError
from bmx.regions import get_site, region_spacing

CARD = "model.json"

ORIENTATION = "z Superior, y Posterior, x Left"
"""Directions in which the axes of every volume grow that a network of ours sees."""

_SAME_MM = 0.01
"""By how much a voxel's edge on a card may be rounded."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What `model.json` says."""

    region: str
    """One of `bmx.regions.REGIONS`."""
    architecture: str
    """One of `bmx.nn.build.ARCHITECTURES`."""
    sizes: Mapping[str, Any]
    """Arguments of the builder."""
    input: InputContrast
    """What the network sees."""
    spacing: tuple[float, float, float]
    """(z, y, x) millimetres of the voxels it was trained on."""
    orientation: str
    """`ORIENTATION`."""
    normalisation: str
    training_data: str
    training_steps: int
    simulated: bool
    """Trained on simulated anatomy: refused on images of people unless asked for."""
    held_out: Mapping[str, float]
    """Dice on participants that training never saw: mean, sd, worst, n."""
    reference: Mapping[str, float]
    """Mean and SD of the mask volume (mL) in the training data, of masks that aren't empty and, of simulated people, of
    those with nothing unusual; and the median confidence on held-out participants."""
    intended_use: str
    licence: str
    weights_digest: str = ""
    """BLAKE2 of the weights file; loading checks it."""
    examples: Mapping[str, Any] = field(default_factory=dict)
    """By part (training, validation, held_out): number of examples `n` and `digest` of what was seen."""

    def write(self, folder: Path) -> None:
        """Write `model.json`."""
        (folder / CARD).write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> ModelCard:
        """Read `model.json`; a missing or unknown entry, or one that bmx can't heed, is one clear error."""
        path = folder / CARD
        if not path.is_file():
            raise ModelError(f"{folder} is not a model directory: expected {CARD} and weights.safetensors in it")
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as exc:
            raise ModelError(f"{path} is not valid JSON ({exc}); copy the model directory again") from exc
        if not isinstance(entries, dict):
            raise ModelError(
                f"{path} holds a {type(entries).__name__}, expected an object; copy the model directory again"
            )
        names = {one.name for one in dataclasses.fields(cls)}
        needed = names - {"examples"}  # models from before bmx wrote it are still read
        if missing := sorted(needed - set(entries)):
            raise ModelError(f"{path} lacks {', '.join(missing)}; a model card has {', '.join(sorted(names))}")
        if unknown := sorted(set(entries) - names):
            raise ModelError(f"{path} has unknown entries {', '.join(unknown)}; was it written by a newer bmx?")
        _check(path, entries)
        entries["spacing"] = tuple(entries["spacing"])
        return cls(**entries)


def _check(path: Path, entries: Mapping[str, Any]) -> None:
    """Whether the card describes something that bmx would show the network as it is used to.

    A wrong input, region or voxel size would not fail: it would draw wrong masks.
    """
    try:
        region = get_site(entries["region"])
        get_contrast(entries["input"])
    except (ValueError, TypeError) as exc:
        raise ModelError(
            f"the card {path} can't be used: {exc}; correct it, or copy the model directory again"
        ) from exc
    for name, fits, expected in (
        ("architecture", isinstance(entries["architecture"], str), "a name"),
        ("sizes", _holds(entries["sizes"], _is_size), "names with whole numbers above 0, or lists of them"),
        ("held_out", _holds(entries["held_out"], _is_number), "names with numbers"),
        ("reference", _holds(entries["reference"], _is_number), "names with numbers, or lists of them"),
        ("examples", isinstance(entries.get("examples", {}), dict), "an object"),
        ("weights_digest", isinstance(entries["weights_digest"], str), "a text"),
    ):
        if not fits:
            raise ModelError(
                f"the card {path} is malformed: {name} is {entries[name]!r}, expected {expected}; "
                "copy the model directory again"
            )
    wanted = region_spacing(region)
    alike = isinstance(entries["spacing"], list) and len(entries["spacing"]) == len(wanted)
    for name, fits, expected in (
        ("simulated", isinstance(entries["simulated"], bool), "true or false"),
        ("orientation", entries["orientation"] == ORIENTATION, repr(ORIENTATION)),
        (
            "spacing",
            alike and all(_near(one, edge) for one, edge in zip(entries["spacing"], wanted, strict=True)),
            f"{list(wanted)}, the voxels (z, y, x, mm) of {region.name}",
        ),
    ):
        if not fits:
            raise ModelError(
                f"the card {path} has {name} {entries[name]!r}, expected {expected}; "
                "train on these, or correct the card if it is mistaken"
            )


def _near(found: object, edge: float) -> bool:
    return isinstance(found, int | float) and abs(found - edge) < _SAME_MM


def _holds(found: object, kind: Callable[[object], bool]) -> bool:
    """Whether it is an object whose values are all of a kind, or lists of that kind that aren't empty."""
    if not isinstance(found, dict):
        return False
    lists = [value if isinstance(value, list) else [value] for value in found.values()]
    return all(values and all(map(kind, values)) for values in lists)


def _is_number(found: object) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _is_size(found: object) -> bool:
    return isinstance(found, int) and not isinstance(found, bool) and found > 0
