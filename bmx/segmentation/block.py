"""Draw some regions of a block of participants: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bmx.core.missing_slices import leave_out_halves
from bmx.core.stitch import SlabPair
from bmx.core.swaps import find_swaps
from bmx.models.base import RegionModel, Side
from bmx.regions import RIGHT
from bmx.segmentation.neighbours import look_around
from bmx.variables import SLAB_STATUS, SWAP

INPUTS = ("fat", "water", "affine", "native_slices", "slab_status")
"""What is wanted of each slab."""

_USABLE = (SLAB_STATUS["complete"], SLAB_STATUS["incomplete"])


def draw_block(
    eids: npt.NDArray[np.int64],
    *inputs: npt.NDArray[Any],
    models: Sequence[RegionModel],
    sides: Sequence[Side],
    numbers: Sequence[int],
    own: int,
) -> tuple[npt.NDArray[Any], ...]:
    """Draw the regions of one slab, wherever in these slabs they lie.

    Parameters
    ----------
    eids : (participant,), for messages
    inputs : those of `INPUTS` for each slab, one slab after the other; participants first
    models : of regions of slab `own`
    sides : of the body, one for each model
    numbers : of the slabs; where `own` stands alone, a region is looked for nowhere else

    Returns
    -------
    confidence (participant, slab, region) float32, NaN but for the slab that holds the mask; then for each slab
    its masks (participant, region, z, y, x) uint8
    """
    slabs = {number: inputs[5 * place : 5 * place + 5] for place, number in enumerate(numbers)}
    people = len(inputs[0])
    confidence = np.full((people, len(numbers), len(models)), np.nan, np.float32)
    masks = {number: np.zeros((people, len(models), *one[0].shape[1:]), np.uint8) for number, one in slabs.items()}
    for row in range(people):
        pairs = {number: pair for number, one in slabs.items() if (pair := _acquired(row, *one)) is not None}
        if own not in pairs:
            continue
        fat, water, affine = pairs[own]
        for column, (model, side) in enumerate(zip(models, sides, strict=True)):
            try:
                found = look_around(model, pairs, own, model.draw(fat, water, affine, side=side), side=side)
            except Exception as exc:
                region = model.region + (RIGHT if side == "right" else "")
                exc.add_note(f"while drawing {region} of participant {eids[row]} in slab {own}")
                raise
            slices = len(pairs[found.slab].fat)
            masks[found.slab][row, column, :slices] = found.drawing.mask
            confidence[row, list(numbers).index(found.slab), column] = found.drawing.confidence
    return confidence, *masks.values()


def find_swaps_in_block(
    *inputs: npt.NDArray[Any], numbers: Sequence[int]
) -> npt.NDArray[np.uint8] | tuple[npt.NDArray[np.uint8], ...]:
    """Find where fat and water are exchanged, for each participant in all slabs together.

    Parameters
    ----------
    inputs, numbers : as for `draw_block`

    Returns
    -------
    for each slab (participant, z, y, x) uint8, bits of `SWAP`: where fat and water are exchanged, where that is in
    doubt; of a single slab the array itself, as xarray wants it
    """
    slabs = {number: inputs[5 * place : 5 * place + 5] for place, number in enumerate(numbers)}
    people = len(inputs[0])
    masks = {number: np.zeros(one[0].shape, np.uint8) for number, one in slabs.items()}
    for row in range(people):
        pairs = {number: pair for number, one in slabs.items() if (pair := _acquired(row, *one)) is not None}
        for number, found in find_swaps(pairs).items():
            bits = found.mask * np.uint8(SWAP["exchanged"]) | found.doubt * np.uint8(SWAP["suspected"])
            masks[number][row, : len(bits)] = bits
    several = tuple(masks.values())
    return several if len(several) > 1 else several[0]


def _acquired(
    row: int,
    fat: npt.NDArray[np.uint16],
    water: npt.NDArray[np.uint16],
    affine: npt.NDArray[np.float64],
    slices: npt.NDArray[np.int16],
    status: npt.NDArray[np.uint8],
) -> SlabPair | None:
    """What of a slab was acquired; None if it can't be used."""
    count = int(slices[row])
    if status[row] not in _USABLE or not count:
        return None
    return SlabPair(*leave_out_halves(fat[row, :count], water[row, :count]), affine[row])
