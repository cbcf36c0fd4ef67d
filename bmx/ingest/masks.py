"""`read_masks`: masks that somebody else drew, on the grid of the store."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr

from bmx.acquisition import SLABS
from bmx.errors import SourceError
from bmx.partitions.work import absolute_place
from bmx.regions import ALL_REGIONS
from bmx.schema import validate
from bmx.sources.nifti_image import NiftiImage
from bmx.sources.nifti_masks import Box, list_masks, mask_offset, read_mask
from bmx.types import Affine
from bmx.variables import VARIABLES

logger = logging.getLogger(__name__)

MANUAL = "manual"
"""What stands for the digest of the model where there was none."""
_GRID = ("z", "y", "x")
_LISTED = 10
"""Participants or files to name in a message."""

Files = Mapping[tuple[int, str], str]
"""(EID, region) -> path or URL."""


def read_masks(folder: str | Path, slabs: xr.DataTree) -> xr.DataTree:
    """Take masks from NIfTI files, `EID_20201_I_0_REGION.nii.gz`, for `bmx.measure(slabs, masks=...)`.

    REGION is spine, femoral_head, total_hip or femoral_diaphysis; the mask is 1 (or another whole number, the same
    everywhere) inside and 0 outside, drawn on the images of the region's slab, for example on those that
    `bmx export` wrote. Permuted or flipped axes are put right, and so is a crop or margin of whole voxels; nothing
    is resampled. `bmx export --masks` writes such files.

    Parameters
    ----------
    folder : path or URL, searched with its subfolders
    slabs : DataTree, from `bmx.open_store`

    Returns
    -------
    DataTree
        Laid out as `bmx.open_masks` gives it: `participant` at the root, a child for each slab with `mask
        (participant, region, z, y, x)` uint8 of the regions that somebody drew. A participant without a file has an
        empty mask. Lazy: voxels are read when they are used. The headers of the files are read now if the affines
        of `slabs` are no Dask arrays (as `open_store` gives them), so that a mask that lies elsewhere is refused
        before anything is computed.

    Raises
    ------
    SourceError
        If there is no such file, a name is wrong, a file is of an EID that isn't among the participants, or its
        slab isn't in the store; now or when it is computed: if a mask is on another grid (with the difference in mm
        and voxels), reaches out of the slab, or has several labels.
    SchemaError
        If `slabs` lacks a variable.
    """
    validate(slabs, "participant", "affine", "native_slices", "slab_status")
    instance = int(slabs.attrs.get("ukb_instance", 2))
    files = list_masks(absolute_place(folder), instance=instance)
    eids = slabs["participant"].to_numpy().tolist()
    _refuse_strangers(files, set(eids), slabs)
    trees: dict[str, xr.Dataset] = {"/": _root(slabs, instance)}
    for slab in SLABS.values():
        drawn = {region for _, region in files}
        regions = [
            region.name for region in ALL_REGIONS.values() if region.slab == slab.number and region.name in drawn
        ]
        if not regions:
            continue
        node = slabs[slab.name].to_dataset()
        table = np.array([[files.get((eid, region), "") for region in regions] for eid in eids], object)
        if node["affine"].chunks is None:
            _check_headers(table, node, slab.name)
        trees[slab.name] = _lazy_masks(table, regions, node)
    return validate(xr.DataTree.from_dict(trees), "participant", "mask")


def _root(slabs: xr.DataTree, instance: int) -> xr.Dataset:
    attrs = {"ukb_instance": instance, "models_simulated": False}
    if "simulated" in slabs.attrs:
        attrs["simulated"] = slabs.attrs["simulated"]
    return xr.Dataset(coords={"participant": slabs["participant"].variable}).assign_attrs(attrs)


def _refuse_strangers(files: Files, eids: set[int], slabs: xr.DataTree) -> None:
    """No mask may get lost without a word."""
    unknown = sorted({eid for eid, _ in files} - eids)
    if unknown:
        more = f" and {len(unknown) - _LISTED} more" if len(unknown) > _LISTED else ""
        raise SourceError(
            f"masks of participants that aren't in the store: {', '.join(map(str, unknown[:_LISTED]))}{more}; "
            "expected EIDs of the store; check the names of the files, or select the participants later"
        )
    lacking = sorted(
        {region for _, region in files if SLABS[ALL_REGIONS[region].slab].name not in slabs.children},
        key=list(ALL_REGIONS).index,
    )
    if lacking:
        needed = ", ".join(f"{region} (slab {ALL_REGIONS[region].slab})" for region in lacking)
        raise SourceError(f"the store lacks the slabs of masks that were given: {needed}; convert with these slabs")


def _check_headers(files: npt.NDArray[np.object_], slab: xr.Dataset, name: str) -> None:
    """Refuse all masks that don't fit, in one message; reads headers only."""
    affines = slab["affine"].to_numpy()
    problems: list[str] = []
    for row, column in np.argwhere(files != ""):
        if np.isnan(affines[row]).any():
            logger.warning("%s can't be measured: the store has no %s of its participant", files[row, column], name)
            continue
        try:
            mask_offset(NiftiImage.open(files[row, column]), affines[row])
        except SourceError as exc:
            problems.append(str(exc))
    if problems:
        more = f"\n  and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
        raise SourceError("masks that don't fit their slabs:\n  " + "\n  ".join(problems[:_LISTED]) + more)


def _lazy_masks(files: npt.NDArray[np.object_], regions: Sequence[str], slab: xr.Dataset) -> xr.Dataset:
    """One slab's masks, in the chunks of its images."""
    image = next(slab[name] for name in slab.data_vars if slab[name].dims[-3:] == _GRID)
    chunks = image.chunks[0] if image.chunks else -1
    shape = (image.sizes["z"], image.sizes["y"], image.sizes["x"])
    sizes = dict(zip(_GRID, shape, strict=True))
    table = xr.DataArray(files, dims=("participant", "region")).chunk(participant=chunks, region=-1)
    mask = xr.apply_ufunc(
        partial(_read_participant, shape=shape), table, slab["affine"].variable, slab["native_slices"].variable,
        input_core_dims=[("region",), ("world_axis", "voxel_axis"), ()],
        output_core_dims=[("region", *_GRID)], dask_gufunc_kwargs={"output_sizes": sizes},
        vectorize=True, dask="parallelized", output_dtypes=[VARIABLES["mask"].dtype],
    )  # fmt: skip
    mask.attrs = VARIABLES["mask"].attrs
    given = ("participant", "region"), files != ""
    made = xr.Dataset({"mask": mask, "given": given, "model": ("region", [MANUAL] * len(regions))})
    return made.assign_coords(region=list(regions))


def _read_participant(
    files: npt.NDArray[np.object_], affine: Affine, native_slices: np.int16, *, shape: Box
) -> npt.NDArray[np.uint8]:
    """All masks of one participant and slab, (region, z, y, x); empty where there is no file, or no slab."""
    masks = np.zeros((len(files), *shape), np.uint8)
    if np.isnan(affine).any():
        return masks
    for mask, file in zip(masks, files, strict=True):
        if file:
            mask[:] = read_mask(NiftiImage.open(file), affine, shape=shape, native_slices=int(native_slices))
    return masks
