"""Train every network on the same masks for the same time, and keep their Dice in a table: the paper's Table 2.

    python benchmarks/table2.py --region lumbar --data ../shared/data/lumbar_spine
    python benchmarks/table2.py --region spine [--networks roi_cascade "MONAI BasicUNet"] [--minutes 10]
    python benchmarks/table2.py --print

One call trains one row: all networks, one after the other, with the same examples, augmentation, optimiser and
time (10 minutes on 2 threads by default; examples are made before the clock starts). On a CPU that is the time that its
threads had, so that whatever else runs on the machine favours nobody. What is finished stands in
`benchmarks/table2.csv` beside the command that made it, and isn't trained again. `--full` takes all folds, three seeds
and an hour each: a GPU is used if there is one, and the table says so.

(a) spine, femoral_head, total_hip, femoral_diaphysis: simulated participants, half of them with a fault or pathology.
(b) lumbar: real sagittal images, vertebral bodies L1-L5, on voxels of 2 x 2 x 4 mm; scored on the images' own voxels.
MONAI's networks need MONAI: `pip install --no-deps monai`.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import lumbar_images
import numpy as np
import pandas as pd
import torch
from peers import ATTENTION_UNET, BASIC_UNET, Peer, peers
from torch.nn import functional

from bmx.core.agreement import compare_masks, spread
from bmx.models.own import best_device
from bmx.nn.build import ARCHITECTURES, SIZES, build
from bmx.nn.network import Network
from bmx.regions import REGIONS, get_region, region_spacing
from bmx.simulation.examples import UNUSUAL, SimulatedExamples
from bmx.training.examples import Examples
from bmx.training.held_out import score
from bmx.training.options import TrainingOptions
from bmx.training.step import train_step

KEPT = Path(__file__).with_name("table2.csv")
AIMS = {"femoral_diaphysis": 0.87, "lumbar": 0.89}
AIM = 0.91
"""Of any other region."""
TRAINED_ON, TESTED_ON = 60, 20
"""Simulated participants."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What one row asks of a network."""

    train: Examples
    score: Callable[[Network], pd.DataFrame]
    """Agreement of each held-out case."""
    options: TrainingOptions


def main() -> None:
    """Train what is missing of one row, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--region", choices=[*REGIONS, "lumbar"])
    parser.add_argument("--networks", nargs="+", help="only these; by default all")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/lumbar_spine"))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--full", action="store_true", help="all folds, three seeds, an hour each")
    parser.add_argument("--table", type=Path, default=KEPT)
    parser.add_argument("--print", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    if not arguments.print:
        if arguments.region is None:
            parser.error("give --region, or --print")
        torch.set_num_threads(arguments.threads)
        train_row(arguments)
    if not arguments.table.exists():
        raise SystemExit(f"nothing has been trained yet: {arguments.table} doesn't exist; give --region")
    print(layout(pd.read_csv(arguments.table)))


def train_row(arguments: argparse.Namespace) -> None:
    """Train all networks of a row that the table doesn't hold yet."""
    region, minutes = arguments.region, 60.0 if arguments.full else arguments.minutes
    makers = {name: name for name in ARCHITECTURES} | {
        name: name for name in peers() if name in (BASIC_UNET, ATTENTION_UNET)
    }
    wanted = arguments.networks or list(makers)
    for fold, seed in runs(region, full=arguments.full):
        missing = [name for name in wanted if not held(arguments.table, region, name, fold, seed, minutes)]
        if not missing:
            continue
        task = make_task(region, fold, seed, arguments.data)
        for name in missing:
            row = {"region": region, "network": name, "fold": fold, "seed": seed, "minutes": minutes}
            row |= train_and_score(name, region, task, minutes, arguments.threads)
            row |= {"threads": arguments.threads, "device": best_device().type, "command": command(region, arguments)}
            keep(arguments.table, row)


def runs(region: str, *, full: bool) -> Iterator[tuple[int, int]]:
    """Folds and seeds that are asked for."""
    folds = lumbar_images.FOLDS if region == "lumbar" else 2
    return itertools.product(range(folds), range(3)) if full else iter([(0, 0)])


def make_task(region: str, fold: int, seed: int, data: Path) -> Task:
    """Examples to learn from and to test on, made before any clock starts."""
    # A mask of fixed length can't be zoomed.
    options = TrainingOptions(seed=seed, zoom=region != "femoral_diaphysis")
    if region == "lumbar":
        images = lumbar_images.read_all(data)
        train, test = lumbar_images.fold([one.name for one in images], fold)
        held_out = [images[k] for k in test]
        return Task(
            [(images[k].volume, images[k].mask) for k in train],
            lambda network: score_lumbar(network, held_out),
            options,
        )
    which, first = get_region(region), 61_001 + 10 * fold
    seen, never = (
        [*SimulatedExamples(which, n, first + k, variety=UNUSUAL)] for k, n in enumerate((TRAINED_ON, TESTED_ON))
    )
    return Task(seen, lambda network: score(network, never, region_spacing(which)).cases, options)


def make_network(name: str, region: str) -> Network:
    """A network with random weights."""
    which = lumbar_images.REGION if region == "lumbar" else get_region(region)
    return build(name, which, SIZES[name]) if name in ARCHITECTURES else Peer(peers()[name]())


def clock(threads: int) -> float:
    """Seconds that all of so many threads have worked; of a GPU those that have passed."""
    return time.perf_counter() if best_device().type != "cpu" else time.process_time() / threads


def train_and_score(name: str, region: str, task: Task, minutes: float, threads: int) -> dict[str, float]:
    """Train one network until its time is over, then let it draw what it has never seen."""
    torch.manual_seed(task.options.seed)
    network = make_network(name, region).to(best_device())
    optimiser = torch.optim.Adam(network.parameters(), lr=task.options.learning_rate)
    begin, step, losses = clock(threads), 0, []
    while (spent := (clock(threads) - begin) / 60 / minutes) < 1:
        losses.append(train_step(network, optimiser, task.train, step, task.options, done=spent))
        step += 1
        if step % 50 == 0:
            print(f"{region}, {name}: step {step}, {spent:.0%}, loss {np.mean(losses[-50:]):.3f}", flush=True)
    network.eval()
    cases = task.score(network)
    dice = spread(cases["dice"], ideal=1.0)
    return {
        "train_n": len(task.train), "test_n": len(cases), "steps": step, "dice": dice.mean, "dice_sd": dice.sd,
        "dice_worst": dice.worst, "hausdorff95_mm": spread(cases["hausdorff95_mm"], ideal=0.0).mean,
    }  # fmt: skip


def score_lumbar(network: Network, images: Sequence[lumbar_images.Lumbar]) -> pd.DataFrame:
    """Agreement on the images' own voxels."""
    rows = []
    for image in images:
        with torch.inference_mode():
            logits = network(torch.from_numpy(image.volume)[None, None].to(best_device())).logits
            fine = functional.interpolate(logits, image.full_mask.shape, mode="trilinear", align_corners=False)
        drawn = (fine[0, 0] > 0).cpu().numpy()
        rows.append(compare_masks(drawn, image.full_mask, image.full_spacing).row())
    return pd.DataFrame(rows)


def command(region: str, arguments: argparse.Namespace) -> str:
    """How to train this row again."""
    budget = "--full" if arguments.full else f"--minutes {arguments.minutes:g} --threads {arguments.threads}"
    return f"python benchmarks/table2.py --region {region} {budget}"


def held(table: Path, region: str, network: str, fold: int, seed: int, minutes: float) -> bool:
    """Whether the table has this result."""
    if not table.exists():
        return False
    kept = pd.read_csv(table)
    same = (kept["region"] == region) & (kept["network"] == network) & (kept["fold"] == fold) & (kept["seed"] == seed)
    return bool((same & (kept["minutes"] == minutes)).any())


def keep(table: Path, row: dict[str, object]) -> None:
    """Append one result."""
    pd.DataFrame([row]).to_csv(table, mode="a", header=not table.exists(), index=False, float_format="%.4g")


def layout(kept: pd.DataFrame) -> str:
    """Networks by regions, `mean ± SD over cases (worst); steps`, for each budget; then what the aims say."""
    parts = []
    for (minutes, threads, device), those in kept.groupby(["minutes", "threads", "device"]):
        where = f"{threads} threads" if device == "cpu" else device
        text = those.assign(
            cell=[
                f"{row.dice:.3f} ± {row.dice_sd:.3f} ({row.dice_worst:.2f}); {row.steps}" for row in those.itertuples()
            ]
        )
        parts += [
            f"Dice, mean ± SD (worst) of held-out cases; training steps in {minutes:g} minutes on {where}",
            text.pivot_table(index="network", columns=["region", "fold", "seed"], values="cell", aggfunc="last")
            .fillna("–").to_string(),
        ]  # fmt: skip
        for region, row in those.groupby("region"):
            parts.append(verdict(str(region), row.groupby("network")["dice"].mean()))
    return "\n".join(parts)


def verdict(region: str, dice: pd.Series[float]) -> str:
    """Whether ours is the best of a row, and reaches the aim."""
    own, other = dice[dice.index.isin(ARCHITECTURES)], dice[~dice.index.isin(ARCHITECTURES)]
    aim, best = AIMS.get(region, AIM), own.max() if len(own) else math.nan
    beside = (
        f"; best of MONAI {other.max():.3f}: {'reached' if best >= other.max() else 'MISSED'}" if len(other) else ""
    )
    return f"{region}: best of ours {best:.3f} (aim {aim}: {'reached' if best >= aim else 'MISSED'}){beside}"


if __name__ == "__main__":
    main()
