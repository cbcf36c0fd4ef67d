"""Compare two folders of NIfTI masks, file by file."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from bmx.core.agreement import Agreement, compare_masks
from bmx.core.geometry import voxel_size
from bmx.core.grids import SAME_PLACE_MM, corners_apart
from bmx.errors import SourceError
from bmx.regions import ALL_REGIONS
from bmx.sources.nifti_image import NiftiImage
from bmx.sources.places import address_of, open_place

_NAME = re.compile(rf"(?P<case>.+?)(_(?P<kind>mask|{'|'.join(ALL_REGIONS)}))?\.nii(\.gz)?")

_IMAGE = re.compile(r".+_slab_\d_(fat|water|in_phase|opposed_phase)")
"""What `bmx export` calls the images that it writes beside masks."""

Key = tuple[str, str]
"""Case and region."""


def compare_folders(masks: str, reference: str, *, region: str | None) -> dict[Key, Agreement]:
    """Compare files of the same name, `NAME_REGION.nii.gz`, or `NAME.nii.gz` and `NAME_mask.nii.gz` of `region`.

    Both are taken as they lie on disk, on whatever grid that is, if it is one grid.

    Raises
    ------
    SourceError
        If a name doesn't say its region, the folders have no case in common, or any two files can't be compared: all
        of these, in one message.
    """
    drawn, true = (_list(url, region) for url in (masks, reference))
    common = sorted(drawn.keys() & true.keys(), key=lambda key: (list(ALL_REGIONS).index(key[1]), key[0]))
    if not common:
        raise SourceError(
            f"{masks} and {reference} have no mask of the same name in common; found for example "
            f"{_first(drawn)} and {_first(true)}; expected NAME_REGION.nii.gz in both"
        )
    found: dict[Key, Agreement] = {}
    problems: list[str] = []
    for key in common:
        try:
            found[key] = _compare_files(drawn[key], true[key])
        except SourceError as exc:
            problems.append(str(exc))
    if problems:
        raise SourceError(f"{len(problems)} of the masks can't be compared:\n  " + "\n  ".join(problems))
    return found


def unmatched(masks: str, reference: str, *, region: str | None) -> tuple[list[Key], list[Key]]:
    """Cases that only the first, and only the second, of two folders has."""
    drawn, true = (_list(url, region) for url in (masks, reference))
    return sorted(drawn.keys() - true.keys()), sorted(true.keys() - drawn.keys())


def _list(url: str, region: str | None) -> dict[Key, str]:
    """Addresses by case and region; those of other regions than `region` are passed over."""
    fs, root = open_place(url)
    if not fs.isdir(root):
        raise SourceError(f"there is no folder {url}; expected one of NIfTI masks, or a store")
    found: dict[Key, str] = {}
    for path in sorted(fs.find(root)):
        match = _NAME.fullmatch(PurePosixPath(path).name)
        if match is None or _IMAGE.fullmatch(match["case"]):
            continue
        named = match["kind"] if match["kind"] in ALL_REGIONS else region
        if named is None:
            raise SourceError(
                f"{path}: its name doesn't say which region it is of; call it NAME_REGION.nii.gz "
                f"(REGION among {', '.join(ALL_REGIONS)}), or give the region"
            )
        key, where = (match["case"], named), address_of(fs, path)
        if region not in (None, named):
            continue
        if key in found:
            raise SourceError(f"{where}: {found[key]} is of the same case and region; keep one of them")
        found[key] = where
    if not found:
        raise SourceError(f"found no mask in {url}; expected NAME_REGION.nii.gz files")
    return found


def _compare_files(mask: str, reference: str) -> Agreement:
    drawn, true = NiftiImage.open(mask), NiftiImage.open(reference)
    apart = corners_apart(drawn.affine, true.affine, true.shape)
    if drawn.shape != true.shape or apart > SAME_PLACE_MM:
        by = "" if drawn.shape != true.shape else f", {apart:.2f} mm apart"
        raise SourceError(
            f"{mask}: expected the grid of {reference}, {_times(true.shape)} voxels (x, y, z), found "
            f"{_times(drawn.shape)}{by}; draw both on the voxels of one image"
        )
    return compare_masks(_inside(drawn), _inside(true), voxel_size(true.affine)[::-1].tolist())


def _inside(image: NiftiImage) -> npt.NDArray[np.bool_]:
    values: npt.NDArray[Any] = image.volume()
    if not np.isfinite(values).all():
        raise SourceError(f"{image.where}: a mask holds NaN or infinity; expected 0 outside and one number inside")
    inside = np.asarray(values != 0)
    if inside.any() and np.ptp(values[inside]) > 0:
        raise SourceError(
            f"{image.where}: expected 0 outside and one number inside, found {values[inside].min():g} to "
            f"{values[inside].max():g}; is it an image, or a mask of several regions? Keep one region in a file"
        )
    return inside


def _first(found: dict[Key, str]) -> str:
    return next(iter(found.values()))


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
