"""Pack the weights of models into eight bits, a half of what training writes, and judge them anew.

    python benchmarks/pack_shipped.py runs/* --into bmx/models/simulated

For models that learned from simulation: the held-out people that their card counts are simulated again, and what stands
on the new card is what the packed weights do with them. Prints Dice before and after; a model that loses more than
0.002 is refused, with exit code 1.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import replace
from pathlib import Path

from bmx.models.cards import ModelCard
from bmx.models.weights import load_weights, save_weights
from bmx.nn.build import build
from bmx.regions import get_region, region_spacing
from bmx.simulation.examples import UNUSUAL, SimulatedExamples
from bmx.training.describing import held_out_entries
from bmx.training.held_out import score

LOSS = 0.002


def pack_one(folder: Path, into: Path) -> tuple[float, float]:
    """Pack one model directory; give mean Dice before and after."""
    card = ModelCard.read(folder)
    region = get_region(card.region)
    network = build(card.architecture, region, card.sizes)
    seen = {"region": card.region, "contrast": card.input}
    load_weights(folder, network, card.weights_digest, **seen)
    told = re.search(r"seed (\d+)", card.training_data)
    assert told is not None, "a card of `bmx train --simulate` says its seed"
    examples = [*SimulatedExamples(region, int(card.held_out["n"]), int(told[1]) + 1, card.input, UNUSUAL)]
    before = score(network.eval(), examples, region_spacing(region))
    target = into / card.region
    target.mkdir(parents=True, exist_ok=True)
    digest = save_weights(target, network, **seen, packed=True)
    load_weights(target, network, digest, **seen)
    after = score(network.eval(), examples, region_spacing(region))
    sure = float(after.cases["confidence"].median())
    replace(
        card, weights_digest=digest, held_out=held_out_entries(after),
        reference={**card.reference, "confidence_median": sure},
    ).write(target)  # fmt: skip
    return float(before.cases["dice"].mean()), float(after.cases["dice"].mean())


def main() -> int:
    """Pack all, print, and say whether anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--into", type=Path, required=True)
    options = parser.parse_args()
    lost = False
    for folder in options.folders:
        before, after = pack_one(folder, options.into)
        worse = after < before - LOSS
        lost |= worse
        print(f"{folder.name}: held-out Dice {before:.4f}, packed {after:.4f}{'  LOST' if worse else ''}", flush=True)
    return int(lost)


if __name__ == "__main__":
    sys.exit(main())
