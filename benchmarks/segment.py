"""What one volume costs each network on a CPU, beside the networks that people would pick instead.

    python benchmarks/segment.py [--rounds 3] [--threads 1] [--dice table.csv --plot pareto.png]

One run measures all of them in turns, on a volume of the size of slab 4, with random weights: time doesn't depend
on them, except on where a ROI lies. MONAI's networks are measured if it is installed (extra `bench`). Memory is what
one forward pass adds to a fresh process. Speed means nothing without accuracy: give a table with the columns
`network` and `dice` (several rows of a network are averaged), and the plot of time against Dice is drawn.

Networks are compared by the processor time of their best round: what else the machine does is not in it. With more
than one thread it holds waiting, too, so that one thread is the default.

Exits with 1 if an aim is missed: our cascade 8 times as fast as MONAI's BasicUNet, the paper's network twice as fast as
itself with a decoder for the whole volume, four regions of one participant in 2 s and 2 GB.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from peers import BASIC_UNET, peers
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bmx.models.library import load_models
from bmx.nn.blocks import Conv
from bmx.nn.build import ARCHITECTURES, SIZES, build
from bmx.regions import REGIONS
from bmx.simulation.bodies import simulate_participant
from bmx.simulation.people import draw_people, person_at

SHAPE = (46, 174, 224)
PADDED = (48, 176, 224)
"""What networks of four halvings (MONAI's, which don't pad by themselves) are given."""

REGION = REGIONS["femoral_head"]
FULL_DECODER = "roi_attention_unet, full decoder"
AIMS = {"roi_cascade": (BASIC_UNET, 8.0), "roi_attention_unet": (FULL_DECODER, 2.0)}
"""(what it is compared to, how many times as fast it shall be)."""


def ours(architecture: str) -> nn.Module:
    """One of our networks, with the sizes that are trained by default."""
    return build(architecture, REGION, SIZES[architecture])


def with_full_decoder() -> nn.Module:
    """The paper's network with a ROI that is the whole volume: what its ROI saves."""
    everything = dataclasses.replace(REGION, roi_shape=PADDED)
    return build("roi_attention_unet", everything, SIZES["roi_attention_unet"])


def candidates() -> dict[str, Callable[[], nn.Module]]:
    """Makers of the networks by name, those of MONAI only if it is installed."""
    found: dict[str, Callable[[], nn.Module]] = {name: lambda name=name: ours(name) for name in ARCHITECTURES}
    found[FULL_DECODER] = with_full_decoder
    return found | peers()


def volume_for(name: str) -> Tensor:
    """A seeded volume of the size of slab 4; padded for networks that don't pad by themselves."""
    shape = PADDED if name.startswith("MONAI") else SHAPE
    return torch.rand((1, 1, *shape), generator=torch.Generator().manual_seed(0))


def make(name: str) -> nn.Module:
    """A network with seeded random weights, ready to predict."""
    torch.manual_seed(0)
    return candidates()[name]().eval()


def peak_megabytes(name: str, threads: int) -> float:
    """Memory that one forward pass adds to a fresh process: run this in one."""
    torch.set_num_threads(threads)
    network, volume = make(name), volume_for(name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with torch.inference_mode():
        network(volume)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def measure(rounds: int, threads: int) -> pd.DataFrame:
    """Seconds (median and best), GFLOP, memory and weights of every network; rounds go through all of them in turn.

    GFLOP are those of convolutions and matrix products of one forward pass, as torch counts them.
    """
    names = list(candidates())
    # First of all: a new process begins with the memory that its parent has had.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        peak = [pool.apply(peak_megabytes, (name, threads)) for name in names]
    torch.set_num_threads(threads)
    networks = {name: make(name) for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    processor: dict[str, list[float]] = {name: [] for name in names}
    gflop: dict[str, float] = {}
    for turn in range(rounds + 1):
        for name, network in networks.items():
            volume = volume_for(name)
            if turn == 0:  # the first pass chooses kernels, and is not timed
                with FlopCounterMode(display=False) as counter, torch.no_grad():
                    network(volume)
                gflop[name] = counter.get_total_flops() / 1e9
                continue
            wall, used = time.perf_counter(), time.process_time()
            with torch.inference_mode():
                network(volume)
            seconds[name].append(time.perf_counter() - wall)
            processor[name].append(time.process_time() - used)
    table = pd.DataFrame(
        {
            "seconds": {name: statistics.median(times) for name, times in seconds.items()},
            "best": {name: min(times) for name, times in seconds.items()},
            "cpu_seconds": {name: min(times) for name, times in processor.items()},
            "gflop": gflop,
            "weights": {name: sum(one.numel() for one in network.parameters()) for name, network in networks.items()},
        }
    )
    table["peak_mb"] = peak
    if BASIC_UNET in table.index:
        table["times_basic_unet"] = table.loc[BASIC_UNET, "cpu_seconds"] / table["cpu_seconds"]
    return table


def time_small_convolution(rounds: int) -> tuple[float, float]:
    """Processor seconds, forward and backward, of one small volume: torch's own convolution, and that of our blocks."""
    volume = torch.rand((1, 16, 32, 32, 32), requires_grad=True)
    best = []
    for kind in (nn.Conv3d, Conv):
        layer, times = kind(16, 16, kernel_size=3, padding=1), []
        for _ in range(rounds + 1):
            begin = time.process_time()
            layer(volume).sum().backward()
            times.append(time.process_time() - begin)
        best.append(min(times[1:]))
    return best[0], best[1]


def time_participant(rounds: int) -> tuple[float, float]:
    """Seconds, best of some rounds on 2 threads, and megabytes: four regions of one participant by the shipped weights.

    From slabs in memory to masks: preparation, networks, confidence.
    """
    torch.set_num_threads(2)
    models = load_models("simulated")
    exam = simulate_participant(person_at(draw_people(1, 5), 0), (2, 4, 5), 5)
    seconds = []
    for _ in range(rounds + 1):  # the first loads the weights
        begin = time.perf_counter()
        for model in models.values():
            slab = exam[REGIONS[model.region].slab]
            model.draw(slab.images["fat"], slab.images["water"], slab.affine)
        seconds.append(time.perf_counter() - begin)
    return min(seconds[1:]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def missed_aims(table: pd.DataFrame) -> list[str]:
    """Print each aim with what was found; give those that were missed."""
    missed = []
    for name, (other, aim) in AIMS.items():
        if other not in table.index:
            print(f"{name}: not compared, {other} was not measured")
            continue
        ratio = table.loc[other, "cpu_seconds"] / table.loc[name, "cpu_seconds"]
        verdict = "reached" if ratio >= aim else "MISSED"
        print(f"{name} is {ratio:.1f} times as fast as {other}; aim {aim:g}: {verdict}")
        missed += [name] if ratio < aim else []
    return missed


def with_dice(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Add the mean Dice of each network and whether no other is both faster and better."""
    given = pd.read_csv(path)
    if not {"network", "dice"} <= set(given.columns):
        raise SystemExit(f"{path} must have the columns network and dice, found {', '.join(given.columns)}")
    dice = given.groupby("network")["dice"].mean()
    if unknown := sorted(set(dice.index) - set(table.index)):
        raise SystemExit(f"{path} names {', '.join(unknown)}; measured were {', '.join(table.index)}")
    scored = table.join(dice, how="inner").sort_values("seconds")
    scored["pareto"] = scored["dice"] > scored["dice"].cummax().shift(fill_value=float("-inf"))
    return scored


def draw(scored: pd.DataFrame, path: Path) -> None:
    """Plot Dice against seconds; the networks that no other beats in both are joined by a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    front = scored[scored["pareto"]]
    axes.step(front["seconds"], front["dice"], where="post", color="0.6", zorder=1)
    axes.scatter(scored["seconds"], scored["dice"], c=["C0" if one else "0.7" for one in scored["pareto"]], zorder=2)
    for name, row in scored.iterrows():
        axes.annotate(str(name), (row["seconds"], row["dice"]), xytext=(4, 4), textcoords="offset points", fontsize=8)
    axes.set(xscale="log", xlabel="seconds per volume of slab 4 (CPU)", ylabel="Dice")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Measure, compare, print, and draw if Dice is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dice", type=Path, help="CSV with the columns network and dice")
    parser.add_argument("--plot", type=Path, default=Path("pareto.png"))
    arguments = parser.parse_args()

    # Before anything else: a new process begins with the memory that its parent has had.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        took, megabytes = pool.apply(time_participant, (arguments.rounds,))
    table = measure(arguments.rounds, arguments.threads)
    print(f"one volume {SHAPE}, float32, {arguments.threads} threads, median of {arguments.rounds}, random weights")
    print(table.sort_values("seconds").round(2).to_string())
    plain, own = time_small_convolution(5 * arguments.rounds)
    print(
        f"one convolution of 16 channels, 32 x 32 x 32 voxels, forward and backward: {1000 * own:.1f} ms, "
        f"{plain / own:.1f} times as fast as torch's own"
    )
    missed = missed_aims(table)
    print(f"four regions of one participant, shipped weights, 2 threads: {took:.2f} s (aim <= 2), {megabytes:.0f} MB")
    missed += ["four regions"] if took > 2 or megabytes > 2048 else []
    if arguments.dice is not None:
        scored = with_dice(table, arguments.dice)
        print(scored[["seconds", "dice", "pareto"]].round(3).to_string())
        draw(scored, arguments.plot)
        print(f"drew {arguments.plot}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
