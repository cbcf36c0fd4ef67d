"""`inspect`: what every DICOM series of a zip, a folder or a store is, and why it is used or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from bmx.acquisition import CONTRASTS
from bmx.errors import SourceError
from bmx.ingest.identify import SeriesLine, identify
from bmx.ingest.provenance import SERIES
from bmx.sources.base import Exam
from bmx.sources.dicom_folder import FolderExam
from bmx.sources.ukb_zip import ZipExam
from bmx.store.reading import open_store
from bmx.variables import variables_of


def inspect(path: str | Path, *, eid: int | None = None) -> pd.DataFrame:
    """Table of all DICOM series in one place; reads headers, not pixels.

    Parameters
    ----------
    path : a zip of the archive, a folder of DICOM files, or a store from `bmx.convert`
    eid : one participant of a store

    Returns
    -------
    DataFrame
        A row per series: its tags (uid, number, description, image type, echo time in ms), its geometry (rows,
        columns, slices, spacing and extent along z in mm), the slab (0: none) and contrast that it was
        identified as, whether it is used, and why. A store keeps the most important of these columns.

    Raises
    ------
    SourceError
        If the place is none of these, or `eid` isn't in the store.
    """
    place = Path(path)
    if (place / "zarr.json").exists() or "://" in str(path):
        return _inspect_store(str(path), eid)
    if not place.exists():
        raise SourceError(f"there is nothing at {path}; expected a zip, a folder of DICOM files, or a store")
    with _open(place) as exam:
        lines = identify(exam.headers, contrasts=tuple(CONTRASTS)).lines
    if not lines:
        raise SourceError(f"{path} holds no DICOM images")
    return pd.DataFrame([_row(line) for line in lines])


def _open(place: Path) -> Exam:
    if place.is_dir():
        return FolderExam(place)
    try:
        return ZipExam(str(place))
    except SourceError as exc:
        exc.add_note(f"while reading {place}")
        raise


def _inspect_store(url: str, eid: int | None) -> pd.DataFrame:
    store = open_store(url)
    if SERIES not in store:
        return pd.DataFrame()
    node = store[SERIES]
    assert isinstance(node, xr.DataTree)
    table = node.to_dataset(inherit=False).to_dataframe()[[variable.name for variable in variables_of("series")]]
    table.columns = [name.removeprefix("series_") for name in table.columns]
    if eid is None:
        return table.reset_index(drop=True)
    if eid not in store["participant"].to_numpy():
        raise SourceError(f"participant {eid} is not in {url}")
    return table[table["participant"] == eid].reset_index(drop=True)


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
