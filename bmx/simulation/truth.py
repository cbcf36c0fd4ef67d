"""What is known of simulated participants: `truth.zarr`, laid out like masks and results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr

from bmx.acquisition import SLABS
from bmx.core.morphology import erode_in_plane
from bmx.regions import REGIONS, Region, regions_of_slab
from bmx.schema import validate
from bmx.simulation.bodies import SimulatedSlab
from bmx.store.layout import consolidate, create_column, create_images, open_for_writing
from bmx.variables import VARIABLES

TRUTH = "truth.zarr"
RESULTS = "results"


def regions_in(slabs: tuple[int, ...]) -> tuple[Region, ...]:
    """Regions that lie in any of these slabs, in their fixed order."""
    return tuple(region for region in REGIONS.values() if region.slab in slabs)


def true_bmff(simulated: SimulatedSlab, region: Region) -> float:
    """Mean fat fraction without noise over the mask, eroded as it is for measuring (paper 2.8); percent."""
    inside = erode_in_plane(simulated.masks[region.name], voxels=region.erosion)
    return float(np.mean(simulated.fat_percent[inside])) if inside.any() else float("nan")


def create_truth(path: Path, eids: tuple[int, ...], slabs: tuple[int, ...]) -> None:
    """Lay out an empty truth: one shard of masks per participant and slab, so that each is written alone."""
    root = zarr.open_group(path, mode="w", zarr_format=3)
    root.attrs.update({"simulated": True, "source": "bmx simulate"})
    create_column(root, VARIABLES["participant"], np.asarray(eids, np.int64))
    for number in slabs:
        names = [region.name for region in regions_of_slab(number)]
        if names:
            group = root.create_group(SLABS[number].name)
            shape = (len(eids), len(names), *SLABS[number].stored_shape)
            create_images(group, VARIABLES["mask"], shape, shard=1)
            create_column(group, VARIABLES["region"], np.array(names, object))


def write_masks(path: Path, row: int, simulated: Mapping[int, SimulatedSlab]) -> None:
    """Write one participant's masks into its own shards."""
    root = open_for_writing(str(path))
    for number, slab in simulated.items():
        if slab.masks:
            array = root[f"{SLABS[number].name}/mask"]
            assert isinstance(array, zarr.Array)
            block = np.zeros(array.shape[1:], np.uint8)
            for index, mask in enumerate(slab.masks.values()):
                block[index, : len(mask)] = mask
            array[row] = block


def write_bmff(path: Path, bmff: npt.NDArray[np.float32], regions: tuple[Region, ...]) -> None:
    """Write the true BMFF of all participants, (participant, region) in percent; then the truth can be opened."""
    group = open_for_writing(str(path)).require_group(RESULTS)
    create_column(group, VARIABLES["region"], np.array([region.name for region in regions], object))
    create_column(group, VARIABLES["bmff"], bmff)
    consolidate(str(path))


def open_truth(folder: str | Path) -> xr.DataTree:
    """Open what `bmx simulate OUT` knows of its participants.

    Returns
    -------
    Lazy DataTree: `slab_*/mask` laid out like the masks of a run, and `results`, a Dataset like the
    results of a run: `bmff (participant, region)`, percent, without noise, over the eroded true mask.
    """
    tree = xr.open_datatree(str(Path(folder) / TRUTH), engine="zarr", chunks={}, consolidated=True)
    return validate(tree, "participant", "mask")
