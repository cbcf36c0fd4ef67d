"""`evaluate`: masks against a reference, case by case."""

from __future__ import annotations

import logging
from pathlib import Path

import fsspec
import pandas as pd
import xarray as xr

from bmx.errors import SchemaError
from bmx.evaluation.mask_files import Key, compare_folders, unmatched
from bmx.evaluation.mask_trees import alone, compare_trees
from bmx.regions import ALL_REGIONS, get_region
from bmx.schema import validate
from bmx.store.results import MASKS_FORMAT, open_masks

logger = logging.getLogger(__name__)

Masks = str | Path | xr.DataTree


def evaluate(masks: Masks, reference: Masks, *, region: str | None = None) -> pd.DataFrame:
    """Hold masks against a reference: Dice, 95 % Hausdorff distance and volume of each. Computes.

    Parameters
    ----------
    masks, reference : DataTree, path or URL
        Both a store or tree of masks (of `bmx.run` or `bmx.simulate`, or what `bmx.read_masks` gives), or both a
        folder of NIfTI files `NAME_REGION.nii.gz`. Cases that only one has are logged and left out. A region that
        stands in several slabs of a tree is one case; where it lies only in a slab in which the other tree doesn't
        have it, `dice` is NaN, and `reason` says so.
    region : only this one; for files whose names don't say theirs (`NAME.nii.gz`, `NAME_mask.nii.gz`), the one they
        are of

    Returns
    -------
    DataFrame
        A row for each `region` and `case`: `dice` (0 to 1), `hausdorff95_mm`, `volume_ml`, `reference_ml`,
        `volume_error_ml` (mask minus reference), `volume_error_percent`, and the `reason` where one of these is NaN.
        `bmx.evaluation.summarise` and `table2` sum it up.

    Raises
    ------
    SchemaError, SourceError
        If the two can't be compared, or have nothing in common.
    """
    if region is not None:
        get_region(region)
    if isinstance(masks, xr.DataTree) or isinstance(reference, xr.DataTree) or _is_store(masks):
        trees = [_open(one) for one in (masks, reference)]
        found = compare_trees(*trees)
        _log_left_out(("the first tree", "the second tree"), alone(*trees, region=region))
        if region is not None and not any(drawn == region for _, drawn in found):
            drawn = ", ".join(sorted({name for _, name in found}))
            raise SchemaError(f"the masks and their reference have no {region} in common; found {drawn}")
    else:
        if _is_store(reference):
            raise SchemaError(f"{masks} is a folder and {reference} a store; expected two of a kind (see bmx export)")
        found = compare_folders(str(masks), str(reference), region=region)
        _log_left_out((masks, reference), unmatched(str(masks), str(reference), region=region))
    rows = [
        {"region": name, "case": case, **one.row()} for (case, name), one in found.items() if region in (None, name)
    ]
    table = pd.DataFrame(rows)
    order = {name: place for place, name in enumerate(ALL_REGIONS)}
    return table.sort_values("region", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def _log_left_out(places: tuple[object, object], alone: tuple[list[Key], list[Key]]) -> None:
    for where, left in zip(places, alone, strict=True):
        if left:
            names = ", ".join("_".join(key) for key in left[:5]) + (", …" if len(left) > 5 else "")
            logger.warning("%d masks of %s have no counterpart and are left out: %s", len(left), where, names)


def _is_store(place: Masks) -> bool:
    """Whether this is a Zarr store rather than a folder of files."""
    if isinstance(place, xr.DataTree):
        return True
    fs, path = fsspec.core.url_to_fs(str(place))
    return bool(fs.exists(f"{path.rstrip('/')}/zarr.json"))


def _open(place: Masks) -> xr.DataTree:
    if isinstance(place, xr.DataTree):
        return place
    if not _is_store(place):
        raise SchemaError(f"{place} is no store; expected two stores, or two folders of NIfTI masks")
    tree = xr.open_datatree(str(place), engine="zarr", chunks={}, consolidated=True)
    # A run's masks are opened by their own reader, which checks their version; the truth of a simulation has none.
    if tree.attrs.get("bmx_format") == MASKS_FORMAT:
        return open_masks(place)
    return validate(tree, "participant", "mask")
