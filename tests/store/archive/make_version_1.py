"""How `version-1.zip` was made, once, by bmx 0.1.0: `python -m tests.store.archive.make_version_1 somewhere.zip`.

Kept to show what is in it. A store of a version that was released is never made again: if a test finds that it can't be
read any more, the reader is wrong.

| EID | slab 2 | slab 5 |
|---|---|---|
| 1000001 | complete | absent |
| 1000002 | incomplete: the slice of index 7 is lost | unreadable: its pixels are cut off |
| 1000003, now -3 | withdrawn | withdrawn |
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
from distributed import Client, LocalCluster
from pydicom.dataset import Dataset

from bmx.acquisition import CONTRASTS, SLABS, ContrastName
from bmx.cohort.run import run
from bmx.ingest.conversion import convert
from bmx.ingest.withdrawing import withdraw
from bmx.simulation.exam_zips import write_exam
from bmx.simulation.exams import plan_exam
from bmx.types import IntVolume
from tests.exams import affine, edit
from tests.networks import write_model

STORES = ("slabs.zarr", "results.zarr", "results.masks.zarr")


def blocks(slab: int, seed: int) -> dict[ContrastName, IntVolume]:
    """A body of two blocks, four numbers in all: it compresses to next to nothing."""
    grid = SLABS[slab]
    fat = np.zeros((grid.slices, grid.rows, grid.columns), np.uint16)
    water = fat.copy()
    fat[:, 40:130, 40:120], fat[:, 40:130, 120:190] = 600 + seed, 100 + seed
    water[:, 40:130, 40:120], water[:, 40:130, 120:190] = 200, 700
    opposed = np.abs(fat.astype(int) - water).astype(np.uint16)
    made: dict[ContrastName, IntVolume] = {
        "in_phase": fat + water, "opposed_phase": opposed, "fat": fat, "water": water,
    }  # fmt: skip
    return made


def damage(image: Dataset) -> Dataset | None:
    """Lose one slice of slab 2 and most pixels of slab 5."""
    if image.Rows == SLABS[2].rows:
        lost = affine(2)[2, 3] + 7 * SLABS[2].slice_mm
        return None if abs(image.ImagePositionPatient[2] - lost) < 0.1 else image
    image.PixelData = image.PixelData[:1000]
    return image


def make(folder: Path, client: Client) -> None:
    """Write the three stores into a folder."""
    (folder / "dixon").mkdir()
    for seed, slabs in enumerate([(2,), (2, 5), (2, 5)], start=1):
        path = folder / f"dixon/100000{seed}_20201_2_0.zip"
        write_exam(path, plan_exam({n: blocks(n, seed) for n in slabs}, {n: affine(n) for n in slabs}, seed=seed))
    edit(folder / "dixon/1000002_20201_2_0.zip", damage)
    with patch("bmx.ingest.beginning.choose_size", lambda *_, **__: 2):  # a full shard, and one that isn't
        convert(folder / "dixon", folder / "slabs.zarr", slabs=(2, 5), contrasts=tuple(CONTRASTS), client=client)
    for region in ("spine", "femoral_diaphysis"):
        write_model(folder / "models" / region, region)
    run(folder / "slabs.zarr", folder / "results.zarr", models=folder / "models", client=client)
    withdraw(folder / "slabs.zarr", [1000003], results=[folder / "results.zarr"])


def main(target: Path) -> None:
    """Write a zip of the three stores."""
    with (
        tempfile.TemporaryDirectory() as name,
        LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        make(Path(name), client)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(Path(name).rglob("*")):
                place = path.relative_to(name)
                if path.is_file() and place.parts[0] in STORES:
                    archive.writestr(zipfile.ZipInfo(str(place)), path.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
