"""Which measure of confidence predicts how good a mask is, and what it costs.

    python benchmarks/confidence.py [--participants 40] [--seed 77001] [--models simulated] [--rows rows.csv]

Half of the simulated participants have something unusual: scoliosis, a fracture, an implant, dark lines, depleted
marrow, an exam that begins too high or too low, much noise, or the neighbouring slab in the place of the region's own
(then the truth is empty, and whatever is drawn has a Dice of 0). For each region the command prints, for each
candidate, Spearman's correlation with Dice, and the AUC for Dice < 0.8 (the chance that a bad mask has the lower
confidence of a bad and a good one); and what a candidate costs, in passes through the network.

Masks without a voxel are left out: they are known to be of no use without any measure.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import ndimage, stats

from bmx.acquisition import SLABS
from bmx.core.overlap import dice
from bmx.core.preparation import Prepared, prepare
from bmx.models.library import load_models
from bmx.models.own import Model
from bmx.regions import REGIONS, regions_of_slab
from bmx.simulation.bodies import Placement, SimulatedSlab, draw_body, image_body
from bmx.simulation.faults.apply import apply_faults
from bmx.simulation.faults.placement import Positioning
from bmx.simulation.faults.registry import FAULTS
from bmx.simulation.people import draw_people, person_at
from bmx.types import FloatVolume, Mask

BAD = 0.8
"""Dice below which a mask is called bad."""

STAGES = ("person", "body", "placement")
USUAL, NOISY, WRONG_SLAB = "nothing", "noise", "wrong slab"


@dataclass(frozen=True)
class Case:
    """One participant's slab, whatever is unusual about it, and the truth."""

    participant: int
    unusual: str
    prepared: Prepared
    masks: dict[str, Mask]
    """By region, cut like the volume."""


def unusual_things(slab: int) -> list[str]:
    """What can be unusual about the images of this slab."""
    names = {region.name for region in regions_of_slab(slab)}
    bodies = [
        name for name, kind in FAULTS.items()
        if kind.stage in STAGES and names & set(kind.regions) and kind.cause != "data structure"
    ]  # fmt: skip
    return [*bodies, NOISY, WRONG_SLAB]


def draw_cases(slab: int, participants: int, seed: int) -> Iterator[Case]:
    """Image one slab of everyone; every second one has something unusual, each kind in turn."""
    people, things = draw_people(participants, seed), unusual_things(slab)
    for index in range(participants):
        rng = np.random.default_rng([seed, index, slab])
        unusual = things[index // 2 % len(things)] if index % 2 else USUAL
        names, known = [unusual] if unusual in FAULTS else [], {"seed": seed, "index": index}
        person, _ = apply_faults("person", person_at(people, index), names, **known)
        anatomy, _ = apply_faults("body", draw_body(person, seed), names, **known)
        lying, _ = apply_faults("placement", Positioning((slab,)), names, **known)
        seen = slab + int(rng.choice((-1, 1))) if unusual == WRONG_SLAB else slab
        image = image_body(anatomy, person, (seen,), seed, placement=Placement(lying.shift_mm))[seen]
        yield make_case(index, unusual, image, slab, rng)


def make_case(index: int, unusual: str, image: SimulatedSlab, slab: int, rng: np.random.Generator) -> Case:
    """Add noise if that is the unusual thing, and cut everything to the body."""
    fat, water = image.images["fat"], image.images["water"]
    if unusual == NOISY:
        sd = rng.uniform(0.1, 0.5) * np.percentile(fat, 98)
        fat, water = (np.abs(one + rng.normal(0, sd, one.shape)).astype(np.uint16) for one in (fat, water))
    prepared = prepare(fat, water)
    masks = {
        region.name: image.masks[region.name][prepared.box] if unusual != WRONG_SLAB
        else np.zeros(prepared.volume.shape, bool)
        for region in regions_of_slab(slab)
    }  # fmt: skip
    return Case(index, unusual, prepared, masks)


# --- candidates: logits (z, y, x), the volume that gave them, and the network -> 0-1 ----------------------------

Candidate = Callable[[FloatVolume, FloatVolume, Model], float]


def inside(logits: FloatVolume, volume: FloatVolume, model: Model) -> float:
    """Mean probability inside the mask."""
    return float(sigmoid(logits[logits > 0]).mean())


def soft_dice(logits: FloatVolume, volume: FloatVolume, model: Model) -> float:
    """Dice that is to be expected if the probabilities are right."""
    probability, mask = sigmoid(logits), logits > 0
    return float(2 * probability[mask].sum() / (probability.sum() + mask.sum()))


def soft_volume(logits: FloatVolume, volume: FloatVolume, model: Model) -> float:
    """Volume by probability and by mask, the smaller over the larger."""
    soft, hard = float(sigmoid(logits).sum()), float((logits > 0).sum())
    return min(soft, hard) / max(soft, hard)


def border(logits: FloatVolume, volume: FloatVolume, model: Model) -> float:
    """How far from undecided the voxels on both sides of the border are, on average."""
    mask = logits > 0
    edge = ndimage.binary_dilation(mask) ^ ndimage.binary_erosion(mask)
    return float(np.abs(2 * sigmoid(logits[edge]) - 1).mean())


def entropy(logits: FloatVolume, volume: FloatVolume, model: Model) -> float:
    """One minus the mean entropy (bits) of what might be inside."""
    p = np.clip(sigmoid(logits[logits > -3]).astype(np.float64), 1e-9, 1 - 1e-9)
    return float(1 + (p * np.log2(p) + (1 - p) * np.log2(1 - p)).mean())


def deepest(logits: FloatVolume, volume: FloatVolume, model: Model) -> float:
    """Lowest mean probability of the mask among its slices, weighted by their size."""
    mask = logits > 0
    rows = mask.sum(axis=(1, 2))
    total = (sigmoid(logits) * mask).sum(axis=(1, 2))
    used = rows > 0
    return float(np.quantile(total[used] / rows[used], 0.1))


def shifted(logits: FloatVolume, volume: FloatVolume, model: Model) -> float:
    """Dice with the mask of a crop that begins two rows and three columns later."""
    return dice(logits[:, 2:, 3:] > 0, model.logits(volume[:, 2:, 3:]) > 0)


def noised(logits: FloatVolume, volume: FloatVolume, model: Model) -> float:
    """Dice with the mask of the same volume with noise of 5 % of bright tissue."""
    noise = np.random.default_rng(0).normal(0, 0.05, volume.shape).astype(np.float32)
    return dice(logits > 0, model.logits(volume + noise) > 0)


def brighter(logits: FloatVolume, volume: FloatVolume, model: Model) -> float:
    """Dice with the mask of the same volume at a gamma of 1.2."""
    return dice(logits > 0, model.logits(np.sign(volume) * np.abs(volume) ** np.float32(1.2)) > 0)


CANDIDATES: dict[str, Candidate] = {
    candidate.__name__: candidate
    for candidate in (inside, soft_dice, soft_volume, border, entropy, deepest, shifted, noised, brighter)
}


def sigmoid(logits: FloatVolume) -> FloatVolume:
    """Probability of being inside."""
    return 1 / (1 + np.exp(-logits))


def rows_of(case: Case, models: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Dice and all candidates of the regions of one case."""
    for region, mask in case.masks.items():
        model = models[region]
        began = time.process_time()
        logits = model.logits(case.prepared.volume)
        passed = time.process_time() - began
        if not (logits > 0).any():
            continue
        row = {
            "participant": case.participant,
            "region": region,
            "unusual": case.unusual,
            "dice": dice(logits > 0, mask),
        }
        for name, candidate in CANDIDATES.items():
            began = time.process_time()
            row[name] = candidate(logits, case.prepared.volume, model)
            row[f"{name}_cost"] = (time.process_time() - began) / passed
        yield row


def auc(bad: np.ndarray, confidence: np.ndarray) -> float:
    """Chance that a bad mask has the lower confidence of a bad and a good one; NaN if there is but one kind."""
    if bad.all() or not bad.any():
        return float("nan")
    return float(stats.mannwhitneyu(confidence[~bad], confidence[bad]).statistic / (bad.sum() * (~bad).sum()))


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """For each candidate: correlation and AUC by region and overall, and cost."""
    table: dict[str, dict[str, float]] = {name: {} for name in CANDIDATES}
    groups = dict([*rows.groupby("region", sort=False), ("all", rows)])
    for region, part in groups.items():
        bad = (part["dice"] < BAD).to_numpy()
        for name in CANDIDATES:
            table[name][f"rho {region}"] = stats.spearmanr(part[name], part["dice"]).statistic
            table[name][f"AUC {region}"] = auc(bad, part[name].to_numpy())
    for name in CANDIDATES:
        table[name]["cost"] = rows[f"{name}_cost"].median()
    return pd.DataFrame(table).T


def main() -> None:
    """Simulate, draw, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, default=40)
    parser.add_argument("--seed", type=int, default=77001)
    parser.add_argument("--models", default="simulated")
    parser.add_argument("--rows", type=Path, help="keep the table of all masks here")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    models = load_models(arguments.models)
    found: list[dict[str, Any]] = []
    for slab in sorted({region.slab for region in REGIONS.values()}):
        for case in draw_cases(slab, arguments.participants, arguments.seed):
            found += rows_of(case, models)
        print(f"{SLABS[slab].name}: {arguments.participants} participants", flush=True)
    rows = pd.DataFrame(found)
    if arguments.rows:
        rows.to_csv(arguments.rows, index=False)
    report(rows)


def report(rows: pd.DataFrame) -> None:
    """Print everything that is said about a table of masks."""
    print(f"\n{len(rows)} masks; Dice < {BAD}:")
    bad = rows.assign(bad=rows["dice"] < BAD).groupby("region", sort=False)["bad"].agg(["sum", "size"])
    print(bad.rename(columns={"sum": "bad", "size": "masks"}).to_string())
    print("\nSpearman's rho with Dice and AUC for a bad mask; cost in passes through the network")
    print(summarise(rows).round(2).to_string())


if __name__ == "__main__":
    main()
