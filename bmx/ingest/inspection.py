"""`inspect`: what every DICOM series of a zip, a folder or a store is, and why it is used or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bmx.acquisition import CONTRASTS, SLABS
from bmx.errors import SourceError
from bmx.ingest.identify import SeriesLine, SlabImages, identify
from bmx.ingest.provenance import SERIES, describe_rejected
from bmx.sources.base import Exam
from bmx.sources.dicom_folder import FolderExam
from bmx.sources.ukb_zip import ZipExam
from bmx.store.reading import open_store
from bmx.variables import SLAB_FLAGS, SLAB_STATUS, flag_names, variables_of


def inspect(path: str | Path, *, eid: int | None = None) -> pd.DataFrame:
    """Table of all DICOM series in one place; reads headers, and pixels only where labels conflict.

    Parameters
    ----------
    path : a zip of the archive, a folder of DICOM files, or a store from `bmx.convert`
    eid : one participant of a store

    Returns
    -------
    DataFrame
        A row per series: its tags (uid, number, description, image type, echo time in ms), its geometry (rows,
        columns, slices, spacing and extent along z in mm), the slab (0: none) and contrast that it was
        identified as, whether it is used, and why. Files that are no images have a row for each kind of reason. A
        store keeps the most important of these columns. `attrs["slabs"]` says of each slab of one exam what its
        four images (in a store: those that it keeps) amount to.

    Raises
    ------
    SourceError
        If the place is none of these, can't be read, or `eid` isn't in the store.
    """
    place = Path(path)
    if (place / "zarr.json").exists() or ("://" in str(path) and not str(path).endswith(".zip")):
        return _inspect_store(str(path), eid)
    if not place.exists() and "://" not in str(path):
        raise SourceError(f"there is nothing at {path}; expected a zip, a folder of DICOM files, or a store")
    with _open(str(path)) as exam:
        found = identify(exam.headers, contrasts=tuple(CONTRASTS), pixels=exam.pixels)
        rows = [*map(_row, found.lines), *map(_no_image, describe_rejected(exam.rejected))]
        flags = ", ".join(exam.irregularities)
    if not rows:
        raise SourceError(f"{path} holds no DICOM images")
    table = pd.DataFrame(rows)
    table.attrs["slabs"] = {number: _describe(found.slabs.get(number)) for number in SLABS}
    table.attrs["exam"] = flags
    return table


def _open(where: str) -> Exam:
    if Path(where).is_dir():
        return FolderExam(where)
    try:
        return ZipExam(where)
    except SourceError as exc:
        exc.add_note(f"while reading {where}")
        raise


def _describe(images: SlabImages | None) -> str:
    if images is None:
        return _sum_up("absent", (), "")
    return _sum_up("incomplete" if images.problem else "complete", images.flags, images.problem)


def _sum_up(status: str, flags: tuple[str, ...], reason: str) -> str:
    """Give `incomplete, missing_slices: fat lacks 1 of 44 slices`."""
    return f"{', '.join((status, *flags))}{f': {reason}' if reason else ''}"


def _inspect_store(url: str, eid: int | None) -> pd.DataFrame:
    store = open_store(url)
    if eid is not None and eid not in store["participant"].to_numpy():
        raise SourceError(f"participant {eid} is not in {url}")
    names = [variable.name for variable in variables_of("series")]
    if SERIES not in store:
        return pd.DataFrame(columns=[name.removeprefix("series_") for name in names])
    node = store[SERIES]
    assert isinstance(node, xr.DataTree)
    series = node.to_dataset(inherit=False)[names]
    if eid is not None:
        # One column tells which rows to read of the others: a cohort has millions of them.
        series = series.isel(series=np.flatnonzero(series["series_participant"].to_numpy() == eid))
    table = series.to_dataframe()[names].reset_index(drop=True)
    table.columns = [name.removeprefix("series_") for name in names]
    if eid is not None:
        table.attrs["slabs"] = _slabs_in_store(store.sel(participant=eid))
    return table


def _slabs_in_store(person: xr.DataTree) -> dict[int, str]:
    status = {value: name for name, value in SLAB_STATUS.items()}
    found = {}
    for number, slab in SLABS.items():
        if slab.name in person:
            one = person[slab.name]
            flags = tuple(flag_names(int(one["slab_flags"]), SLAB_FLAGS))
            found[number] = _sum_up(status[int(one["slab_status"])], flags, str(one["slab_reason"].item()))
    return found


def _row(line: SeriesLine) -> dict[str, Any]:
    series, first = line.series, line.series.first
    return {
        "uid": first.series_uid,
        "number": first.series_number,
        "description": first.description,
        "image_type": "\\".join(first.image_type),
        "echo_time": first.echo_time_ms,
        "rows": first.rows,
        "columns": first.columns,
        "slices": len(series.headers),
        "spacing": round(series.step_mm, 3),
        "z_low": round(float(series.heights[0]), 1),
        "z_high": round(float(series.heights[-1]), 1),
        "slab": line.slab,
        "contrast": line.contrast or "",
        "used": line.used,
        "reason": line.reason,
    }


def _no_image(reason: str) -> dict[str, Any]:
    return {
        "uid": "",
        "number": -1,
        "description": "",
        "image_type": "",
        "echo_time": None,
        "rows": 0,
        "columns": 0,
        "slices": 0,
        "spacing": np.nan,
        "z_low": np.nan,
        "z_high": np.nan,
        "slab": 0,
        "contrast": "",
        "used": False,
        "reason": reason,
    }
