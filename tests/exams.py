"""Small exams for tests: the real grid of each slab, a cheap pattern instead of anatomy."""

from __future__ import annotations

import io
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from bmx.acquisition import CONTRASTS, PIXEL_MM, SLABS, ContrastName, slab_top_mm
from bmx.simulation.exam_zips import write_exam
from bmx.simulation.exams import Exam, plan_exam
from bmx.types import Affine, IntVolume

TOP_MM = 900.0
"""Where the head end of slab 1 lies in these exams."""


def images(
    slab: int, *, seed: int = 0, contrasts: Iterable[ContrastName] = tuple(CONTRASTS)
) -> dict[ContrastName, IntVolume]:
    """Four images of one slab that obey in = W + F and opposed = |W - F|; every voxel differs from its neighbours."""
    shape = (SLABS[slab].slices, SLABS[slab].rows, SLABS[slab].columns)
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    fat = (100 + 10 * z + 3 * (y % 7) + x % 5 + seed % 97).astype(np.uint16)
    water = (300 + 5 * z + 2 * (x % 11) + y % 3 + seed % 89).astype(np.uint16)
    made: dict[ContrastName, IntVolume] = {
        "in_phase": fat + water,
        "opposed_phase": np.abs(fat.astype(int) - water).astype(np.uint16),
        "fat": fat,
        "water": water,
    }
    return {name: made[name] for name in CONTRASTS if name in set(contrasts)}


def affine(slab: int, *, top_mm: float = TOP_MM) -> Affine:
    """Where a slab lies in a clean exam, voxel (x, y, z) to RAS+ mm."""
    grid = SLABS[slab]
    low = top_mm - slab_top_mm(slab) - grid.extent_mm
    x, y = (grid.columns - 1) * PIXEL_MM / 2, (grid.rows - 1) * PIXEL_MM / 2
    return np.array([[-PIXEL_MM, 0, 0, x], [0, -PIXEL_MM, 0, y], [0, 0, grid.slice_mm, low]])


def clean_exam(
    slabs: Iterable[int] = (2,),
    *,
    contrasts: Iterable[ContrastName] = tuple(CONTRASTS),
    top_mm: float = TOP_MM,
    seed: int = 0,
    manifest: bool = True,
) -> Exam:
    """Plan the exam of one participant, to be written or changed."""
    contrasts = tuple(contrasts)
    numbers = tuple(slabs)
    return plan_exam(
        {slab: images(slab, seed=seed, contrasts=contrasts) for slab in numbers},
        {slab: affine(slab, top_mm=top_mm) for slab in numbers},
        seed=seed,
        manifest=manifest,
    )


def make_exam(
    folder: Path,
    eid: int,
    *,
    slabs: Iterable[int] = (2,),
    contrasts: Iterable[ContrastName] = ("fat", "water"),
    instance: int = 2,
    top_mm: float = TOP_MM,
    seed: int | None = None,
    manifest: bool = True,
) -> Path:
    """Write the archive of one participant into `folder`; give its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{eid}_20201_{instance}_0.zip"
    seed = eid if seed is None else seed
    write_exam(path, clean_exam(slabs, contrasts=contrasts, top_mm=top_mm, seed=seed, manifest=manifest))
    return path


def read_with_pydicom_alone(path: Path) -> dict[str, list[Dataset]]:
    """Oracle: number and SeriesDescription of each series -> its images from foot to head."""
    series = defaultdict(list)
    for name, data in members(path).items():
        if name.endswith(".dcm"):
            image = pydicom.dcmread(io.BytesIO(data))
            series[f"{image.SeriesNumber} {image.SeriesDescription}"].append(image)
    return {name: sorted(found, key=lambda one: one.ImagePositionPatient[2]) for name, found in series.items()}


def members(path: Path) -> dict[str, bytes]:
    """Everything in a zip."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(path: Path, content: Mapping[str, bytes]) -> None:
    """Write a zip anew."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def edit(path: Path, change: Callable[[Dataset], Dataset | None]) -> None:
    """Change every image of a zip; None drops it."""
    edited: dict[str, bytes] = {}
    for name, data in members(path).items():
        if not name.endswith(".dcm"):
            edited[name] = data
            continue
        changed = change(pydicom.dcmread(io.BytesIO(data)))
        if changed is not None:
            buffer = io.BytesIO()
            pydicom.dcmwrite(buffer, changed)
            edited[name] = buffer.getvalue()
    write_members(path, edited)


def merge(into: Path, *others: Path) -> None:
    """Add all images of other zips, as when an exam was begun again."""
    content: dict[str, bytes] = {}
    for path in (into, *others):
        content |= members(path)
    write_members(into, content)
