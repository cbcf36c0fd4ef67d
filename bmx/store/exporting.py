"""`export`: the images and masks of one participant as NIfTI, for 3D Slicer and everybody else's programs."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec
import nibabel as nib
import numpy as np
import numpy.typing as npt
import xarray as xr

from bmx.acquisition import SLABS
from bmx.errors import StoreError
from bmx.partitions.work import absolute_place, writing_to
from bmx.regions import get_region
from bmx.schema import validate
from bmx.sources.header import SIMULATED_COMMENT
from bmx.store.reading import open_store
from bmx.store.results import open_masks
from bmx.store.slabs import IMAGES
from bmx.types import Affine
from bmx.variables import SLAB_STATUS

logger = logging.getLogger(__name__)

_STORED = {SLAB_STATUS["complete"], SLAB_STATUS["incomplete"]}
_SCANNER = 1
"""NIfTI's code of coordinates of the scanner."""


def export(
    store: str | Path, eid: int | str, folder: str | Path, *, masks: str | Path | xr.DataTree | None = None
) -> list[str]:
    """Write one NIfTI file per slab and contrast, `EID_20201_I_0_slab_N_CONTRAST.nii.gz`.

    The native slices alone, voxels and RAS+ millimetres exactly as stored: x towards Left, y towards Posterior,
    z towards Superior. sform and qform say the same, both with code 1 (scanner).

    Parameters
    ----------
    store : from `bmx.convert`
    eid : one participant of it
    folder : path or URL; made if it isn't there, files of the same names are written over
    masks : of a run, or a tree of masks (of `bmx.segment` or `bmx.read_masks`); adds `EID_20201_I_0_REGION.nii.gz`,
        uint8, on the grid of the slab in which the mask lies

    Returns
    -------
    list of the files that were written. A slab that the participant lacks is left out, as is an image that an
    incomplete slab lacks, and the log says why.

    Raises
    ------
    StoreError
        If the participant isn't in the store or in the masks, or has no slab at all.
    """
    eid = _number(eid)
    slabs = _participant(open_store(store), eid, store)
    drawn = {} if masks is None else _drawn(masks, eid)
    stem = f"{eid}_{slabs.attrs['ukb_field']}_{slabs.attrs['ukb_instance']}_0"
    fs, root = fsspec.core.url_to_fs(absolute_place(folder))
    # A simulated person must not turn into a real one on the way through NIfTI.
    origin = SIMULATED_COMMENT if slabs.attrs["simulated"] else ""
    written: list[str] = []
    for name, slab in _slabs(slabs):
        if int(slab["slab_status"]) not in _STORED:
            logger.info("export: participant %d has no %s: %s", eid, name, slab["slab_reason"].item() or "it is absent")
            continue
        images = dict(_held(name, slab, eid))
        if name in drawn:
            _check_grid(drawn[name], slab, name)
            images |= {region: drawn[name].sel(region=region) for region in _drawn_here(drawn, name)}
        count, affine = int(slab["native_slices"]), slab["affine"].to_numpy()
        for label, image in images.items():
            path = f"{root.rstrip('/')}/{stem}_{label}.nii.gz"
            with writing_to(path):
                fs.makedirs(root, exist_ok=True)
                fs.pipe_file(path, to_nifti(image[:count].to_numpy(), affine, description=origin))
            written.append(path if "://" not in str(folder) else str(fs.unstrip_protocol(path)))
    if not written:
        raise StoreError(f"participant {eid} has no slab in {store}; bmx inspect tells what became of the archive")
    return written


def _number(eid: int | str) -> int:
    try:
        return int(eid)
    except ValueError as exc:
        raise StoreError(f"{eid!r} is no EID; expected its seven digits") from exc


def _drawn(masks: str | Path | xr.DataTree, eid: int) -> dict[str, xr.DataArray]:
    """Masks of one participant by slab, (region, z, y, x) uint8; networks of a lazy tree run once, here."""
    if isinstance(masks, xr.DataTree):
        tree = _participant(validate(masks, "participant", "mask"), eid, "the masks")
    else:
        tree = _participant(open_masks(masks), eid, masks)
    return {name: slab["mask"].compute() for name, slab in _slabs(tree) if "mask" in slab}


def _check_grid(mask: xr.DataArray, slab: xr.Dataset, name: str) -> None:
    found, expected = ({dim: one.sizes[dim] for dim in "zyx"} for one in (mask, slab))
    if found != expected:
        raise StoreError(f"masks of {name} have {found} voxels, its images {expected}; give masks of this store")


def _drawn_here(drawn: Mapping[str, xr.DataArray], slab: str) -> list[str]:
    """Regions to be written with a slab: those with voxels in it, and those of its own that have none anywhere."""
    voxels = {
        name: {str(region): bool(mask.sel(region=region).any()) for region in mask["region"].to_numpy()}
        for name, mask in drawn.items()
    }
    elsewhere = {region for name, held in voxels.items() if name != slab for region, some in held.items() if some}
    return [
        region
        for region, some in voxels[slab].items()
        if some or (SLABS[get_region(region).slab].name == slab and region not in elsewhere)
    ]


def _held(name: str, slab: xr.Dataset, eid: int) -> Iterator[tuple[str, xr.DataArray]]:
    """Images of a slab, by the last part of their files' names, without those that the store lacks."""
    for contrast in sorted(IMAGES & set(map(str, slab.data_vars))):
        if bool(slab[contrast].any()):
            yield f"{name}_{contrast}", slab[contrast]
        else:
            # A file of zeros would be taken for an image that was acquired.
            reason = slab["slab_reason"].item()
            logger.info("export: participant %d has no %s of %s, it is 0 throughout: %s", eid, contrast, name, reason)


def to_nifti(volume: npt.NDArray[Any], affine: Affine, *, description: str = "") -> bytes:
    """Give a volume as the bytes of a `.nii.gz` file, the same bytes every time.

    Parameters
    ----------
    volume : (z, y, x) uint16 or uint8
    affine : (3, 4) float64, voxel index (x, y, z, 1) to RAS+ mm
    description : free text of the header, 80 bytes at most
    """
    square = np.vstack([affine, [0, 0, 0, 1]])
    image = nib.Nifti1Image(np.ascontiguousarray(volume.transpose(2, 1, 0)), square)
    image.set_sform(square, code=_SCANNER)
    image.set_qform(square, code=_SCANNER)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode()
    # Without a date: what is equal shall look equal.
    return gzip.compress(image.to_bytes(), compresslevel=6, mtime=0)


def _participant(tree: xr.DataTree, eid: int, place: str | Path) -> xr.DataTree:
    rows = np.flatnonzero(tree["participant"].to_numpy() == eid)
    if eid <= 0 or not len(rows):
        raise StoreError(
            f"participant {eid} is not among the {tree.sizes['participant']} of {place}; "
            "expected the EID of an archive that was converted"
        )
    return tree.isel(participant=int(rows[0]))


def _slabs(tree: xr.DataTree) -> Iterator[tuple[str, xr.Dataset]]:
    for name, node in sorted(tree.children.items()):
        if name.startswith("slab_"):
            yield name, node.to_dataset()
