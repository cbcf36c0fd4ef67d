"""Measure anew the reference volumes on cards of models that learned from simulation: by them a mask is called small.

    python benchmarks/card_references.py bmx/models/simulated/* bmx/models/simulated_fat/*

The people that a card names are simulated again, and their volumes counted as training counts them. Nothing else on a
card changes, nor do the weights. Takes about a minute a model on one core.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path

from bmx.models.cards import ModelCard
from bmx.regions import get_region, region_spacing
from bmx.simulation.examples import TRAINING, SimulatedExamples
from bmx.training.describing import volume_reference


def measure_one(folder: Path) -> dict[str, float]:
    """Rewrite the card of one model directory; give its new reference."""
    card = ModelCard.read(folder)
    told = re.match(r"(\d+) participants of bmx simulate, seed (\d+)", card.training_data)
    if told is None:
        raise SystemExit(f"the card of {folder} doesn't say how many participants of which seed it learned from")
    region = get_region(card.region)
    people = SimulatedExamples(region, int(told[1]), int(told[2]), card.input, TRAINING)
    reference = {**card.reference, **volume_reference(people, region_spacing(region))}
    replace(card, reference=reference).write(folder)
    return reference


def main() -> None:
    """Measure all, and print before and after."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    for folder in parser.parse_args().folders:
        before = ModelCard.read(folder).reference
        told = " -> ".join(
            f"{one['volume_mean_ml']:.1f} ± {one['volume_sd_ml']:.1f} mL" for one in (before, measure_one(folder))
        )
        print(f"{folder}: {told}", flush=True)


if __name__ == "__main__":
    main()
