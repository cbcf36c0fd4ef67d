"""Find images and the masks that were drawn on them, and read them; everything that is wrong is told at once.

| in the folder of images, `.nii` or `.nii.gz` | in the folder of masks |
|---|---|
| `NAME` or `NAME_image`: one image | `NAME`, `NAME_mask` or `NAME_REGION` |
| `NAME_fat` and `NAME_water` (or `NAME_F` and `NAME_W`): a Dixon pair | the same |
| `EID_20201_I_0_slab_N_fat` and `…_water`, as `bmx export` writes them | `EID_20201_I_0_REGION` |

Subfolders are searched. It may be one folder for both; then masks need a suffix. Masks of other regions, images of
other slabs, in-phase and opposed-phase images are passed over.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from bmx.core.grids import SAME_PLACE_MM, corners_apart
from bmx.errors import SourceError
from bmx.regions import ALL_REGIONS, Region
from bmx.sources.nifti_image import NiftiImage
from bmx.sources.places import address_of, open_place
from bmx.types import Mask

logger = logging.getLogger(__name__)

_SUFFIX = re.compile(r"\.nii(\.gz)?$")
_IMAGE = re.compile(r"(?P<name>.+?)(_(?P<kind>image|fat|water|F|W))?")
_MASK = re.compile(rf"(?P<name>.+?)(_(?P<kind>mask|{'|'.join(ALL_REGIONS)}))?")
_OTHER_CONTRAST = re.compile(r".+_(in_phase|opposed_phase|in|opp)")
_SLAB = re.compile(r"(?P<exam>.+)_slab_(?P<number>\d)")
_KINDS = {None: "image", "image": "image", "fat": "fat", "F": "fat", "water": "water", "W": "water"}


@dataclass(frozen=True, slots=True)
class Pair:
    """Addresses of one case."""

    name: str
    images: tuple[str, ...]
    """The image, or fat and water."""
    mask: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """Voxels of one case, axes towards Superior, Posterior, Left."""

    images: tuple[npt.NDArray[Any], ...]
    """(z, y, x) each: the image, or fat and water."""
    mask: Mask
    """(z, y, x)"""
    affine: npt.NDArray[np.float64]
    """(3, 4)"""
    descriptions: tuple[str, ...]
    """Free text of the images' headers."""


def find_pairs(images: str | Path, masks: str | Path, region: Region) -> tuple[list[Pair], list[str]]:
    """Match images and masks by name.

    Returns
    -------
    Pairs, by name, and what is wrong: an image without a mask, a mask without an image, half a pair, a name twice.

    Raises
    ------
    SourceError
        If there is no such folder.
    """
    problems: list[str] = []
    seen: dict[str, dict[str, str]] = {}
    for stem, where in _nifti_files(images):
        if (role := _as_image(stem, region)) is not None:
            name, kind = role
            _put(seen.setdefault(name, {}), kind, where, problems)
    drawn: dict[str, str] = {}
    for stem, where in _nifti_files(masks):
        if (mask := _as_mask(stem, region, suffix_needed=str(images) == str(masks))) is not None:
            _put(drawn, mask, where, problems)
    pairs = []
    for name, found in sorted(seen.items()):
        first = next(iter(found.values()))
        if "image" in found and len(found) > 1:
            problems.append(f"{found['image']}: there is a fat or water image of the same name, too; keep one kind")
        elif "image" not in found and len(found) < 2:
            problems.append(f"{first}: its {'water' if 'fat' in found else 'fat'} image is missing")
        elif name not in drawn:
            problems.append(f"{first}: no mask; expected {name}.nii.gz or {name}_{region.name}.nii.gz in {masks}")
        else:
            kinds = ("image",) if "image" in found else ("fat", "water")
            pairs.append(Pair(name, tuple(found[kind] for kind in kinds), drawn[name]))
    problems += [
        f"{where}: no image; expected {name}.nii.gz, {name}_fat.nii.gz and {name}_water.nii.gz, or what `bmx export` "
        f"writes, {name}_slab_{region.slab}_fat.nii.gz and …_water.nii.gz, in {images}"
        for name, where in sorted(drawn.items())
        if name not in seen
    ]
    if len({len(pair.images) for pair in pairs}) > 1:
        problems.append("some cases have a fat and a water image, others a single one; train on one kind")
    return pairs, problems


def read_pair(pair: Pair, *, assume_aligned: bool = False) -> Drawn:
    """Read one case.

    Parameters
    ----------
    pair : Pair
    assume_aligned : take files of one shape for images of one place, wherever their headers say that they lie

    Raises
    ------
    SourceError
        With everything that is wrong in it, a line each: files that can't be read, grids that differ, an image with
        NaN or negative values, an empty mask.
    """
    files = [NiftiImage.open(where) for where in (*pair.images, pair.mask)]
    first = files[0]
    problems = [problem for other in files[1:] if (problem := _other_grid(other, first, assume_aligned))]
    volumes = [file.volume() for file in files]
    for file, volume in zip(files[:-1], volumes[:-1], strict=True):
        if (low := float(np.min(volume, initial=0, where=np.isfinite(volume)))) < 0:
            problems.append(f"{file.where}: images are magnitudes, expected none below 0, found {low:g}")
    for file, volume in zip(files[:-1], volumes[:-1], strict=True):
        if broken := int(np.count_nonzero(~np.isfinite(volume))):
            problems.append(f"{file.where}: {broken} of {volume.size} voxels are NaN or infinite; expected numbers")
    if not np.isfinite(volumes[-1]).all():
        problems.append(f"{pair.mask}: a mask holds NaN or infinity; expected 0 outside and whole numbers inside")
    elif not volumes[-1].any():
        problems.append(f"{pair.mask}: the mask is empty; draw it, or take the case out")
    if problems:
        raise SourceError("\n".join(problems))
    descriptions = tuple(file.description for file in files[:-1])
    return Drawn(tuple(volumes[:-1]), volumes[-1] != 0, first.affine, descriptions)


def _nifti_files(folder: str | Path) -> Iterator[tuple[str, str]]:
    """Names without suffix, and addresses, of all NIfTI files."""
    fs, root = open_place(str(folder))
    if not fs.isdir(root):
        raise SourceError(f"there is no folder {folder}; expected one of NIfTI files")
    for path in sorted(fs.find(root)):
        file = PurePosixPath(path).name
        if _SUFFIX.search(file):
            yield _SUFFIX.sub("", file), address_of(fs, path)


def _put(found: dict[str, str], key: str, where: str, problems: list[str]) -> None:
    if key in found:
        problems.append(f"{where}: {found[key]} is of the same case; keep one of them")
    else:
        found[key] = where


def _as_image(stem: str, region: Region) -> tuple[str, str] | None:
    """Name of the case, and whether this is its image, fat or water; None for what isn't to be trained on."""
    mask = _MASK.fullmatch(stem)
    if _OTHER_CONTRAST.fullmatch(stem) or (mask and mask["kind"]):
        return None
    match = _IMAGE.fullmatch(stem)
    assert match is not None, "any name is at least a name"
    name = _without_slab(match["name"], region)
    return None if name is None else (name, _KINDS[match["kind"]])


def _as_mask(stem: str, region: Region, *, suffix_needed: bool) -> str | None:
    """Name of the case that a mask is of; None for masks of other regions and for what is no mask."""
    match = _MASK.fullmatch(stem)
    assert match is not None, "any name is at least a name"
    if match["kind"] not in (None, "mask", region.name) or (suffix_needed and match["kind"] is None):
        return None
    return _without_slab(match["name"], region)


def _without_slab(name: str, region: Region) -> str | None:
    """`EID_20201_I_0` of `EID_20201_I_0_slab_N`; None if N isn't the region's slab."""
    slab = _SLAB.fullmatch(name)
    if slab is None:
        return name
    return slab["exam"] if int(slab["number"]) == region.slab else None


def _other_grid(other: NiftiImage, first: NiftiImage, assume_aligned: bool) -> str:
    """How the grid of a file differs from that of its image; blank if it doesn't."""
    if other.shape != first.shape:
        return (
            f"{other.where}: expected the grid of its image, {_times(first.shape)} voxels (x, y, z), "
            f"found {_times(other.shape)}; draw or export it on the voxels of the image"
        )
    apart = corners_apart(other.affine, first.affine, first.shape)
    if apart <= SAME_PLACE_MM:
        return ""
    if assume_aligned:
        logger.warning("%s: lies up to %.2f mm from its image, and is taken as if it didn't", other.where, apart)
        return ""
    return (
        f"{other.where}: expected the grid of its image, found one that lies up to {apart:.2f} mm from it; draw or "
        "export it on the voxels of the image, or, if only the header is wrong, say assume_aligned=True "
        "(--assume-aligned)"
    )


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
