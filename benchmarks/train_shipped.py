"""Train the four networks whose weights ship in bmx/models/simulated, two at a time on two cores.

    python benchmarks/train_shipped.py [--into bmx/models/simulated] [--work runs]

Takes about an hour on two cores. It can be stopped and started again at any moment.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ARCHITECTURE = "roi_cascade"
RECIPES = {
    "femoral_diaphysis": ["--steps", "1500", "--simulate", "140"],
    "spine": ["--steps", "1500", "--simulate", "140", "--zoom"],
    "total_hip": ["--steps", "1200", "--simulate", "110", "--zoom"],
    "femoral_head": ["--steps", "1100", "--simulate", "110", "--zoom"],
}
"""From random weights. A diaphysis has a fixed length, so that its bodies aren't zoomed."""

SHIPPED = Path("bmx/models/simulated")


def train(region: str, work: Path) -> Path:
    """Train one region in a process of its own, with one thread."""
    folder = work / region
    command = ["train", str(folder), "--region", region, "--architecture", ARCHITECTURE, *RECIPES[region]]
    with (work / f"{region}.log").open("a", encoding="utf-8") as log:
        subprocess.run(
            [sys.executable, "-m", "bmx.cli", *command],
            check=True, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    return folder


def main() -> None:
    """Train all regions and put card and weights where the package looks for them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=SHIPPED)
    parser.add_argument("--work", type=Path, default=Path("runs"))
    parser.add_argument("--regions", nargs="+", default=list(RECIPES))
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(max_workers=2) as pool:
        for folder in pool.map(lambda region: train(region, arguments.work), arguments.regions):
            target = arguments.into / folder.name
            target.mkdir(parents=True, exist_ok=True)
            for name in ("model.json", "weights.safetensors"):
                shutil.copyfile(folder / name, target / name)
            print(f"{folder.name}: {(folder / 'model.json').read_text()}")


if __name__ == "__main__":
    main()
