"""`read_examples`: images and masks of any grid, as a network of one region sees them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from bmx.core.geometry import voxel_size
from bmx.core.preparation import InputContrast, prepare
from bmx.core.regrid import regrid, regrid_mask
from bmx.errors import SourceError
from bmx.regions import Region, get_site, region_spacing
from bmx.sources.header import SIMULATED_COMMENT
from bmx.training.examples import Example
from bmx.training.nifti_pairs import Drawn, Pair, find_pairs, read_pair
from bmx.types import Mask

logger = logging.getLogger(__name__)


class NiftiExamples(Sequence[Example]):
    """Pairs of a network's input and its mask, kept in memory.

    volume : (z, y, x) float32, as `bmx.core.preparation.prepare` gives it
    mask : (z, y, x) bool

    `contrast` is what the volumes show, `simulated` whether a header says that any of them was made by `bmx simulate`.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        made: list[tuple[npt.NDArray[np.float16], Mask]],
        contrast: InputContrast,
        simulated: bool,
    ) -> None:
        self.names, self.contrast, self.simulated = names, contrast, simulated
        self._made = made

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        volume16, mask = self._made[index]
        return volume16.astype(np.float32), mask


def read_examples(
    images: str | Path,
    masks: str | Path,
    region: str,
    *,
    contrast: InputContrast | None = None,
    assume_aligned: bool = False,
) -> NiftiExamples:
    """Read all cases of two folders of NIfTI files; how they are called stands in `bmx.training.nifti_pairs`.

    Axes are re-ordered towards Superior, Posterior and Left, voxels resampled to those of the region's slab (linearly;
    masks at one half; an oblique image keeps its own axes), and the body is cut out as when a slab is segmented.

    Parameters
    ----------
    images : folder or URL of images, or of fat and water images
    masks : folder or URL of masks: 0 outside, anything else inside
    region : one of `bmx.regions.REGIONS`
    contrast : what the network shall see of a pair, fat + water by default; of single images, which don't say it
        themselves, what they show
    assume_aligned : take the files of a case for images of one place although their headers say otherwise; the log
        says how far apart

    Raises
    ------
    SourceError
        If there is no case, or anything is wrong with any: all that is wrong, in one message. If images are single
        ones and `contrast` is missing.
    """
    which = get_site(region)
    pairs, problems = find_pairs(images, masks, which)
    if contrast is None and any(len(pair.images) == 1 for pair in pairs):
        raise SourceError(
            f"{images} holds single images, not pairs of fat and water, and they don't say what they show; say "
            "contrast='fat+water' (--input fat+water; in-phase images, too) or contrast='fat' (--input fat)"
        )
    seen: InputContrast = contrast or "fat+water"
    made: list[tuple[npt.NDArray[np.float16], Mask]] = []
    simulated = False
    for pair in pairs:
        try:
            drawn = read_pair(pair, assume_aligned=assume_aligned)
            made.append(_prepare(drawn, which, seen, pair))
            simulated |= SIMULATED_COMMENT in drawn.descriptions
        except SourceError as exc:
            problems += str(exc).splitlines()
    if problems:
        listed = "".join(f"\n  {problem}" for problem in problems)
        raise SourceError(f"{len(problems)} of the files cannot be trained on:{listed}")
    if not pairs:
        raise SourceError(
            f"found no image with a mask in {images} and {masks}; expected images NAME.nii.gz, or NAME_fat.nii.gz "
            f"and NAME_water.nii.gz, and masks NAME.nii.gz"
        )
    return NiftiExamples(tuple(pair.name for pair in pairs), made, seen, simulated)


def _prepare(drawn: Drawn, region: Region, contrast: InputContrast, pair: Pair) -> tuple[npt.NDArray[np.float16], Mask]:
    spacing, target = voxel_size(drawn.affine)[::-1].tolist(), region_spacing(region)
    images = [regrid(image, spacing, target) for image in drawn.images]
    mask = regrid_mask(drawn.mask, spacing, target)
    if not mask.any():
        raise SourceError(
            f"{pair.mask}: nothing of the mask is left on voxels of {' × '.join(f'{mm:.2f}' for mm in target)} mm "
            "(z, y, x); it is too small for this region"
        )
    fat, water = images if len(images) == 2 else (images[0], np.zeros_like(images[0]))
    volume, box = prepare(fat, water, contrast)
    if not volume.any():
        raise SourceError(f"{pair.images[0]}: the image is 0 everywhere; expected tissue")
    if lost := int(mask.sum() - mask[box].sum()):
        logger.warning("%s: %d voxels of the mask lie outside the body and are not learned", pair.name, lost)
        if not mask[box].any():
            raise SourceError(f"{pair.mask}: the whole mask lies outside the body that is seen in the image")
    # Half precision: the images have 12 bits, and a hundred of them must fit.
    return volume.astype(np.float16), np.ascontiguousarray(mask[box])
