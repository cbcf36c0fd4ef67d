"""What one simulated participant costs: seconds on one core and peak memory, for six slabs and four contrasts.

    OMP_NUM_THREADS=1 python benchmarks/simulation_speed.py [--participants 3]

The limits are those of the simulator's issue: arrays in 8 s, a finished zip in 15 s, 1 GB per worker.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import bmx
from bmx.simulation.bodies import simulate_participant
from bmx.simulation.people import draw_people, person_at

SLABS = (1, 2, 3, 4, 5, 6)
LIMITS = {"arrays": 8.0, "zip and truth": 15.0}


def main() -> None:
    """Simulate a few people, one after the other, and print the slowest of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, default=3)
    participants = parser.parse_args().participants
    people = draw_people(participants, seed=8)
    seconds: dict[str, list[float]] = {part: [] for part in LIMITS}
    for row in range(participants):
        begin = time.perf_counter()
        simulate_participant(person_at(people, row), SLABS, seed=8)
        seconds["arrays"].append(time.perf_counter() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        bmx.simulate(Path(folder), participants=participants, seed=8, slabs=SLABS, workers=1)
        seconds["zip and truth"].append((time.perf_counter() - begin) / participants)
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    for part, limit in LIMITS.items():
        print(f"{part}: {max(seconds[part]):.1f} s per participant (limit {limit:.0f} s)")
    print(f"peak memory: {peak:.2f} GB for arrays, {children:.2f} GB of a worker that writes zips (limit 1 GB)")


if __name__ == "__main__":
    main()
