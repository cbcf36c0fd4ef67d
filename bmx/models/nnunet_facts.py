"""What an nnU-Net v2 model folder says of itself in its lists, held against what is said of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bmx.core.orientation import check_orientation
from bmx.errors import ModelError, did_you_mean
from bmx.models.label_tables import LabelTable
from bmx.models.view import Contrast

LISTS = ("dataset.json", "plans.json")

_REORIENTING = {"NibabelIOWithReorient": "SAR"}
"""Image readers of nnU-Net that turn what they read, so that the model has seen nothing else."""

_NAMES: dict[str, Contrast] = {
    "fat": "fat", "water": "water", "inphase": "in_phase", "ip": "in_phase", "outphase": "opposed_phase",
    "outofphase": "opposed_phase", "opposedphase": "opposed_phase", "op": "opposed_phase",
}  # fmt: skip
"""Names of channels, letters alone, that say which contrast a model has learned."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a model folder before its weights are loaded."""

    folder: str
    dataset: str
    """Its name, for messages."""
    files: tuple[str, ...]
    """All that decide what is predicted, relative to the folder: two lists, then a checkpoint for each fold."""
    channels: tuple[str, ...]
    """Their names, in order."""
    labels: Mapping[int, str]
    """Label -> name; without 0."""
    orientation: str | None
    """Towards where the axes of its arrays grow, if it says so, and who says it."""
    orientation_from: str
    spacing: tuple[float, ...] | None
    """Along the axes of its arrays, mm; None if it leaves an axis as it is."""


def read_facts(folder: Path, *, folds: Sequence[int | str] | None, checkpoint: str) -> Facts:
    """Read the lists of a model folder, and find its checkpoints.

    Raises
    ------
    ModelError
        If it isn't a model folder, a fold is missing, or the model can't be used on magnitude images of one visit.
    """
    _refuse_other_folders(folder)
    dataset, plans = (read_json(folder / name) for name in LISTS)
    configuration = _configuration(folder, plans)
    if configuration.get("previous_stage"):
        raise ModelError(f"{folder} is the second stage of a cascade; give the folder of 3d_fullres or 3d_lowres")
    if "CTNormalization" in configuration.get("normalization_schemes", ()):
        raise ModelError(
            f"{folder} normalises its images as CT, in Hounsfield units (CTNormalization): it was not trained on "
            "magnitude images of MRI, and what it draws on them would mean nothing"
        )
    orientation, said_by = _orientation(folder, dataset, plans)
    return Facts(
        folder=str(folder.resolve()),
        dataset=str(plans.get("dataset_name", folder.parent.name)),
        files=(*LISTS, *_checkpoints(folder, folds, checkpoint)),
        channels=_channels(folder, dataset),
        labels=_labels(folder, dataset),
        orientation=orientation,
        orientation_from=said_by,
        spacing=_spacing(plans, configuration),
    )


def channel_inputs(facts: Facts, given: Contrast | Mapping[str, Contrast]) -> tuple[Contrast, ...]:
    """The contrast for each channel, in order.

    Raises
    ------
    ModelError
        If a channel has none, there is no such channel, or its name says that it is another contrast.
    """
    listed = ", ".join(facts.channels)
    if isinstance(given, str):
        if len(facts.channels) != 1:
            raise ModelError(
                f"{facts.dataset} takes {len(facts.channels)} channels ({listed}), expected a contrast for each: "
                f"input={{{facts.channels[0]!r}: {given!r}, …}}"
            )
        given = {facts.channels[0]: given}
    if unknown := [name for name in given if name not in facts.channels]:
        raise ModelError(f"{facts.dataset} has no channel {unknown[0]!r}; {did_you_mean(unknown[0], facts.channels)}")
    if missing := [name for name in facts.channels if name not in given]:
        raise ModelError(f"no contrast was given for channel {missing[0]!r} of {facts.dataset}, which takes {listed}")
    for name, contrast in given.items():
        learned = _NAMES.get("".join(letter for letter in name.lower() if letter.isalpha()))
        if learned is not None and learned != contrast:
            raise ModelError(
                f"channel {name!r} of {facts.dataset} has learned {learned} images, found input={contrast!r} for it; "
                f"give {name!r}: {learned!r}"
            )
    return tuple(given[name] for name in facts.channels)


def choose_orientation(facts: Facts, given: str | None, table: LabelTable) -> str:
    """The orientation to show: as given, else as the model or its label table says.

    Raises
    ------
    ModelError
        If nobody says it, or what was given contradicts the model.
    """
    if given is not None and facts.orientation is not None and given != facts.orientation:
        raise ModelError(
            f"orientation={given!r} was given for {facts.dataset}, but its {facts.orientation_from} says "
            f"{facts.orientation!r}; leave orientation= out"
        )
    chosen = given or facts.orientation or table.orientation
    if chosen is None:
        raise ModelError(
            f"{facts.dataset} doesn't say in which orientation it was trained, and nnU-Net keeps that of the files; "
            "give orientation='SAR' if they were NIfTI in RAS+, 'SPL' if in LPS+ (towards where z, y and x grow)"
        )
    return chosen


def read_json(path: Path) -> dict[str, Any]:
    """Read one of the lists of a model folder."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ModelError(f"{path} can't be read as JSON ({exc}); copy the model folder again") from exc
    if not isinstance(entries, dict):
        raise ModelError(f"{path} must hold a mapping, found {type(entries).__name__}; copy the model folder again")
    return entries


def _refuse_other_folders(folder: Path) -> None:
    if all((folder / name).is_file() for name in LISTS):
        return
    below = sorted(path.parent.name for path in folder.glob("*/plans.json"))
    hint = f"; did you mean {folder / below[0]}?" if below else ""
    raise ModelError(
        f"{folder} is no model folder of nnU-Net v2: expected {' and '.join(LISTS)} and fold_* in it, as "
        f"nnUNetv2_train leaves them in …/nnUNetTrainer__nnUNetPlans__3d_fullres{hint}"
    )


def _checkpoints(folder: Path, folds: Sequence[int | str] | None, checkpoint: str) -> tuple[str, ...]:
    """Files of the folds; if none are named all that are numbered, else the one that was trained on everything."""
    there = sorted(path.parent.name for path in folder.glob(f"fold_*/{checkpoint}"))
    numbered = [name for name in there if name != "fold_all"]
    wanted = (numbered or there) if folds is None else [f"fold_{fold}" for fold in folds]
    if not wanted or (absent := [name for name in wanted if name not in there]):
        name = absent[0] if wanted else "fold_*"
        raise ModelError(
            f"{folder} has no {name}/{checkpoint}; it has "
            f"{', '.join(sorted(str(path.relative_to(folder)) for path in folder.glob('fold_*/*.pth'))) or 'none'}"
        )
    return tuple(f"{name}/{checkpoint}" for name in wanted)


def _configuration(folder: Path, plans: Mapping[str, Any]) -> dict[str, Any]:
    """Of the plans, what the folder's name says; with what it inherits."""
    known = plans.get("configurations")
    if not isinstance(known, dict) or not known:
        raise ModelError(f"{folder / 'plans.json'} has no configurations; is it of nnU-Net v1?")
    named = folder.name.rpartition("__")[2]
    name = named if named in known else next(iter(known)) if len(known) == 1 else None
    if name is None:
        raise ModelError(
            f"the folder {folder} must be called …__CONFIGURATION, as nnU-Net calls it; {did_you_mean(named, known)}"
        )
    found: dict[str, Any] = {}
    while name is not None:
        found = known[name] | found
        name = known[name].get("inherits_from")
    return found


def _channels(folder: Path, dataset: Mapping[str, Any]) -> tuple[str, ...]:
    names = dataset.get("channel_names", dataset.get("modality"))
    if not isinstance(names, dict) or not names:
        raise ModelError(f"{folder / 'dataset.json'} has no channel_names; copy the model folder again")
    return tuple(str(names[key]) for key in sorted(names, key=int))


def _labels(folder: Path, dataset: Mapping[str, Any]) -> dict[int, str]:
    named = dataset.get("labels")
    if not isinstance(named, dict) or not named:
        raise ModelError(f"{folder / 'dataset.json'} has no labels; copy the model folder again")
    if unions := [name for name, label in named.items() if not isinstance(label, int | str)]:
        raise ModelError(
            f"{folder / 'dataset.json'} has labels that overlap, such as {unions[0]!r} (region-based training); "
            "bmx needs one label for each bone"
        )
    return {int(label): str(name) for name, label in named.items() if int(label) != 0}


def _orientation(folder: Path, dataset: Mapping[str, Any], plans: Mapping[str, Any]) -> tuple[str | None, str]:
    """What the model says itself: VIBESegmentator in `dataset.json`, for x, y, z; some readers by what they do."""
    said = dataset.get("orientation")
    if said is not None:
        letters = "".join(map(str, said))[::-1]
        try:
            check_orientation(letters)
        except ValueError as exc:
            raise ModelError(f"{folder / 'dataset.json'} has orientation {said!r}: {exc}") from exc
        return letters, "dataset.json"
    reader = str(plans.get("image_reader_writer"))
    return _REORIENTING.get(reader), f"image reader {reader}"


def _spacing(plans: Mapping[str, Any], configuration: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Of the axes as they come, not as the network sees them."""
    spacing, backward = configuration.get("spacing", ()), plans.get("transpose_backward", ())
    if len(spacing) != 3 or len(backward) != 3:
        return None
    return tuple(float(spacing[axis]) for axis in backward)
