"""The card of a trained model: what it saw, in numbers and a digest; who, in a file that needn't travel with it."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bmx.core.agreement import IDEAL, spread
from bmx.models.cards import ORIENTATION, ModelCard
from bmx.regions import Region, region_spacing
from bmx.training.checkpoints import Progress
from bmx.training.examples import Examples, examples_digest, names, realistic
from bmx.training.facts import Facts
from bmx.training.held_out import HeldOut
from bmx.training.options import TrainingOptions

SPLITS = "splits.csv"

Parts = Mapping[str, Examples]
"""`training`, `validation` and `held_out`."""


def identity_of(examples: Examples) -> str:
    """Tells examples apart: names and digest; of those made on demand what they say of themselves, not to make them."""
    told: str | None = getattr(examples, "identity", None)
    if told is not None:
        return told
    called = hashlib.blake2b(repr(names(examples)).encode(), digest_size=8).hexdigest()
    return f"{len(examples)}, names {called}, digest {examples_digest(examples)}"


def write_splits(folder: Path, parts: Parts) -> None:
    """Write which case was used for what. Not on the card: a model is shared, EIDs of participants must not be."""
    with (folder / SPLITS).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["case", "part"])
        writer.writerows([name, part] for part, examples in parts.items() for name in names(examples))


def describe(
    region: Region,
    options: TrainingOptions,
    parts: Parts,
    held_out: HeldOut,
    progress: Progress,
    facts: Facts,
) -> ModelCard:
    """Make the card; the digest of the weights is still to be filled in."""
    spacing = region_spacing(region)
    return ModelCard(
        region=region.name,
        architecture=options.architecture,
        sizes=dict(options.sizes or {}),
        input=facts.contrast,
        spacing=spacing,
        orientation=ORIENTATION,
        normalisation="98th percentile of tissue = 1, cut to the body (bmx.core.preparation)",
        training_data=facts.training_data,
        training_steps=progress.best_step or progress.step,
        simulated=facts.simulated,
        held_out=held_out_entries(held_out),
        reference={
            **volume_reference(parts["training"], spacing),
            "confidence_median": float(held_out.cases["confidence"].median()),
        },
        intended_use=(
            "simulated anatomy, not for people: tests, demonstration and teaching"
            if facts.simulated
            else "research on UK Biobank Dixon images; check the masks before you use the numbers"
        ),
        licence="BSD-3-Clause",
        examples={name: {"n": len(part), "digest": examples_digest(part)} for name, part in parts.items()},
    )


def volume_reference(examples: Examples, spacing: tuple[float, float, float]) -> dict[str, float]:
    """Mean and SD of the volume, mL, by which `bmx.qc.flag` tells a small mask; none of fewer than two masks.

    Empty masks don't count, as in a cohort's own reference; nor do simulated people with anything unusual, or images
    beyond realism: their volumes spread so far that no mask would ever be small.
    """
    voxel_ml = float(np.prod(spacing)) / 1000
    usual = [index for index, real in enumerate(realistic(examples)) if real]
    drawn = [int(examples[index][1].sum()) for index in usual]
    volumes = [voxels * voxel_ml for voxels in drawn if voxels]
    if len(volumes) < 2:
        return {}
    return {"volume_mean_ml": float(np.mean(volumes)), "volume_sd_ml": float(np.std(volumes, ddof=1))}


def held_out_entries(scores: HeldOut) -> dict[str, float]:
    """Numbers for the card: n, and mean, SD and worst of each measure, but no NaN, which JSON can't hold."""
    entries: dict[str, float] = {}
    for name, ideal in IDEAL.items():
        found = spread(scores.cases[name], ideal=ideal)
        entries |= {"n": found.n} if name == "dice" else {}
        entries |= {f"{name}_{key}": getattr(found, key) for key in ("mean", "sd", "worst")}
    entries["dice_sd"] = entries["dice_sd"] if entries["n"] > 1 else 0.0
    return {key: value for key, value in entries.items() if not np.isnan(value)}
