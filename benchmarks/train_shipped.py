"""Train the networks that ship, those of bmx/models/simulated and of simulated_fat, two at a time on two cores.

    python benchmarks/train_shipped.py [--into bmx/models] [--work runs] [--regions spine]

First those that see F + W, from random weights; then, begun with theirs, those that see fat alone, as the paper does.
What training wrote is packed into eight bits and judged anew (`pack_shipped.py`). Takes about an hour and a half on two
cores. It can be stopped and started again at any moment.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from pack_shipped import pack_one

ARCHITECTURE = "roi_cascade"
RECIPES = {
    "femoral_diaphysis": ["--steps", "1500", "--simulate", "140"],
    "spine": ["--steps", "1500", "--simulate", "140", "--zoom"],
    "total_hip": ["--steps", "1200", "--simulate", "110", "--zoom"],
    "femoral_head": ["--steps", "1100", "--simulate", "110", "--zoom"],
}
"""From random weights. A diaphysis has a fixed length, so that its bodies aren't zoomed."""

FAT_RECIPES = {
    region: ["--input", "fat", "--steps", "600", "--simulate", "90", *(["--zoom"] if "--zoom" in recipe else [])]
    for region, recipe in RECIPES.items()
}

SHIPPED = Path("bmx/models")


def train(region: str, folder: Path, recipe: list[str]) -> Path:
    """Train one region in a process of its own, with one thread."""
    command = ["train", str(folder / region), "--region", region, "--architecture", ARCHITECTURE, *recipe]
    with (folder / f"{region}.log").open("a", encoding="utf-8") as log:
        subprocess.run(
            [sys.executable, "-m", "bmx.cli", *command],
            check=True, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    return folder / region


def train_and_pack(region: str, work: Path, into: Path) -> None:
    """Both networks of one region."""
    begun = train(region, work / "simulated", RECIPES[region])
    fat = train(region, work / "simulated_fat", [*FAT_RECIPES[region], "--start", str(begun)])
    for folder, name in ((begun, "simulated"), (fat, "simulated_fat")):
        before, after = pack_one(folder, into / name)
        print(f"{name}/{region}: held-out Dice {before:.4f}, packed {after:.4f}", flush=True)


def main() -> None:
    """Train all regions and put cards and weights where the package looks for them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=SHIPPED)
    parser.add_argument("--work", type=Path, default=Path("runs"))
    parser.add_argument("--regions", nargs="+", default=list(RECIPES))
    arguments = parser.parse_args()
    for name in ("simulated", "simulated_fat"):
        (arguments.work / name).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(partial(train_and_pack, work=arguments.work, into=arguments.into), arguments.regions))


if __name__ == "__main__":
    main()
