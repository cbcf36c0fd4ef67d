"""Folders of NIfTI masks, drawn by hand or by another program, put onto the voxels of a slab.

A file is called `EID_20201_I_0_REGION.nii.gz` (or `.nii`), for example `1000001_20201_2_0_spine.nii.gz`, in any
subfolder; REGION is one of those in `bmx.regions`. Masks are never resampled: axes may be permuted and turned
round, and a mask may be smaller or larger than the slab by whole voxels. Anything else is refused.
"""

from __future__ import annotations

import logging
import re
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from bmx.acquisition import UKB_FIELD
from bmx.core.geometry import to_world, voxel_size
from bmx.errors import SourceError, did_you_mean
from bmx.regions import ALL_REGIONS
from bmx.sources.nifti_folder import split_name
from bmx.sources.nifti_image import NiftiImage
from bmx.sources.places import STEM, address_of, open_place, some_of
from bmx.types import Affine

logger = logging.getLogger(__name__)

_NAME = re.compile(rf"{STEM}_(?P<region>\w+)\.nii(\.gz)?")
_SAME_PLACE_MM = 0.05
"""How far corners of a mask may lie from voxel centres of the slab: what single precision in a header leaves open."""

Box = tuple[int, int, int]
"""Voxels along z, y and x."""


def list_masks(url: str, *, instance: int) -> dict[tuple[int, str], str]:
    """Find the masks of one imaging visit below a folder.

    Returns
    -------
    (EID, region) -> path or URL. Images of slabs that lie in the same folder are passed over. The log says how many
    files are left out because of their names, or as masks of other visits.

    Raises
    ------
    SourceError
        If the folder is missing or holds no mask, a name says a region that there isn't, or a participant has
        two masks of a region.
    """
    fs, root = open_place(url)
    fs.invalidate_cache()  # masks may have been added since this process looked last
    expected = f"EID_{UKB_FIELD}_{instance}_0_REGION.nii.gz files"
    if not fs.exists(root):
        raise SourceError(f"there is nothing at {url}; expected a folder of {expected}")
    found: dict[tuple[int, str], str] = {}
    misnamed: list[str] = []
    others: list[str] = []
    for path in sorted(fs.find(root)):
        name = PurePosixPath(path).name
        match = _NAME.fullmatch(name)
        if split_name(name):
            continue
        if match is None:
            misnamed.append(name)
            continue
        if match["region"] not in ALL_REGIONS:
            raise SourceError(
                f"{path}: no region is called {match['region']!r}; {did_you_mean(match['region'], ALL_REGIONS)}"
            )
        if int(match["instance"]) != instance:
            others.append(name)
            continue
        key = int(match["eid"]), match["region"]
        if key in found:
            raise SourceError(
                f"participant {key[0]} has two masks of {key[1]}: {found[key]} and {path}; keep one of them"
            )
        found[key] = address_of(fs, path)
    if not found:
        left = [f"{len(others)} of other instances"] if others else []
        left += [f"{len(misnamed)} files with other names: {some_of(misnamed)}"] if misnamed else []
        hint = f" ({'; '.join(left)})" if left else ""
        raise SourceError(f"expected {expected} below {url}, REGION among {', '.join(ALL_REGIONS)}; found none{hint}")
    if misnamed:
        logger.warning(
            "%d files below %s are left out, their names are not those of %s (%s)",
            len(misnamed), url, expected, some_of(misnamed),
        )  # fmt: skip
    if others:
        logger.warning(
            "%d masks below %s are left out, they are of other instances than %d (%s)",
            len(others), url, instance, some_of(others),
        )  # fmt: skip
    return found


def mask_offset(image: NiftiImage, affine: Affine) -> Box:
    """Where the first voxel of a mask lies on the grid of a slab.

    Parameters
    ----------
    image : the mask
    affine : (3, 4) float64 of the slab, voxel index (x, y, z, 1) to RAS+ mm

    Returns
    -------
    (z, y, x) whole voxels, negative where the mask begins outside.

    Raises
    ------
    SourceError
        If its voxels aren't voxels of the slab; the message says by how much they differ.
    """
    inverse = np.linalg.inv(affine[:, :3])
    exact = inverse @ (image.affine[:, 3] - affine[:, 3])
    whole = np.rint(exact)
    sizes = np.array(image.shape)[::-1]
    corners = np.array(np.meshgrid(*([0, size - 1] for size in sizes), indexing="ij")).reshape(3, -1).T
    there, here = to_world(image.affine, corners), to_world(affine, corners + whole[::-1])
    distance = float(np.linalg.norm(there - here, axis=1).max())
    if distance <= _SAME_PLACE_MM:
        x, y, z = map(int, whole)
        return z, y, x
    found, expected = voxel_size(image.affine), voxel_size(affine)
    if not np.allclose(found, expected, atol=_SAME_PLACE_MM / max(image.shape)):
        raise SourceError(
            f"{image.where}: expected voxels of {_times(expected)} mm as the slab has them, found {_times(found)} mm; "
            "draw on the images of the slab, masks are never resampled"
        )
    tilt = np.rad2deg(
        np.arccos(np.clip((image.affine[:, :3] / found * (affine[:, :3] / expected)).sum(0), -1, 1)).max()
    )
    by = f"tilted by {tilt:.2f}°, and " if tilt > 0.01 else ""
    raise SourceError(
        f"{image.where}: expected the grid of the slab, found one {by}shifted by {_times(exact - whole)} voxels "
        f"(x, y, z) from it, {distance:.2f} mm at most; draw on the images of the slab, masks are never resampled"
    )


def read_mask(image: NiftiImage, affine: Affine, *, shape: Box, native_slices: int) -> npt.NDArray[np.uint8]:
    """Read one mask onto the grid of a slab.

    Parameters
    ----------
    image : the mask
    affine : (3, 4) float64 of the slab
    shape : (z, y, x) voxels that the store has for it
    native_slices : how many of its slices are real; a mask must not reach further

    Returns
    -------
    (z, y, x) uint8, 1 inside.

    Raises
    ------
    SourceError
        If it lies on another grid, reaches out of the slab, or has other values than 0 and one label.
    """
    offset = mask_offset(image, affine)
    values = image.volume()
    labels = np.unique(values)
    inside = labels[labels != 0]  # NaN is not 0 either
    if len(inside) > 1 or not np.all(inside == np.rint(inside)) or np.any(inside < 0):
        shown = ", ".join(f"{label:g}" for label in labels[:5]) + (", …" if len(labels) > 5 else "")
        raise SourceError(f"{image.where}: expected a mask of 0 and 1 (or 0 and one other whole label), found {shown}")
    mask = np.zeros(shape, np.uint8)
    drawn = np.argwhere(values != 0) + np.array(offset)
    limits = (native_slices, *shape[1:])
    outside = ((drawn < 0) | (drawn >= limits)).any(axis=1)
    if outside.any():
        raise SourceError(
            f"{image.where}: {int(outside.sum())} of {len(drawn)} voxels lie outside the slab's "
            f"{_times(np.array(limits), 0)} (z, y, x); expected all inside"
        )
    mask[tuple(drawn.T)] = 1
    return mask


def _times(numbers: npt.NDArray[np.generic], digits: int = 3) -> str:
    return " × ".join(f"{number + 0.0:.{digits}f}" for number in numbers.tolist())
