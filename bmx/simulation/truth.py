"""What is known of simulated participants: `truth.zarr`, laid out like masks and results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr

from bmx.acquisition import SLABS
from bmx.core.morphology import erode_in_plane
from bmx.regions import REGIONS, Region, regions_of_slab
from bmx.simulation.bodies import SimulatedSlab
from bmx.variables import VARIABLES

TRUTH = "truth.zarr"


def regions_in(slabs: tuple[int, ...]) -> tuple[Region, ...]:
    """Regions that lie in any of these slabs, in their fixed order."""
    return tuple(region for region in REGIONS.values() if region.slab in slabs)


def true_bmff(simulated: SimulatedSlab, region: Region) -> float:
    """Mean fat fraction without noise over the mask, eroded as it is for measuring (paper 2.8); percent."""
    inside = erode_in_plane(simulated.masks[region.name], voxels=region.erosion)
    return float(np.mean(simulated.fat_percent[inside])) if inside.any() else float("nan")


def create_truth(path: Path, eids: tuple[int, ...], slabs: tuple[int, ...]) -> None:
    """Lay out an empty truth: mask per slab, one chunk per participant and region, and BMFF, NaN so far."""
    regions = regions_in(slabs)
    root = xr.Dataset(
        {"bmff": (("participant", "region"), np.full((len(eids), len(regions)), np.nan, np.float32))},
        coords={
            "participant": ("participant", np.asarray(eids, np.int64), VARIABLES["participant"].attrs),
            "region": ("region", np.array([region.name for region in regions], object), VARIABLES["region"].attrs),
        },
    )
    root["bmff"].attrs = VARIABLES["bmff"].attrs | {"long_name": "true fat fraction inside the eroded true mask"}
    root.attrs = {"simulated": 1, "source": "bmx simulate"}
    nodes = {"/": root}
    encoding: dict[str, Any] = {}
    for number in slabs:
        names = [region.name for region in regions_of_slab(number)]
        if names:
            shape = (len(eids), len(names), *SLABS[number].stored_shape)
            empty = da.zeros(shape, np.uint8, chunks=(1, 1, *shape[2:]))
            mask = xr.DataArray(empty, dims=VARIABLES["mask"].dims, attrs=VARIABLES["mask"].attrs)
            nodes[f"/{SLABS[number].name}"] = xr.Dataset(
                {"mask": mask}, coords={"region": ("region", np.array(names, object))}
            )
            encoding[f"/{SLABS[number].name}"] = {"mask": {"chunks": (1, 1, *shape[2:])}}
    tree = xr.DataTree.from_dict(nodes)
    tree.to_zarr(path, mode="w", encoding=encoding, compute=False, consolidated=False, zarr_format=3)


def write_masks(path: Path, row: int, simulated: Mapping[int, SimulatedSlab]) -> None:
    """Write one participant's masks into its own chunks."""
    group = zarr.open_group(path, mode="r+")
    for number, slab in simulated.items():
        for index, mask in enumerate(slab.masks.values()):
            array = group[f"{SLABS[number].name}/mask"]
            assert isinstance(array, zarr.Array)
            array[row, index, : len(mask)] = mask.astype(np.uint8)


def write_bmff(path: Path, bmff: npt.NDArray[np.float32]) -> None:
    """Write the BMFF of all participants, (participant, region) in percent."""
    array = zarr.open_group(path, mode="r+")["bmff"]
    assert isinstance(array, zarr.Array)
    array[:] = bmff


def open_truth(folder: str | Path) -> xr.DataTree:
    """Open the truth of `bmx simulate OUT`: root `bmff (participant, region)`, `slab_*/mask` as a masks tree.

    Regions of a slab are the slab's own, so the children have a `region` coordinate of their own.
    """
    return xr.open_datatree(Path(folder) / TRUTH, engine="zarr", chunks={}, consolidated=False)
