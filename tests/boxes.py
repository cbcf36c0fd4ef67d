"""The easiest task there is: a bright box in a dim volume; as arrays, and as NIfTI files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bmx.acquisition import PIXEL_MM
from tests.nifti import write_nifti

Example = tuple[np.ndarray, np.ndarray]
SPACING = (4.5, PIXEL_MM, PIXEL_MM)
"""Of slab 4, z y x, mm."""


def bright_boxes(n: int, seed: int) -> list[Example]:
    """Volumes (16, 32, 40) and the masks of their boxes."""
    rng = np.random.default_rng(seed)
    examples = []
    for _ in range(n):
        volume = rng.normal(0.2, 0.02, (16, 32, 40)).astype(np.float32)
        mask = np.zeros(volume.shape, bool)
        z, y, x = rng.integers(1, 8), rng.integers(2, 20), rng.integers(2, 26)
        mask[z : z + 6, y : y + 8, x : x + 8] = True
        volume[mask] = 1
        examples.append((volume, mask))
    return examples


def affine_of(spacing: tuple[float, float, float], origin: tuple[float, float, float] = (40, 30, -20)) -> np.ndarray:
    """(3, 4), axes towards Left, Posterior, Superior; `spacing` is z, y, x in mm."""
    z, y, x = spacing
    return np.column_stack([np.diag([-x, -y, z]), origin])


def write_boxes(folder: Path, n: int, *, seed: int = 1, axes: str = "LPS") -> tuple[Path, Path]:
    """Write folders `images` and `masks` with cases a, b, c … on the voxels of slab 4."""
    for number, (volume, mask) in enumerate(bright_boxes(n, seed)):
        name = f"{chr(ord('a') + number)}.nii.gz"
        scanned = (500 * volume.clip(0)).astype(np.int16)
        write_nifti(folder / "images" / name, scanned, affine_of(SPACING), axes=axes, comment="")
        write_nifti(folder / "masks" / name, mask.astype(np.uint8), affine_of(SPACING), axes=axes, comment="")
    return folder / "images", folder / "masks"
