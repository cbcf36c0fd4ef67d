"""What goes back to UK Biobank: a table of derived values by participant, and a dictionary of its columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pandas as pd
import xarray as xr

from bmx.errors import StoreError
from bmx.partitions.work import absolute_place, writing_to
from bmx.schema import validate
from bmx.store.tables import to_table
from bmx.variables import VARIABLES

VALUES, DICTIONARY = "bmff.csv", "data_dictionary.csv"

_RETURNED = (
    "bmff", "bmff_median", "bmff_sd", "bmff_iqr", "bmff_ratio", "bmff_se", "bmff_n", "voxels", "volume", "confidence",
    "measured_slab", "status", "flags", "reason", "qc_outcome", "qc_flags", "qc_cause", "qc_reason",
)  # fmt: skip
"""By region. Where a mask lies isn't among them: it is of use only with the images at hand."""


def return_to_ukb(results: xr.Dataset, folder: str | Path) -> list[str]:
    """Write the derived data that a project returns to UK Biobank: `bmff.csv` and `data_dictionary.csv`.

    Every participant of the results who hasn't withdrawn is in it, measured or with a reason. EIDs are those of your
    project: UK Biobank translates them when it takes a return in.

    Parameters
    ----------
    results : as `bmx.run` gives it, best judged by `bmx.qc.flag`; without `qc_*` these columns are absent
    folder : path or URL; files of these names are written over

    Returns
    -------
    list of the two files

    Raises
    ------
    StoreError
        If the results are of simulated images.
    SchemaError
        If they lack `bmff`, `status` or `reason`.
    """
    validate(results, "participant", "region", "bmff", "status", "reason")
    if results.attrs.get("simulated"):
        raise StoreError("these results are of simulated images: UK Biobank takes what was derived from its own alone")
    table = to_table(results[[name for name in _RETURNED if name in results]])
    words = pd.DataFrame(_dictionary(results))
    root = absolute_place(folder).rstrip("/")
    written = []
    for name, content, index in ((VALUES, table, True), (DICTIONARY, words, False)):
        place = f"{root}/{name}"
        with writing_to(place), fsspec.open(place, "w", newline="", encoding="utf-8", auto_mkdir=True) as file:
            content.to_csv(file, index=index)
        written.append(place)
    return written


def _dictionary(results: xr.Dataset) -> Iterator[dict[str, str]]:
    """A row for each column of the table."""
    field, instance = (results.attrs.get(name, "") for name in ("ukb_field", "ukb_instance"))
    how = "; ".join(
        f"{name.replace('_', ' ')}: {results.attrs[name]}"
        for name in ("bmx_version", "recipe", "recipe_meaning", "correction")
        if results.attrs.get(name)
    )
    yield {
        "column": "eid", "title": "participant identifier of the returning project", "region": "", "units": "",
        "type": "integer", "values": "", "derived_from": f"field {field}, instance {instance}", "method": "",
    }  # fmt: skip
    of_region = results.reset_coords()
    for name in _RETURNED:
        if name not in results:
            continue
        variable = VARIABLES[name]
        codes = variable.flag_values or variable.flag_masks or {}
        kind = "text" if variable.dtype == "string" or codes else "real" if "float" in variable.dtype else "integer"
        for place, region in enumerate(map(str, results.indexes["region"])):
            model = str(of_region["model"].to_numpy()[place]) if "model" in of_region else ""
            yield {
                "column": f"{name}_{region}",
                "title": variable.long_name,
                "region": region,
                "units": variable.units if variable.units != "1" else "",
                "type": kind,
                "values": "|".join(codes),
                "derived_from": f"field {field}, instance {instance}",
                "method": "; ".join(part for part in (how, f"model: {model}" if model else "") if part),
            }
