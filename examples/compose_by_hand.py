"""`run` taken apart: draw masks and measure them lazily, on a part of a store, without writing anything.

python examples/compose_by_hand.py [folder]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import bmx


def main(folder: Path) -> None:
    """Segment and measure one region of the first participant."""
    bmx.simulate(folder, participants=2, seed=8, slabs=(5,), workers=1)
    bmx.convert(folder / "dixon", folder / "slabs.zarr", slabs=(5,), workers=1)

    slabs = bmx.open_store(folder / "slabs.zarr").isel(participant=slice(0, 1))
    masks = bmx.segment(slabs, models="simulated", regions=["femoral_diaphysis"])
    for recipe in ("mask_aware", "paper", "released_code", "none"):
        results = bmx.measure(slabs, masks=masks, recipe=recipe)  # lazy: nothing was read so far
        print(f"{recipe:>13}: {results['bmff'].compute().item():.1f} % in {results['voxels'].compute().item()} voxels")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            main(Path(scratch))
