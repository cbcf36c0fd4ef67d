"""`ingest_report`: how many slabs of a store are complete, and why the others aren't."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bmx.acquisition import SLABS
from bmx.ingest.reasons import canonical
from bmx.schema import validate
from bmx.store.reading import open_store
from bmx.variables import SLAB_FLAGS, SLAB_STATUS, flag_names

ARCHIVE = 0
"""In the column `slab`: participants whose whole archive failed."""

_COLUMNS = ["slab", "status", "flags", "reason", "participants", "percent"]


def ingest_report(store: str | Path | xr.DataTree) -> pd.DataFrame:
    """Count participants by slab, status and kind of reason. Reads small columns, no images.

    Parameters
    ----------
    store : path or URL of a store from `bmx.convert`, or what `bmx.open_store` gave

    Returns
    -------
    DataFrame
        Columns slab, status, flags (names joined by commas), reason, participants and percent (of all participants
        of the store). Reasons are without their numbers and names, so that equal causes count together. For each
        slab that the store keeps, `participants` add up to all participants. Slab 0 lists once more those
        participants of whom nothing could be read, by reason: they are `unreadable` in every slab.

    Examples
    --------
    >>> report = bmx.ingest_report("ukbb.zarr")                                              # doctest: +SKIP
    >>> report[report["slab"] > 0].pivot_table("participants", "status", "slab", "sum")      # doctest: +SKIP
    """
    tree = store if isinstance(store, xr.DataTree) else open_store(store)
    validate(tree, "participant", "slab_status", "slab_flags", "slab_reason")
    everyone = tree.sizes["participant"]
    parts = [_count(number, tree[slab.name]) for number, slab in SLABS.items() if slab.name in tree]
    failed = parts[0][parts[0]["bits"] & SLAB_FLAGS["archive_unreadable"] > 0].assign(slab=ARCHIVE)
    table = pd.concat([failed, *parts], ignore_index=True)
    status = {value: name for name, value in SLAB_STATUS.items()}
    table["status"] = table["status"].map(status)
    table["flags"] = [", ".join(flag_names(bits, SLAB_FLAGS)) for bits in table["bits"].tolist()]
    table["percent"] = 100 * table["participants"] / max(everyone, 1)
    assert table.loc[table["slab"] != ARCHIVE, "participants"].sum() == everyone * len(parts)
    return table[_COLUMNS]


def _count(number: int, slab: Any) -> pd.DataFrame:
    """Rows of one slab, the most frequent first."""
    kinds = pd.DataFrame(
        {
            "status": slab["slab_status"].to_numpy(),
            "bits": slab["slab_flags"].to_numpy(),
            "reason": _classes(slab["slab_reason"].to_numpy()),
        }
    )
    counts = kinds.groupby(["status", "bits", "reason"]).size().rename("participants").reset_index()
    return counts.sort_values("participants", ascending=False, kind="stable").assign(slab=number)


def _classes(reasons: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Canonical form of each reason; each that differs is looked at once."""
    codes, different = pd.factorize(np.asarray(reasons, object))
    return np.array([canonical(str(reason)) for reason in different], object)[codes]
