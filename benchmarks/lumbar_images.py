"""Real lumbar images with masks of L1-L5, as a network sees them, and split so that nobody is on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt

from bmx.core.preparation import bright_level
from bmx.core.regrid import regrid, regrid_mask
from bmx.regions import Region

SPACING = (4.0, 2.0, 2.0)
"""Left, Superior, Posterior, mm: the thick axis comes first, as it does in slabs."""

REGION = Region("lumbar", 2, "both", 0, False, (16, 112, 64), "vertebral bodies L1-L5 of a sagittal image")
"""The ROI holds five vertebrae of anybody: one that cut the column short cost 0.06 of Dice."""

TWICE = {"18": "19", "52": "54"}
"""Names of images whose masks are identical: one person under two names."""

FOLDS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Lumbar:
    """One image on both grids."""

    name: str
    volume: npt.NDArray[np.float32]
    """(x, z, y) on voxels of `SPACING`; bright tissue is near 1."""
    mask: npt.NDArray[np.bool_]
    """(x, z, y) on the same voxels."""
    full_mask: npt.NDArray[np.bool_]
    """(x, z, y) on the image's own voxels."""
    full_spacing: tuple[float, ...]


def read_all(folder: Path) -> list[Lumbar]:
    """Read all images in the order of their names."""
    paths = sorted(folder.glob("*_image.nii.gz"))
    if not paths:
        raise SystemExit(f"found no *_image.nii.gz in {folder}; give --data")
    return [_read(path) for path in paths]


def _read(path: Path) -> Lumbar:
    image, spacing = _oriented(path)
    mask = _oriented(Path(str(path).replace("_image", "_mask")))[0] > 0
    volume = regrid(image, spacing, SPACING)
    seen = (volume / bright_level(volume)).astype(np.float32)
    return Lumbar(path.name.split("_")[0], seen, regrid_mask(mask, spacing, SPACING), mask, spacing)


def _oriented(path: Path) -> tuple[npt.NDArray[np.float32], tuple[float, ...]]:
    """Voxels (x to Left, z to Superior, y to Posterior) and their spacing, mm."""
    image = nib.as_closest_canonical(nib.load(path))
    data = np.asarray(image.get_fdata(dtype=np.float32)).transpose(0, 2, 1)[::-1, :, ::-1]
    x, y, z = map(float, image.header.get_zooms())
    return np.ascontiguousarray(data), (x, z, y)


def fold(names: Sequence[str], number: int) -> tuple[list[int], list[int]]:
    """Indices to train on and to test on; every image is tested in one fold, and twins go together.

    Examples
    --------
    >>> train, test = fold([f"{n:02d}" for n in range(24)], 0)
    >>> len(train), len(test)
    (18, 6)
    """
    people = [name for name in names if name not in TWICE.values()]
    tested = {people[k] for k in range(number, len(people), FOLDS)}
    tested |= {TWICE[name] for name in tested if name in TWICE and TWICE[name] in names}
    return (
        [k for k, name in enumerate(names) if name not in tested],
        [k for k, name in enumerate(names) if name in tested],
    )
